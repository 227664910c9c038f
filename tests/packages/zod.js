import * as z from "zod";

const Address = z.object({ street: z.string().min(1), zip: z.string().regex(/^\d{5}$/) });
const User = z
  .strictObject({
    name: z.string().trim().min(2, "too short a name"),
    email: z.email(),
    age: z.coerce.number().int().nonnegative().optional(),
    role: z.enum(["reader", "writer"]).default("reader"),
    born: z.iso.date().transform((text) => new Date(text)).optional(),
    site: z.url().optional(),
    address: Address.partial().optional(),
    contact: z.discriminatedUnion("by", [
      z.object({ by: z.literal("phone"), number: z.string() }),
      z.object({ by: z.literal("post"), address: Address }),
    ]),
    tags: z.array(z.string()).max(2).default([]),
    password: z.string(),
    again: z.string(),
  })
  .refine(({ password, again }) => password === again, { path: ["again"], error: "passwords differ" });

const Unique = z.string().refine(async (name) => name !== "taken", "is taken");

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/schema") return Response.json(z.toJSONSchema(Address));
    if (pathname === "/name") return Response.json(await Unique.safeParseAsync(searchParams.get("name")));
    const { success, data, error } = User.safeParse(await request.json());
    if (success) return Response.json(data, { status: 201 });
    return Response.json(z.flattenError(error), { status: 422 });
  },
};
