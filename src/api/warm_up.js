"use strict";
// Requests that nobody sent, answered in a context that is thrown away, while the snapshot is made: V8 compiles a function
// when it is first called, and what has been compiled here, no isolate needs to compile before its first answer. It is
// what nearly every app does with a request; whatever is rare had better cost memory only where it is used. The platform's
// parts are left alone for the same reason.

(function (nano) {
  const { ops, entry } = nano;
  const text = "key=value";

  // There is no worker to turn to: these say what it might.
  const headers = ["accept", "*/*", "content-length", "9", "content-type", "text/plain", "host", "example.com"];
  const chunks = [];
  const bytes = () => new Uint8Array([123, 125]);
  const natives = {
    request_method: () => "POST",
    request_url: () => "http://example.com/path?key=value",
    request_headers: () => headers,
    request_header: () => null,
    request_has_body: () => true,
    request_read: () => chunks.pop(),
    request_text: () => chunks.pop(),
    respond: () => undefined,
    fail: () => undefined,
    fail_exception: () => undefined,
    wait_until: () => undefined,
    finished: () => undefined,
    form_encode: (text) => text,
    now: () => 0,
    timer_start: () => 1,
    timer_cancel: () => undefined,
    utf8_decode: () => "{}",
    utf8_encode: () => bytes().buffer,
  };
  for (const name in natives) ops[name] = natives[name];

  // So few that V8 does not take any of this for hot, and compile it for good in every isolate.
  const handlers = [
    (request) => new Response(text, { status: 201, headers: { "content-type": "text/plain", "x-method": request.method } }),
    async (request, env, context) => {
      context.waitUntil(new Promise((done) => setTimeout(done, 1)));
      const url = new URL(request.url);
      const found = { path: url.pathname, key: url.searchParams.get("key"), accept: request.headers.get("accept") };
      return Response.json({ found, sent: await request.json() }, { headers: new Headers([["x-env", env.NAME]]) });
    },
    async (request) => new Response(new TextEncoder().encode(await request.text())),
    async (request) => {
      const { url, headers } = request;
      for (const [name, value] of headers) if (name === value) throw new Error(url);
      clearTimeout(setTimeout(() => undefined, 1));
      return new Response(await request.arrayBuffer(), { headers: { "cache-control": "no-store" } });
    },
    () => {
      throw new Error(text);
    },
  ];
  let token = 0;
  entry.install({ default: { fetch: (request, env, context) => handlers[token - 1](request, env, context) } }, { NAME: text });
  while (token < handlers.length) {
    chunks.push(bytes());
    entry.fetch(++token);
  }
});
