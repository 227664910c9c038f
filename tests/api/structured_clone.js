// HTML §2.7.
import { equal, ok, rejects, same, throws } from "./assert.js";

export const tests = {
  "values of every serialisable kind are copied"() {
    const source = {
      text: "x", number: -0, big: 10n, nothing: null, missing: undefined, list: [1, , 3], date: new Date(5),
      pattern: /a/gi, map: new Map([[{}, 1]]), set: new Set(["a"]), bytes: new Uint16Array([1, 2]), boxed: new Number(3),
    };
    const copy = structuredClone(source);
    ok(copy !== source && copy.list !== source.list);
    same([copy.text, copy.number, copy.big, copy.nothing, copy.missing], ["x", -0, 10n, null, undefined]);
    ok(!(1 in copy.list) && copy.list.length === 3);
    equal(copy.date.getTime(), 5);
    equal(String(copy.pattern), "/a/gi");
    same([...copy.map.values()], [1]);
    ok(copy.set.has("a"));
    same([...copy.bytes], [1, 2]);
    equal(copy.boxed.valueOf(), 3);
  },
  "errors keep name, message and cause"() {
    const copy = structuredClone(new RangeError("x", { cause: [1] }));
    ok(copy instanceof RangeError);
    equal(copy.message, "x");
    same(copy.cause, [1]);
  },
  "exceptions of the platform are copied"() {
    const [copy, quota] = structuredClone([
      new DOMException("m", "AbortError"), new QuotaExceededError("q", { quota: 1, requested: 2 }),
    ]);
    ok(copy instanceof DOMException && Error.isError(copy));
    same([copy.name, copy.message, copy.code, typeof copy.stack], ["AbortError", "m", 20, "string"]);
    ok(quota instanceof QuotaExceededError);
    same([quota.message, quota.quota, quota.requested], ["q", 1, 2]);
  },
  "WebAssembly modules are copied, their memory is not"() {
    const module = new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    const copy = structuredClone([module])[0];
    ok(copy instanceof WebAssembly.Module && copy !== module);
    const memory = new WebAssembly.Memory({ initial: 1 });
    throws("DataCloneError", () => structuredClone(memory));
    throws(TypeError, () => structuredClone(1, { transfer: [memory.buffer] }));
    const shared = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    for (const value of [shared, shared.buffer]) throws("DataCloneError", () => structuredClone(value));
    throws("DataCloneError", () => structuredClone(1, { transfer: [shared.buffer] }));
  },
  "resizable buffers stay so"() {
    const buffer = new ArrayBuffer(2, { maxByteLength: 8 });
    const view = new Uint8Array(buffer);
    const copy = structuredClone(view);
    ok(copy.buffer.resizable);
    copy.buffer.resize(4);
    same([copy.length, view.length, copy.buffer.maxByteLength], [4, 2, 8]);
    const moved = structuredClone(view, { transfer: [buffer] });
    ok(moved.buffer.resizable && buffer.detached);
    moved.buffer.resize(8);
    equal(moved.length, 8);
  },
  "a buffer that is gone before its turn is not transferred"() {
    const buffer = new ArrayBuffer(1);
    const value = {
      get x() {
        structuredClone(buffer, { transfer: [buffer] });
        return 1;
      },
    };
    throws("DataCloneError", () => structuredClone(value, { transfer: [buffer] }));
  },
  async "blobs, files and keys are copied"() {
    const blob = new Blob(["abc"], { type: "text/x" });
    const file = new File(["d"], "f.txt", { type: "text/y", lastModified: 7 });
    const key = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
    const copy = structuredClone({ blob, file, key, again: [blob] });
    ok(copy.blob instanceof Blob && !(copy.blob instanceof File) && copy.blob !== blob);
    same([copy.blob.type, await copy.blob.text()], ["text/x", "abc"]);
    equal(copy.again[0], copy.blob);
    ok(copy.file instanceof File && copy.file !== file);
    const { name, type, lastModified } = copy.file;
    same([name, type, lastModified, await copy.file.text()], ["f.txt", "text/y", 7, "d"]);
    ok(copy.key !== key && !copy.key.extractable);
    same(copy.key.usages, ["sign", "verify"]);
    const signature = await crypto.subtle.sign("HMAC", key, new Uint8Array(1));
    ok(await crypto.subtle.verify("HMAC", copy.key, signature, new Uint8Array(1)));
  },
  "circles stay circles"() {
    const source = {};
    source.self = source;
    const copy = structuredClone(source);
    equal(copy.self, copy);
  },
  "what cannot be copied is a DataCloneError"() {
    throws("DataCloneError", () => structuredClone(() => {}));
    throws("DataCloneError", () => structuredClone({ a: Symbol("x") }));
    throws("DataCloneError", () => structuredClone(Promise.resolve()));
    throws("DataCloneError", () => structuredClone(new WeakMap()));
    throws(TypeError, () => structuredClone());
    class Place extends URL {}
    const objects = [
      new URL("http://x"), new Place("http://x"), new Headers(), new EventTarget(), crypto.subtle, new Response(""),
      new ReadableStream(), new AbortController().signal,
    ];
    for (const object of objects) throws("DataCloneError", () => structuredClone([object]));
  },
  "an object of an app's own class becomes a plain one"() {
    class Point {
      x = 1;
    }
    const copy = structuredClone({ point: new Point(), bare: Object.assign(Object.create(null), { y: 2 }) });
    same(copy, { point: { x: 1 }, bare: { y: 2 } });
    let asked = 0;
    const watching = new Proxy({}, { getPrototypeOf: () => (asked++, null) });
    same(structuredClone(Object.create(watching, { z: { value: 3, enumerable: true } })), { z: 3 });
    equal(asked, 0);
  },
  "an exception of a getter passes through"() {
    throws(RangeError, () =>
      structuredClone({
        get a() {
          throw new RangeError("x");
        },
      }),
    );
  },
  "buffers can be transferred"() {
    const { buffer } = new Uint8Array([1, 2]);
    const copy = structuredClone({ buffer }, { transfer: [buffer] });
    equal(buffer.byteLength, 0);
    same([...new Uint8Array(copy.buffer)], [1, 2]);
    throws("DataCloneError", () => structuredClone(1, { transfer: [buffer] }));
    throws("DataCloneError", () => structuredClone(1, { transfer: [{}] }));
    const twice = new ArrayBuffer(1);
    throws("DataCloneError", () => structuredClone(1, { transfer: [twice, twice] }));
    equal(twice.byteLength, 1);
  },
  async "a readable stream is transferred, and its chunks are cloned"() {
    const chunk = { a: [1] };
    const stream = ReadableStream.from([chunk, "b"]);
    const copy = structuredClone({ stream }, { transfer: [stream] }).stream;
    ok(stream.locked && copy instanceof ReadableStream && copy !== stream);
    const reader = copy.getReader();
    const first = (await reader.read()).value;
    same(first, chunk);
    ok(first !== chunk);
    equal((await reader.read()).value, "b");
    equal((await reader.read()).done, true);
  },
  async "no chunk is asked for that nobody reads"() {
    let pulls = 0;
    const stream = new ReadableStream({ pull: (controller) => controller.enqueue(pulls++) }, { highWaterMark: 0 });
    const copy = structuredClone(stream, { transfer: [stream] });
    await scheduler.wait(5);
    ok(pulls <= 1, `${pulls} pulls`);
    await copy.cancel();
  },
  async "what ends a transferred stream ends both"() {
    let reason;
    const cancelled = new ReadableStream({ cancel: (why) => (reason = why) });
    await structuredClone(cancelled, { transfer: [cancelled] }).cancel("enough");
    equal(reason, "enough");
    const failed = new ReadableStream({ start: (controller) => controller.error(new RangeError("x")) });
    await rejects(RangeError, structuredClone(failed, { transfer: [failed] }).getReader().read());
    const strange = new ReadableStream({ start: (controller) => controller.enqueue(() => {}), cancel: (why) => (reason = why) });
    await rejects("DataCloneError", structuredClone(strange, { transfer: [strange] }).getReader().read());
    await scheduler.wait(5);
    equal(reason.name, "DataCloneError");
  },
  async "a writable stream and a transform are transferred"() {
    const written = [];
    const sink = new WritableStream({ write: (chunk) => void written.push(chunk), close: () => void written.push("end") });
    const writer = structuredClone(sink, { transfer: [sink] }).getWriter();
    await writer.write(new Map([[1, 2]]));
    await writer.close();
    ok(sink.locked);
    equal(written[0].get(1), 2);
    equal(written[1], "end");

    const double = new TransformStream({ transform: (chunk, controller) => controller.enqueue(chunk * 2) });
    const copy = structuredClone(double, { transfer: [double] });
    ok(copy instanceof TransformStream && double.readable.locked && double.writable.locked);
    const results = [];
    for await (const value of ReadableStream.from([1, 2, 3]).pipeThrough(copy)) results.push(value);
    same(results, [2, 4, 6]);
  },
  async "a locked stream is not transferred, nor a transform with a side of it"() {
    const stream = new ReadableStream();
    stream.getReader();
    throws("DataCloneError", () => structuredClone(stream, { transfer: [stream] }));
    throws("DataCloneError", () => structuredClone(new ReadableStream()));
    for (const side of ["readable", "writable"]) {
      const transform = new TransformStream();
      for (const transfer of [[transform, transform[side]], [transform[side], transform]]) {
        throws("DataCloneError", () => structuredClone(null, { transfer }));
      }
    }
  },
  async "a stream goes through a port"() {
    const { port1, port2 } = new MessageChannel();
    const stream = ReadableStream.from(["x"]);
    port1.postMessage({ stream }, [stream]);
    const { data, ports } = await new Promise((resolve) => (port2.onmessage = resolve));
    equal(ports.length, 0);
    equal((await data.stream.getReader().read()).value, "x");
    port1.close();
  },
};
