// Hono's own middleware, each on routes of its own.

import { Hono } from "hono";
import { basicAuth } from "hono/basic-auth";
import { bearerAuth } from "hono/bearer-auth";
import { bodyLimit } from "hono/body-limit";
import { cache } from "hono/cache";
import { every, some } from "hono/combine";
import { compress } from "hono/compress";
import { cors } from "hono/cors";
import { csrf } from "hono/csrf";
import { etag } from "hono/etag";
import { ipRestriction } from "hono/ip-restriction";
import { jwt, sign } from "hono/jwt";
import { languageDetector } from "hono/language";
import { logger } from "hono/logger";
import { methodOverride } from "hono/method-override";
import { poweredBy } from "hono/powered-by";
import { prettyJSON } from "hono/pretty-json";
import { requestId } from "hono/request-id";
import { NONCE, secureHeaders } from "hono/secure-headers";
import { timeout } from "hono/timeout";
import { endTime, setMetric, startTime, timing } from "hono/timing";
import { trimTrailingSlash } from "hono/trailing-slash";

const SECRET = "a secret of this test";
const app = new Hono();

app.use(trimTrailingSlash());

app.use("/cors", cors({
  origin: ["https://app.example", "https://admin.example"],
  allowHeaders: ["X-Token"],
  exposeHeaders: ["Content-Length"],
  credentials: true,
  maxAge: 600,
}));
app.all("/cors", (c) => c.text("shared"));

app.get("/etag", etag(), (c) => c.text("tagged"));
app.get("/logged/*", logger(), (c) => c.text("logged"));
app.get("/powered", poweredBy({ serverName: "nano" }), (c) => c.text("powered"));
app.get("/id", requestId(), (c) => c.text(c.get("requestId")));

app.get("/basic", basicAuth({ username: "zo\u00eb", password: "p:ss" }), (c) => c.text("basic"));
app.get("/bearer", bearerAuth({ token: ["one", "two"] }), (c) => c.text("bearer"));
app.post("/login", async (c) => {
  const { user, expires } = await c.req.json();
  return c.text(await sign({ sub: user, exp: Math.floor(Date.now() / 1000) + expires }, SECRET, "HS256"));
});
app.get("/jwt", jwt({ secret: SECRET, alg: "HS256" }), (c) => c.text(c.get("jwtPayload").sub));
app.get(
  "/some",
  some(bearerAuth({ token: "one" }), every(basicAuth({ username: "a", password: "b" }), requestId())),
  (c) => c.text("some"),
);
app.get(
  "/inside",
  ipRestriction((c) => ({ remote: { address: c.req.header("x-from") } }), { allowList: ["10.0.0.0/8", "fd00::/8"] }),
  (c) => c.text("inside"),
);

app.post("/csrf", csrf({ origin: "https://app.example" }), (c) => c.text("taken"));
app.get("/secure", secureHeaders({ contentSecurityPolicy: { defaultSrc: ["'self'"], scriptSrc: [NONCE] } }), (c) =>
  c.text(c.get("secureHeadersNonce")));

app.get("/compressed", compress(), (c) => c.text("nano ".repeat(1000)));
app.get("/compressed/tagged", etag(), compress(), (c) => c.text("nano ".repeat(1000)));
app.get("/pretty", prettyJSON(), (c) => c.json({ a: [1] }));
app.put("/limited", bodyLimit({ maxSize: 8 }), async (c) => c.text(await c.req.text()));
app.get("/cached", cache({ cacheName: "packages", cacheControl: "max-age=60", wait: true }), (c) => c.text("cached"));

// The headers of what `fetch` gave cannot be changed: a copy is.
app.get("/fetched", cors(), etag(), secureHeaders(), (c) => fetch(c.env.UPSTREAM));

app.get("/timed", timing({ totalDescription: "all of it" }), async (c) => {
  setMetric(c, "region", "here");
  startTime(c, "work");
  await new Promise((done) => setTimeout(done, 5));
  endTime(c, "work");
  return c.text("timed");
});
app.get("/slow", timeout(20), async (c) => {
  await new Promise((done) => setTimeout(done, 5000));
  return c.text("too late");
});

app.use("/language", languageDetector({ supportedLanguages: ["en", "de"], fallbackLanguage: "en" }));
app.get("/language", (c) => c.text(c.get("language")));

app.use("/overridden", methodOverride({ app }));
app.post("/overridden", (c) => c.text("posted"));
app.delete("/overridden", async (c) => c.text(`deleted ${(await c.req.parseBody()).id}`));

export default app;
