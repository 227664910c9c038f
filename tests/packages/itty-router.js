import { AutoRouter, cors, error, html, StatusError, withContent, withCookies } from "itty-router";

const { preflight, corsify } = cors({ origin: ["https://app.example"], allowMethods: ["GET", "PUT"], maxAge: 60 });
const router = AutoRouter({ before: [preflight], finally: [corsify], missing: () => error(404, "nothing here") });

router
  .get("/hello/:name", ({ name }) => `Hello, ${name}!`)
  .get("/files/:path+", ({ params }) => params)
  .get("/search", ({ query }) => query)
  .get("/page", () => html("<h1>A page</h1>"))
  .get("/me", withCookies, ({ cookies }) => cookies)
  .put("/things/:id", withContent, ({ id, content }) => ({ id, content }))
  .get("/teapot", () => {
    throw new StatusError(418, { error: "short and stout", handle: true });
  })
  .get("/broken", () => null.broken);

export default { ...router };
