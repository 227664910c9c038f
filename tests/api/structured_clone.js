// HTML §2.7.
import { equal, ok, same, throws } from "./assert.js";

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
};
