// What the web platform's most used parts cost, timed by themselves: `/` lists the rows, `/?row=NAME&ms=TIME` gives one's
// nanoseconds an operation. The same module in nano, Deno, Bun and Node.

/** About 1 KB of UTF-8 that is ASCII, is of one byte a character in V8 and JavaScriptCore, and is neither. */
const ascii = '{"id":7,"name":"a thing","tags":["one","two"],"text":"lorem ipsum dolor sit amet"}\n'.repeat(13).slice(0, 1024);
const latin = "Größe, Übermaß, façade, déjà vu, señor, crème brûlée. ".repeat(17).slice(0, 900);
const mixed = "日本語のテキスト, кириллица, emoji 🎉 and plain words. ".repeat(15).slice(0, 640);
const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** A string in one piece, as one that came in would be. */
const flat = (text) => decoder.decode(encoder.encode(text));
const million = (text) => flat(text.repeat(Math.ceil(2 ** 20 / encoder.encode(text).length)));
const texts = { ASCII: flat(ascii), Latin: flat(latin), "non-ASCII": flat(mixed) };
const room = new Uint8Array(4096);

const urls = [
  "https://api.example.com/v1/users/1234/orders?page=2&sort=desc",
  "https://user:secret@example.com:8443/a/b/../c?x=%20y#top",
  "http://localhost:8080/",
  "https://www.example.org/blog/2026/11/some-article-title/?utm_source=feed",
];
const queries = ["page=2&sort=desc&limit=50", "q=hello+world&lang=en", "a=1&b=2&c=%E2%9C%93&d=4"];
const fields = {
  accept: "application/json", "content-type": "application/json; charset=utf-8", "cache-control": "no-store",
  "X-Request-Id": "0190f5a4-6b5e-7c6a-9d3e-5b1f0c7a2e11", authorization: "Bearer abcdefghijklmnopqrstuvwxyz",
};
const headers = new Headers(fields);
const thing = {
  id: 7, name: "a thing", active: true, price: 12.5, created: new Date(0), tags: ["one", "two", "three"],
  owner: { id: 1, name: "somebody", mail: "somebody@example.com" },
  lines: Array.from({ length: 10 }, (_, i) => ({ sku: `sku-${i}`, count: i, price: i * 1.25 })),
};
const json = JSON.stringify(thing);
const plain = JSON.parse(json);
const binary = String.fromCharCode(...Array.from({ length: 1024 }, (_, i) => (i * 7) & 0xff));
const base64 = btoa(binary);
const pattern = new URLPattern({ pathname: "/v1/users/:user/orders/:order" });
const paths = ["https://api.example.com/v1/users/12/orders/34?x=1", "https://api.example.com/v1/users/56/orders/78"];

let heard = 0;
const target = new EventTarget();
target.addEventListener("ping", () => heard++);

/** Each gives a number that depends on what it did, so that nothing can be left out. */
const rows = {
  "new URL": (i) => new URL(urls[i & 3]).href.length,
  "new URL, parts read": (i) => {
    const url = new URL(urls[i & 3]);
    return url.hostname.length + url.pathname.length + url.search.length;
  },
  "new URL with a base": (i) => new URL("../c/d?e=f", urls[i & 3]).href.length,
  "URL searchParams.get": (i) => new URL(urls[i & 3]).searchParams.get("page")?.length ?? 0,
  "new URLSearchParams": (i) => new URLSearchParams(queries[i % 3]).size,
  "URLSearchParams to text": (i) => {
    const params = new URLSearchParams();
    params.append("page", `${i & 15}`);
    params.append("q", "hello world");
    return params.toString().length;
  },
  "new Headers": () => (new Headers(fields).has("accept") ? 1 : 0),
  "Headers.get": (i) => headers.get(i & 1 ? "content-type" : "X-Request-Id").length,
  "Headers.set": (i) => {
    headers.set("cache-control", i & 1 ? "no-cache" : "no-store");
    return i;
  },
  "Headers, iterated": () => {
    let length = 0;
    for (const [name, value] of headers) length += name.length + value.length;
    return length;
  },
};

for (const [kind, text] of Object.entries(texts)) {
  for (const [size, value] of [["1 KB", text], ["1 MB", million(text)]]) {
    const bytes = encoder.encode(value);
    rows[`encode ${size} ${kind}`] = () => encoder.encode(value).length;
    rows[`decode ${size} ${kind}`] = () => decoder.decode(bytes).length;
  }
  rows[`encodeInto 1 KB ${kind}`] = () => encoder.encodeInto(text, room).written;
}

Object.assign(rows, {
  "new Response": (i) => new Response("hello", { status: 200 + (i & 1), headers: { "x-a": "b" } }).status,
  "Response.json": (i) => Response.json(plain).status + i,
  "Response.json, json()": async () => (await Response.json(plain).json()).id,
  "Response, text()": async () => (await new Response(texts.ASCII).text()).length,
  "new Request": (i) => new Request(urls[(i & 1) * 2], { method: "POST", body: "{}", headers: fields }).url.length,
  "Request, json()": async () => (await new Request(urls[0], { method: "POST", body: json }).json()).id,
  "structuredClone, plain": () => structuredClone(plain).id,
  "structuredClone, a Date": () => structuredClone(thing).id,
  "structuredClone, text": () => structuredClone(texts.ASCII).length,
  "1000 chunks transformed": async () => {
    let left = 1000;
    const source = new ReadableStream({
      pull(controller) {
        if (left-- > 0) controller.enqueue(left);
        else controller.close();
      },
    });
    const doubled = source.pipeThrough(new TransformStream({
      transform(chunk, controller) {
        controller.enqueue(chunk * 2);
      },
    }));
    let sum = 0;
    for await (const chunk of doubled) sum += chunk;
    return sum;
  },
  "1000 chunks read": async () => {
    let left = 1000;
    const reader = new ReadableStream({
      pull(controller) {
        if (left-- > 0) controller.enqueue(left);
        else controller.close();
      },
    }).getReader();
    let sum = 0;
    for (let step = await reader.read(); !step.done; step = await reader.read()) sum += step.value;
    return sum;
  },
  "atob 1 KB": () => atob(base64).length,
  "btoa 1 KB": () => btoa(binary).length,
  "URLPattern.exec": (i) => pattern.exec(paths[i & 1]).pathname.groups.user.length,
  "URLPattern.test": (i) => (pattern.test(paths[i & 1]) ? 1 : 0),
  "crypto.randomUUID": () => crypto.randomUUID().length,
  "AbortController": () => {
    const controller = new AbortController();
    let seen = 0;
    controller.signal.addEventListener("abort", () => seen++);
    controller.abort();
    return seen;
  },
  "EventTarget": (i) => (target.dispatchEvent(new Event(i & 1 ? "ping" : "pong")) ? heard : 0),
});

/** What rows gave: kept, and told. */
let sum = 0;

/** Milliseconds of so many operations. */
async function time(row, count) {
  const began = performance.now();
  for (let i = 0; i < count; i++) {
    const value = row(i);
    sum = (sum + (typeof value === "number" ? value : await value)) | 0;
  }
  return performance.now() - began;
}

/** Nanoseconds of an operation: the best of batches of 10 ms, so that what else the machine does is left out. */
async function measure(row, milliseconds) {
  let count = 1;
  let took;
  while ((took = await time(row, count)) < 10) count = Math.ceil(count * Math.min(10, 11 / Math.max(took, 0.1)));
  let best = Infinity;
  for (const end = performance.now() + milliseconds; performance.now() < end; ) best = Math.min(best, await time(row, count));
  return (best / count) * 1e6;
}

export default {
  async fetch(request) {
    const asked = new URL(request.url).searchParams;
    const row = asked.get("row");
    if (row === null) return Response.json(Object.keys(rows));
    return Response.json({ ns: await measure(rows[row], Number(asked.get("ms"))), sum });
  },
};
