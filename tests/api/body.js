// Fetch Standard §5.2: the Body mixin, by way of Response, and of Request where they differ.
import { equal, ok, rejects, same, throws } from "./assert.js";

const stream = (...chunks) =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
const utf8 = new TextEncoder();

export const tests = {
  async "a body reads as text, JSON and bytes"() {
    equal(await new Response("häh").text(), "häh");
    same(await new Response('{"a":[1]}').json(), { a: [1] });
    same([...(await new Response("ä").bytes())], [0xc3, 0xa4]);
    const buffer = await new Response("abc").arrayBuffer();
    ok(buffer instanceof ArrayBuffer);
    equal(buffer.byteLength, 3);
    await rejects(SyntaxError, new Response("{").json());
  },
  async "a body reads as a stream of text"() {
    const textOf = async (body) => (await Array.fromAsync(new Response(body).textStream())).join("|");
    equal(await textOf("h\u00e4h"), "h\u00e4h");
    // A character that is cut in two, and half a one at the end.
    equal(await textOf(stream(new Uint8Array([0xef, 0xbb, 0xbf, 0x61, 0xc3]), new Uint8Array([0xa4, 0xc3]))), "a|\u00e4|\ufffd");
    equal(await textOf(null), "");
    const response = new Response("x");
    const text = response.textStream();
    ok(response.bodyUsed && response.body.locked);
    throws(TypeError, () => response.textStream());
    equal((await Array.fromAsync(text)).join(), "x");
    throws(TypeError, () => Response.prototype.textStream.call({}));
    await rejects(TypeError, textOf(stream("no bytes")));
    const failing = new ReadableStream({ pull: () => Promise.reject(new RangeError("broken")) });
    await rejects(RangeError, textOf(failing));
    const cancelled = await new Promise((resolve) => {
      new Response(new ReadableStream({ cancel: resolve })).textStream().cancel("enough");
    });
    equal(cancelled, "enough");
  },
  async "no body reads as nothing"() {
    equal(new Response().body, null);
    equal(await new Response().text(), "");
    equal((await new Response(null).bytes()).length, 0);
    const response = new Response();
    await response.text();
    equal(await response.text(), "");
    ok(!response.bodyUsed);
  },
  async "a body is read once"() {
    const response = new Response("x");
    ok(!response.bodyUsed);
    const first = response.text();
    ok(response.bodyUsed);
    await rejects(TypeError, response.text());
    equal(await first, "x");
    throws(TypeError, () => response.clone());
    ok(response.body.locked);
    throws(TypeError, () => response.body.getReader());
    await rejects(TypeError, new Response(response.body === null ? null : "x", null).text.call({}));
  },
  async "an object of another kind is refused by rejection"() {
    await rejects(TypeError, Response.prototype.text.call({}));
    await rejects(TypeError, Request.prototype.json.call(new Response("1")));
  },
  async "bytes are copied when the body is made"() {
    const bytes = utf8.encode("abc");
    const response = new Response(bytes.subarray(1));
    bytes[1] = 0;
    equal(await response.text(), "bc");
    equal(await new Response(utf8.encode("xyz").buffer).text(), "xyz");
    equal(await new Response(new DataView(utf8.encode("xyz").buffer, 2)).text(), "z");
  },
  async "the byte order mark is dropped"() {
    equal(await new Response("\ufeffa").text(), "a");
    equal(await new Response(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])).text(), "a");
    equal((await new Response("\ufeffa").bytes()).length, 4);
  },
  "the content type follows from the body"() {
    const type = (body) => new Response(body).headers.get("content-type");
    equal(type("x"), "text/plain;charset=UTF-8");
    equal(type(new URLSearchParams("a=b")), "application/x-www-form-urlencoded;charset=UTF-8");
    equal(type(new Uint8Array(1)), null);
    equal(type(stream()), null);
    equal(new Response("x", { headers: { "content-type": "a/b" } }).headers.get("content-type"), "a/b");
  },
  async "form data go out encoded"() {
    equal(await new Response(new URLSearchParams({ a: "b c" })).text(), "a=b+c");
  },
  async "a stream is a body, in chunks of bytes alone"() {
    equal(await new Response(stream(utf8.encode("a"), utf8.encode("bc"))).text(), "abc");
    await rejects(TypeError, new Response(stream("text")).text());
    await rejects(RangeError, new Response(new ReadableStream({ start: (c) => c.error(new RangeError("x")) })).text());
    const locked = stream();
    locked.getReader();
    throws(TypeError, () => new Response(locked));
  },
  async "a body is a stream"() {
    const response = new Response("abc");
    const reader = response.body.getReader();
    await rejects(TypeError, response.text());
    const { value, done } = await reader.read();
    ok(!done && value instanceof Uint8Array);
    equal(new TextDecoder().decode(value), "abc");
    ok((await reader.read()).done);
    ok(response.bodyUsed);
    equal(response.body, response.body);
    await new Response("").body.cancel();
  },
  async "a clone has the body too"() {
    const text = new Response("abc");
    const copy = text.clone();
    same([await text.text(), await copy.text()], ["abc", "abc"]);
    const bytes = new Response(utf8.encode("abc"));
    const other = bytes.clone();
    (await bytes.bytes())[0] = 0;
    equal(await other.text(), "abc");
    const streamed = new Response(stream(utf8.encode("abc"), utf8.encode("def")));
    const branch = streamed.clone();
    same([await branch.text(), await streamed.text()], ["abcdef", "abcdef"]);
  },
  async "a body that has failed already is refused at once"() {
    const log = [];
    const response = new Response(new ReadableStream({ start: (controller) => controller.error(new RangeError("x")) }));
    const refused = response.text().catch((error) => log.push(error.name));
    await Promise.resolve().then(() => log.push("later"));
    await refused;
    same(log, ["RangeError", "later"]);
  },
  async "a clone has copies of whatever chunks there are"() {
    const chunks = [new Uint8Array([1]), new Int16Array([2]), new ArrayBuffer(3), { a: [4] }, "5"];
    const response = new Response(stream(...chunks));
    const reader = response.clone().body.getReader();
    for (const chunk of chunks) {
      const { value } = await reader.read();
      ok(value !== chunk || typeof chunk === "string");
      equal(Object.prototype.toString.call(value), Object.prototype.toString.call(chunk));
    }
    equal((await response.body.getReader().read()).value, chunks[0]);
    const mute = new Response(stream(() => {}));
    const other = mute.clone();
    await rejects("DataCloneError", other.body.getReader().read());
    await rejects("DataCloneError", mute.body.getReader().read());
  },
  async "a blob is a body"() {
    const response = new Response(new Blob(["ab", "c"], { type: "Text/Html" }));
    equal(response.headers.get("content-type"), "text/html");
    equal(await response.clone().text(), "abc");
    const copy = await response.blob();
    same([copy.type, copy.size, copy instanceof File], ["text/html", 3, false]);
    equal(new Response(new Blob(["x"])).headers.get("content-type"), null);
    ok(response.bodyUsed);
    await rejects(TypeError, response.blob());
    const large = new Response(new Blob([new Uint8Array(2 << 20).fill(1), "end"]));
    equal(await (await large.clone().blob()).slice(-3).text(), "end");
    const whole = await large.clone().bytes();
    equal(whole.length, (2 << 20) + 3);
    whole[0] = 0;
    let length = 0;
    for await (const chunk of large.clone().body) length += chunk.length;
    equal(length, whole.length);
    equal((await large.bytes())[0], 1);
  },
  async "a body reads as a blob of its type"() {
    const blob = async (body, type) => {
      const headers = type === undefined ? {} : { "content-type": type };
      return (await new Response(body, { headers }).blob()).type;
    };
    equal(await blob("x"), "text/plain;charset=UTF-8");
    equal(await blob(new Uint8Array(1)), "");
    equal(await blob(null, "TEXT/html;;A=B"), "text/html;a=B");
    equal(await blob("x", "nonsense"), "");
    equal(await blob("x", "a/b, c/d"), "c/d");
    equal((await new Response().blob()).size, 0);
    equal(await (await new Response(stream(utf8.encode("a"), utf8.encode("b"))).blob()).text(), "ab");
    await rejects(TypeError, Response.prototype.blob.call({}));
    await rejects(TypeError, Response.prototype.formData.call({}));
  },
  async "a long queue of chunks is no deep recursion"() {
    const chunk = utf8.encode("x");
    equal((await new Response(stream(...new Array(20000).fill(chunk))).text()).length, 20000);
  },
  async "a detached buffer has no bytes"() {
    const view = new Uint8Array(8);
    structuredClone(null, { transfer: [view.buffer] });
    for (const body of [view, view.buffer]) equal(await new Response(body).text(), "");
  },
};
