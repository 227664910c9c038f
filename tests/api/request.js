// Fetch Standard §5.4.
import { equal, ok, rejects, same, throws } from "./assert.js";

export const tests = {
  "a request has a method, a URL and headers"() {
    const request = new Request("http://x/a b#c", { method: "post", headers: { A: "1" } });
    equal(request.method, "POST");
    equal(request.url, "http://x/a%20b#c");
    equal(request.headers.get("a"), "1");
    equal(new Request("http://x").method, "GET");
    equal(new Request("http://x", { method: "patch" }).method, "patch");
  },
  "bad ones are refused"() {
    throws(TypeError, () => new Request("/a"));
    throws(TypeError, () => new Request("http://me:pw@x/"));
    for (const method of ["a b", "CONNECT", "trace", "Track", ""]) {
      throws(TypeError, () => new Request("http://x", { method }));
    }
    throws(TypeError, () => new Request("http://x", { body: "x" }));
    throws(TypeError, () => new Request("http://x", { method: "HEAD", body: "x" }));
    throws(TypeError, () => new Request("http://x", { mode: "navigate" }));
    throws(TypeError, () => new Request("http://x", { redirect: "sideways" }));
    throws(TypeError, () => new Request("http://x", { signal: {} }));
  },
  "options have their defaults"() {
    const { cache, credentials, destination, duplex, integrity, keepalive, mode, redirect, referrer } = new Request(
      "http://x",
    );
    same(
      [cache, credentials, destination, duplex, integrity, keepalive, mode, redirect, referrer],
      ["default", "same-origin", "", "half", "", false, "cors", "follow", "about:client"],
    );
    equal(new Request(new Request("http://x", { redirect: "manual" })).redirect, "manual");
  },
  async "a request made from another takes its body over"() {
    const first = new Request("http://x", { method: "POST", body: "abc", headers: { a: "1" } });
    const second = new Request(first, { headers: { b: "2" } });
    ok(first.bodyUsed);
    await rejects(TypeError, first.text());
    equal(second.headers.get("a"), null);
    equal(second.headers.get("b"), "2");
    equal(await second.text(), "abc");
    throws(TypeError, () => new Request(second));
    equal(await new Request(second, { body: "new" }).text(), "new");
  },
  "what a request made from another takes is gone from there at once"() {
    const first = new Request("http://x/", { method: "POST", body: "b" });
    const { body } = first;
    const second = new Request(first);
    ok(first.bodyUsed && body.locked && !second.bodyUsed);
    equal(first.body, body);
  },
  async "a stream moves along too"() {
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array([0x61]));
        controller.close();
      },
    });
    const first = new Request("http://x", { method: "POST", body, duplex: "half" });
    equal(await new Request(first).text(), "a");
  },
  async "a clone is independent"() {
    const request = new Request("http://x", { method: "PUT", body: "abc", headers: { a: "1" } });
    const copy = request.clone();
    copy.headers.set("a", "2");
    equal(request.headers.get("a"), "1");
    equal(copy.method, "PUT");
    same([await copy.text(), await request.text()], ["abc", "abc"]);
  },
  "the signal follows the one given"() {
    const controller = new AbortController();
    const request = new Request("http://x", { signal: controller.signal });
    const again = new Request(request);
    ok(request.signal !== controller.signal);
    controller.abort("why");
    equal(request.signal.reason, "why");
    equal(again.signal.reason, "why");
    equal(request.clone().signal.reason, "why");
    ok(!new Request(request, { signal: null }).signal.aborted);
  },
  async "a stream for a body needs no duplex, as in Workers, and no keepalive"() {
    const init = () => ({ method: "POST", body: new Response("abc").body });
    equal(await new Request("http://x", init()).text(), "abc");
    throws(TypeError, () => new Request("http://x", { ...init(), duplex: "full" }));
    throws(TypeError, () => new Request("http://x", { ...init(), keepalive: true }));
  },
  "a request is made of what another is, not of what its getters say"() {
    class Mine extends Request {
      get url() { return "http://mine/"; }
      get method() { return "DELETE"; }
      get headers() { return new Headers({ mine: "1" }); }
      get signal() { return "nonsense"; }
    }
    const request = new Mine("http://x/", { method: "PUT", headers: { a: "1" } });
    for (const copy of [new Request(request), request.clone()]) {
      same([copy.url, copy.method, [...copy.headers], copy.signal.aborted], ["http://x/", "PUT", [["a", "1"]], false]);
    }
  },
  "options are read once, each at its place"() {
    const read = [];
    const trace = new Proxy({ method: "POST" }, {
      get(target, key) {
        read.push(key);
        if (key === "body") return { toString: () => (read.push("body!"), "x") };
        if (key === "headers") return { get a() { read.push("headers!"); return "1"; } };
        return target[key];
      },
    });
    new Request("http://x/", trace);
    same(read.slice(0, 7), ["body", "body!", "cache", "credentials", "duplex", "headers", "headers!"]);
    equal(new Set(read).size, read.length);
  },
};
