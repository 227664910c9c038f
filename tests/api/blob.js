// File API §3, §4: Blob and File.
import { equal, ok, rejects, same, throws } from "./assert.js";

const utf8 = new TextEncoder();
const bytesOf = async (blob) => [...(await blob.bytes())];

export const tests = {
  async "a blob is its parts, one after the other"() {
    const bytes = utf8.encode("abcdef");
    const blob = new Blob(["ä", bytes, bytes.buffer, new DataView(bytes.buffer, 4), new Blob(["!"]), 12, null, {}]);
    equal(await blob.text(), "äabcdefabcdefef!12null[object Object]");
    equal(blob.size, 2 + 6 + 6 + 2 + 1 + 2 + 4 + 15);
    same([new Blob().size, new Blob(undefined, null).type], [0, ""]);
    equal(await new Blob(new Set(["a", "b"])).text(), "ab");
    equal(await new Blob(["\ud800", "\udc00"]).text(), "\ufffd\ufffd");
    for (const parts of [null, "text", 1, {}, new Date()]) throws(TypeError, () => new Blob(parts));
    throws(TypeError, () => Blob());
    throws(TypeError, () => new Blob([Symbol()]));
    const detached = new Uint8Array(8);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    equal(await new Blob(["a", detached, detached.buffer]).text(), "a");
  },
  async "its bytes are copied when it is made"() {
    const bytes = utf8.encode("abc");
    const small = new Blob([bytes]);
    const large = new Blob([bytes, new Uint8Array(10000)]);
    bytes[0] = 0;
    equal(await small.text(), "abc");
    equal((await large.bytes())[0], 0x61);
    (await small.bytes())[0] = 0;
    new Uint8Array(await small.arrayBuffer())[0] = 0;
    for await (const chunk of small.stream()) chunk[0] = 0;
    equal(await small.text(), "abc");
    ok((await small.bytes()).buffer !== (await small.bytes()).buffer);
  },
  async "it reads as a stream of text, as often as it is asked to"() {
    const blob = new Blob(["\ufeff\u00e4", "b"]);
    for (let i = 0; i < 2; i++) equal((await Array.fromAsync(blob.textStream())).join(""), "\u00e4b");
    equal((await Array.fromAsync(new Blob().textStream())).length, 0);
    throws(TypeError, () => Blob.prototype.textStream.call({}));
  },
  async "parts are converted before bytes are read, options by name"() {
    const order = [];
    const bytes = utf8.encode("a");
    const note = (name, value) => ({ toString: () => (order.push(name), value) });
    const parts = [bytes, note("part", "b")];
    const options = {
      get endings() {
        order.push("get endings");
        bytes[0] = 0x7a;
        return note("endings", "native");
      },
      get type() {
        order.push("get type");
        return note("type", "a/b");
      },
      get lastModified() {
        order.push("get lastModified");
        return 1;
      },
    };
    const file = new File(parts, note("name", "n"), options);
    same(order, ["part", "name", "get endings", "endings", "get type", "type", "get lastModified"]);
    equal(await file.text(), "zb");
    throws(TypeError, () => new Blob([], { endings: "CRLF" }));
    throws(TypeError, () => new Blob([], "options"));
  },
  async "line endings become the system's where asked for, in text alone"() {
    const parts = ["a\r\nb\rc\n", utf8.encode("\r\n"), "\r", "\n\r"];
    equal(await new Blob(parts).text(), "a\r\nb\rc\n\r\n\r\n\r");
    equal(await new Blob(parts, { endings: "native" }).text(), "a\nb\nc\n\r\n\n\n\n");
  },
  "a type is printable ASCII, in lower case"() {
    equal(new Blob([], { type: "TEXT/Plain; A=B" }).type, "text/plain; a=b");
    equal(new Blob([], { type: "te\txt/plain" }).type, "");
    equal(new Blob([], { type: "text/é" }).type, "");
    equal(new Blob([], { type: null }).type, "null");
    equal(new Blob(["x"], { type: "a/b" }).slice().type, "");
    equal(new Blob(["x"]).slice(0, 1, "A/B").type, "a/b");
  },
  async "a slice is a range, from the end if negative, clamped"() {
    const blob = new Blob(["abcdefgh"]);
    const cut = (...range) => blob.slice(...range).text();
    equal(await cut(), "abcdefgh");
    equal(await cut(2), "cdefgh");
    equal(await cut(-3, -1), "fg");
    equal(await cut(3, 2), "");
    equal(await cut(undefined, 2), "ab");
    equal(await cut(NaN, "3"), "abc");
    equal(await cut(-Infinity, Infinity), "abcdefgh");
    equal(await cut(0.5, 2.5), "ab");
    equal(await cut(1.5, 3.4999), "c");
    equal(await cut(2 ** 64), "");
    equal(await blob.slice(1, 7).slice(1, -1).text(), "cdef");
  },
  async "large blobs share bytes, in as many pieces as they have"() {
    const mebibyte = new Blob([new Uint8Array(1 << 20).fill(1)]);
    // 64 MiB, were they copied.
    const many = new Blob(new Array(64).fill(mebibyte.slice(5)));
    equal(many.size, 64 * ((1 << 20) - 5));
    const edge = many.slice((1 << 20) - 10, (1 << 20) + 10);
    equal((await edge.bytes()).length, 20);
    const marked = new Blob(["a", mebibyte, "b", mebibyte, "c"]);
    same(await bytesOf(marked.slice(0, 2)), [0x61, 1]);
    same(await bytesOf(marked.slice((1 << 20) - 1, (1 << 20) + 3)), [1, 1, 0x62, 1]);
    same(await bytesOf(marked.slice(-2)), [1, 0x63]);
  },
  async "a stream gives chunks that are not too large"() {
    const blob = new Blob(["a", new Uint8Array(100_000), "b"]);
    const lengths = [];
    let last;
    for await (const chunk of blob.stream()) {
      lengths.push(chunk.length);
      last = chunk.at(-1);
    }
    same(lengths, [65536, 100_002 - 65536]);
    equal(last, 0x62);
    const reader = blob.stream().getReader();
    const reads = await Promise.all([reader.read(), reader.read(), reader.read(), reader.read()]);
    same(reads.map((read) => read.value?.length ?? read.done), [65536, 100_002 - 65536, true, true]);
    ok((await new Blob().stream().getReader().read()).done);
    ok(blob.stream() !== blob.stream());
    await blob.stream().cancel();
  },
  async "text is UTF-8 without its byte order mark"() {
    equal(await new Blob(["\ufeffa"]).text(), "a");
    equal(await new Blob([new Uint8Array([0xff, 0x61])]).text(), "\ufffda");
  },
  async "other objects are refused"() {
    for (const name of ["text", "arrayBuffer", "bytes"]) await rejects(TypeError, Blob.prototype[name].call({}));
    for (const name of ["slice", "stream"]) throws(TypeError, () => Blob.prototype[name].call({}));
    throws(TypeError, () => Blob.prototype.size);
    throws(TypeError, () => File.prototype.name);
    throws(TypeError, () => Object.getOwnPropertyDescriptor(File.prototype, "name").get.call(new Blob()));
  },
  async "a file is a blob with name and time"() {
    const file = new File(["abc"], "a/\ud800.txt", { type: "A/B", lastModified: new Date(1234) });
    same([file.name, file.type, file.size, file.lastModified], ["a/\ufffd.txt", "a/b", 3, 1234]);
    ok(file instanceof Blob);
    ok(!(file.slice() instanceof File));
    ok(Math.abs(new File([], "").lastModified - Date.now()) < 10_000);
    throws(TypeError, () => new File([]));
    throws(TypeError, () => new File("a", "b"));
    const time = (lastModified) => new File([], "", { lastModified }).lastModified;
    same([time(1.9), time(-1.9), time("x"), time(Infinity), time(2 ** 64 + 4096)], [1, -1, 0, 0, 4096]);
    equal(time(2 ** 63), -(2 ** 63));
    ok(time(undefined) > 1e12);
  },
  "interfaces look as they should"() {
    same([Blob.length, File.length, Blob.prototype.slice.length], [0, 2, 0]);
    equal(String(new Blob()), "[object Blob]");
    equal(String(new File([], "")), "[object File]");
    equal(Object.getPrototypeOf(File), Blob);
    for (const key of ["size", "type", "slice", "stream", "text", "arrayBuffer", "bytes"]) {
      ok(Object.getOwnPropertyDescriptor(Blob.prototype, key).enumerable, key);
    }
    ok(!Object.getOwnPropertyDescriptor(globalThis, "Blob").enumerable);
    class Mine extends Blob {}
    equal(new Mine(["a"]).size, 1);
  },
};
