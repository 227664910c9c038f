// Fetch Standard §5.6, as far as no network is needed.
import { equal, ok, rejects, same } from "./assert.js";

export const tests = {
  "fetch is an operation of the global scope"() {
    same([typeof fetch, fetch.name, fetch.length], ["function", "fetch", 1]);
    ok(Object.keys(globalThis).includes("fetch"));
    ok(!("prototype" in fetch));
  },
  async "whatever is wrong is a rejected promise"() {
    for (const bad of [
      () => fetch(),
      () => fetch("no url"),
      () => fetch("/relative"),
      () => fetch("http://a:b@c.example/"),
      () => fetch("http://a.example", { method: "TRACE" }),
      () => fetch("http://a.example", { method: "a b" }),
      () => fetch("http://a.example", { body: "x" }),
      () => fetch("http://a.example", { mode: "navigate" }),
      () => fetch("http://a.example", { redirect: "maybe" }),
      () => fetch("http://a.example", { signal: {} }),
      () => fetch("http://a.example", { headers: { "a b": "c" } }),
      () => fetch("http://a.example", { method: "POST", body: new ReadableStream() }),
      () => fetch(Symbol()),
    ]) {
      const promise = bad();
      ok(promise instanceof Promise);
      await rejects(TypeError, promise);
    }
  },
  async "other schemes are network errors"() {
    for (const url of ["ftp://a.example/", "file:///etc/passwd", "ws://a.example", "x:y", "about:blank", "blob:x", "javascript:1"]) {
      await rejects(TypeError, fetch(url));
    }
  },
  async "ports of other protocols are not fetched from"() {
    for (const port of [1, 25, 6000, 10080]) {
      const error = await fetch(`http://a.example:${port}/`).catch((error) => error);
      same([error.name, error.message], ["TypeError", `fetch: port ${port} is one of another protocol`]);
    }
  },
  async "data: URLs are answered"() {
    for (const [url, type, text] of [
      ["data:,hello", "text/plain;charset=US-ASCII", "hello"],
      ["data:text/html;charset=utf-8,%3Cp%3E#x", "text/html;charset=utf-8", "<p>"],
      ["data:;base64,aGVs bG8=", "text/plain;charset=US-ASCII", "hello"],
      ["data:application/json,{}", "application/json", "{}"],
    ]) {
      const response = await fetch(url);
      same([response.status, response.statusText, response.type], [200, "OK", "basic"], url);
      equal(response.headers.get("content-type"), type);
      equal(response.url, url.replace("#x", "").replace(" ", " "));
      equal(await response.text(), text);
    }
    equal((await fetch("data:,x", { method: "HEAD" })).body, null);
    equal(await (await fetch("data:,x", { method: "POST", body: "y" })).text(), "x");
    await rejects(TypeError, fetch("data:no-comma"));
    await rejects(TypeError, fetch("data:;base64,!"));
  },
  async "a response's headers cannot be changed"() {
    const { headers } = await fetch("data:,x");
    try {
      headers.set("a", "b");
    } catch (error) {
      equal(error.name, "TypeError");
      return;
    }
    ok(false, "they were");
  },
  async "a response is what its integrity says, or an error"() {
    const get = async (integrity, url = "data:,hello") => (await fetch(url, { integrity })).text();
    const sha256 = "sha256-LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    const sha384 = "sha384-WeF0h3dEjGnea4ANejO7+5/xtGPkQ1TDVTvNucZm+pASWjx5+QOXvfX2oT3oKGhP";
    for (const good of [
      "", sha256, `${sha256}?option`, `\n${sha256.replace("+", "-").replace("=", "")} `, sha256.replace("sha", "SHA"),
      `sha256-x ${sha256}`, sha384, `sha256-x ${sha384}`, "md5-x", "sha1-x", "nonsense", "sha256x-y",
    ]) {
      equal(await get(good), "hello", good);
    }
    for (const bad of ["sha256-x", "sha256", "sha512-", `sha512-x ${sha256}`, `${sha256} sha384-x`]) {
      await rejects(TypeError, get(bad));
    }
    await rejects(TypeError, get(sha256, "data:,other"));
    await rejects(TypeError, get(sha384, "data:,hello!"));
    const request = new Request("data:,other", { integrity: sha256 });
    await rejects(TypeError, fetch(request));
  },
  async "an aborted signal comes first"() {
    const reason = { own: true };
    for (const url of ["http://a.example", "data:,x"]) {
      const error = await fetch(url, { signal: AbortSignal.abort(reason) }).catch((error) => error);
      equal(error, reason);
    }
    let cancelled;
    const body = new ReadableStream({ cancel: (why) => void (cancelled = why) });
    const init = { method: "POST", body, duplex: "half", signal: AbortSignal.abort(reason) };
    equal(await fetch("http://a.example", init).catch((error) => error), reason);
    equal(cancelled, reason);
    equal((await fetch(new Request("http://a.example", { signal: AbortSignal.abort() })).catch((error) => error)).name, "AbortError");
  },
  async "patches of an app change nothing"() {
    const saved = [Promise.prototype.then, globalThis.Request, Array.prototype[Symbol.iterator]];
    const never = () => {
      throw new Error("an app's patch was called by the platform");
    };
    globalThis.Request = never;
    Array.prototype[Symbol.iterator] = never;
    let response;
    try {
      Promise.prototype.then = never;
      const promise = fetch("data:,x");
      Promise.prototype.then = saved[0];
      response = await promise;
    } finally {
      Promise.prototype.then = saved[0];
      globalThis.Request = saved[1];
      Array.prototype[Symbol.iterator] = saved[2];
    }
    equal(response.status, 200);
  },
};
