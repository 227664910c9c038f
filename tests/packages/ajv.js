// Ajv as it runs where code cannot be made from strings: compiled while bundling.

import validate from "./order.schema.json";

export default {
  async fetch(request) {
    const order = await request.json();
    if (validate(order)) return Response.json({ valid: true });
    const errors = validate.errors.map(({ instancePath, message }) => `${instancePath || "/"} ${message}`);
    return Response.json({ errors }, { status: 422 });
  },
};
