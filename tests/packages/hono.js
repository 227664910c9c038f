// What an app written with Hono consists of: routes with parameters, forms, validators, cookies, errors, streams.

import { Hono } from "hono";
import { accepts } from "hono/accepts";
import { deleteCookie, getCookie, getSignedCookie, setCookie, setSignedCookie } from "hono/cookie";
import { createMiddleware } from "hono/factory";
import { html } from "hono/html";
import { HTTPException } from "hono/http-exception";
import { proxy } from "hono/proxy";
import { stream, streamSSE, streamText } from "hono/streaming";
import { validator } from "hono/validator";

const app = new Hono();

app.get("/", (c) => c.text(`${c.env.GREETING} from ${c.req.method} ${c.req.path}`));

const titled = validator("json", ({ title }, c) =>
  typeof title === "string" ? { title } : c.json({ error: "a book has a title" }, 400));

const books = new Hono().basePath("/books")
  .get("/", (c) => c.json({ page: c.req.query("page") ?? "1", tags: c.req.queries("tag") ?? [] }))
  .get("/:id{[0-9]+}", (c) => c.json({ id: Number(c.req.param("id")) }))
  .get("/:id{[0-9]+}/chapters/:name?", (c) => c.json(c.req.param()))
  .post("/", titled, (c) => {
    const { title } = c.req.valid("json");
    return c.json({ title }, 201, { location: `/books/${encodeURIComponent(title)}` });
  });
app.route("/", books);

app.get("/files/*", (c) => c.text(c.req.path));
app.on(["PUT", "DELETE"], ["/one", "/two"], (c) => c.text(`${c.req.method} ${c.req.path}`));
app.get("/old", (c) => c.redirect("/new", 301));
app.get("/page/:name", (c) => c.html(html`<!doctype html><p>Hello, ${c.req.param("name")}</p>`));
app.get("/negotiated", (c) => c.text(accepts(c, { header: "Accept-Language", supports: ["en", "de"], default: "en" })));

app.post("/upload", async (c) => {
  const { note, file } = await c.req.parseBody();
  return c.json({ note, name: file.name, type: file.type, text: await file.text() });
});
app.post("/form", async (c) => c.json(await c.req.parseBody({ all: true })));
app.post("/echo", (c) => c.body(c.req.raw.body, 200, { "content-type": c.req.header("content-type") }));

app.get("/cookies", (c) => {
  setCookie(c, "theme", "dark side", { path: "/", httpOnly: true, sameSite: "Lax", maxAge: 60 });
  setCookie(c, "id", "1", { prefix: "host" });
  deleteCookie(c, "old");
  return c.json(getCookie(c));
});
app.get("/signed/set", async (c) => {
  await setSignedCookie(c, "user", "zo\u00eb", c.env.SECRET);
  return c.text("set");
});
app.get("/signed", async (c) => c.json(await getSignedCookie(c, c.env.SECRET)));

const counted = createMiddleware(async (c, next) => {
  c.set("count", 1);
  await next();
  c.header("x-count", String(c.get("count")));
});
app.get("/counted", counted, (c) => {
  c.set("count", c.get("count") + 1);
  c.executionCtx.waitUntil(Promise.resolve().then(() => console.log("counted later")));
  return c.text("counted");
});

app.get("/teapot", () => {
  throw new HTTPException(418, { message: "short and stout" });
});
app.get("/broken", () => null.broken);
app.notFound((c) => c.json({ missing: c.req.path }, 404));
app.onError((error, c) =>
  error instanceof HTTPException ? error.getResponse() : c.json({ error: error.message, kind: error.name }, 500));

app.get("/stream/text", (c) => streamText(c, async (stream) => {
  for (const word of ["one", "two", "three"]) {
    await stream.writeln(word);
    await stream.sleep(5);
  }
}));
app.get("/stream/events", (c) => streamSSE(c, async (stream) => {
  for (let id = 1; id <= 2; id++) await stream.writeSSE({ id: String(id), event: "tick", data: `first\nsecond ${id}` });
  throw new Error("no third");
}, async (error) => console.warn(`stream: ${error.message}`)));
app.get("/stream/endless", (c) => stream(c, async (stream) => {
  stream.onAbort(() => console.log("the client has left"));
  while (!stream.aborted) {
    await stream.write("more\n");
    await stream.sleep(5);
  }
}));
app.post("/stream/piped", (c) => stream(c, (stream) => stream.pipe(c.req.raw.body)));

app.all("/proxied/*", (c) =>
  proxy(`${c.env.UPSTREAM}${c.req.path.slice("/proxied".length)}`, {
    ...c.req,
    headers: { ...c.req.header(), "x-forwarded-host": c.req.header("host"), authorization: undefined },
  }));

export default app;
