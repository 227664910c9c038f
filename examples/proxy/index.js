// A reverse proxy: what comes in goes to UPSTREAM, what comes back goes out, both as streams. It says 502 where there is
// no answer, and 504 where there is none in time.

/** Fields about one connection, not about the message (RFC 9110 §7.6.1). */
const HOP_BY_HOP = [
  "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
  "transfer-encoding", "upgrade",
];

/** A copy of `headers` without what ends at this hop: the fields above, and those that Connection names. */
function endToEnd(headers) {
  const copy = new Headers(headers);
  for (const name of (headers.get("connection") ?? "").split(",")) {
    if (/^[\w-]+$/.test(name.trim())) copy.delete(name.trim());
  }
  for (const name of HOP_BY_HOP) copy.delete(name);
  return copy;
}

/** Where a request goes. Set part by part: a path such as `//evil.example` must not become a host. */
function upstreamUrl(request, base) {
  const from = new URL(request.url);
  const to = new URL(base);
  to.pathname = to.pathname.replace(/\/$/, "") + from.pathname;
  to.search = from.search;
  return to;
}

function requestHeaders(request) {
  const from = new URL(request.url);
  const headers = endToEnd(request.headers);
  headers.set("x-forwarded-host", from.host);
  headers.set("x-forwarded-proto", from.protocol.slice(0, -1));
  // What the client says of itself: nobody has checked it.
  headers.delete("forwarded");
  headers.delete("x-forwarded-for");
  return headers;
}

export default {
  async fetch(request, env) {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort("late"), env.TIMEOUT_MS ?? 10_000);
    try {
      const answer = await fetch(upstreamUrl(request, env.UPSTREAM), {
        method: request.method,
        headers: requestHeaders(request),
        body: request.body,
        duplex: "half",
        redirect: "manual", // the client's to follow
        signal: AbortSignal.any([request.signal, late.signal]),
      });
      const { status, statusText, headers } = answer;
      return new Response(answer.body, { status, statusText, headers: endToEnd(headers) });
    } catch (error) {
      if (late.signal.aborted) return new Response("The upstream took too long.\n", { status: 504 });
      console.error("no answer from upstream:", error);
      return new Response("The upstream gave no answer.\n", { status: 502 });
    } finally {
      // The head is there: the body may take its time.
      clearTimeout(timer);
    }
  },
};
