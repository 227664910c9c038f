import { customAlphabet, nanoid } from "nanoid";

const code = customAlphabet("23456789abcdefghjkmnpqrstuvwxyz", 8);

export default {
  fetch() {
    return Response.json({ ids: Array.from({ length: 1000 }, () => nanoid()), short: nanoid(5), code: code() });
  },
};
