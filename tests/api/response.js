// Fetch Standard §5.5.
import { equal, ok, same, throws } from "./assert.js";

export const tests = {
  "a response has a status and headers"() {
    const response = new Response("x", { status: 201, statusText: "Made", headers: [["a", "1"]] });
    same([response.status, response.statusText, response.ok, response.type], [201, "Made", true, "default"]);
    equal(response.headers.get("a"), "1");
    equal(response.headers, response.headers);
    same([response.url, response.redirected], ["", false]);
    const plain = new Response();
    same([plain.status, plain.statusText, plain.ok], [200, "", true]);
    ok(!new Response("", { status: 404 }).ok);
  },
  "statuses are from 200 to 599"() {
    for (const status of [0, 100, 101, 199, 600, 1000]) throws(RangeError, () => new Response("", { status }));
    for (const status of [204, 205, 304]) {
      throws(TypeError, () => new Response("", { status }));
      equal(new Response(null, { status }).status, status);
    }
    throws(TypeError, () => new Response("", { statusText: "a\nb" }));
  },
  async "encodeBody is taken, and changes nothing"() {
    for (const encodeBody of ["manual", "automatic", undefined]) {
      const response = new Response("x", { encodeBody, headers: { "content-encoding": "gzip" } });
      same([response.headers.get("content-encoding"), await response.text()], ["gzip", "x"]);
    }
    throws(TypeError, () => new Response("x", { encodeBody: "gzip" }));
  },
  async "json() makes JSON"() {
    const response = Response.json({ a: 1 }, { status: 202, headers: { x: "y" } });
    equal(response.headers.get("content-type"), "application/json");
    same([response.status, response.headers.get("x")], [202, "y"]);
    same(await response.json(), { a: 1 });
    throws(TypeError, () => Response.json(undefined));
    throws(TypeError, () => Response.json("x", { status: 204 }));
    equal(Response.json(1, { headers: { "content-type": "a/b" } }).headers.get("content-type"), "a/b");
  },
  "redirect() points elsewhere"() {
    const response = Response.redirect("http://x/ä", 307);
    same([response.status, response.headers.get("location")], [307, "http://x/%C3%A4"]);
    equal(Response.redirect("http://x").status, 302);
    throws(RangeError, () => Response.redirect("http://x", 200));
    throws(TypeError, () => Response.redirect("/x"));
    throws(TypeError, () => response.headers.set("a", "b"));
  },
  "error() is an error"() {
    const response = Response.error();
    same([response.type, response.status, response.ok], ["error", 0, false]);
    throws(TypeError, () => response.headers.set("a", "b"));
  },
  "a clone is independent"() {
    const response = new Response("x", { status: 203, headers: { a: "1" } });
    const copy = response.clone();
    copy.headers.set("a", "2");
    same([copy.status, response.headers.get("a")], [203, "1"]);
  },
  async "options are converted before the body is taken"() {
    const stream = new ReadableStream();
    throws(TypeError, () => new Response(stream, { get status() { stream.getReader(); return 200; } }));
    const bytes = new Uint8Array([65, 66]);
    equal(await new Response(bytes, { get status() { bytes[0] = 90; return 200; } }).text(), "ZB");
    const order = [];
    Response.json({ toJSON: () => order.push("json") }, { get status() { order.push("status"); return 200; } });
    same(order, ["status", "json"]);
    order.length = 0;
    const body = { toString: () => (order.push("body"), "x") };
    new Response(body, { get status() { order.push("status"); return 200; } });
    same(order, ["body", "status"]);
  },
  "a clone is of what a response is, not of what its getters say"() {
    class Mine extends Response {
      get headers() { return "mine"; }
    }
    equal(new Mine("x", { headers: { a: "1" } }).clone().headers.get("a"), "1");
  },
};
