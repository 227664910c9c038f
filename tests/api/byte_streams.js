// Streams Standard §4.5, §4.7, §4.8: byte streams, which all bodies are.
import { equal, ok, rejects, same, throws } from "./assert.js";

const bytes = (...values) => new Uint8Array(values);
const list = (view) => [...new Uint8Array(view.buffer, view.byteOffset, view.byteLength)];

/** A stream that has all of `chunks` from the start. */
const full = (...chunks) =>
  new ReadableStream({
    type: "bytes",
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });

export const tests = {
  async "a read fills the buffer it brings, and takes it away"() {
    const reader = full(bytes(1, 2), bytes(3)).getReader({ mode: "byob" });
    const mine = new Uint8Array(8);
    const { value, done } = await reader.read(mine);
    ok(!done);
    same(list(value), [1, 2, 3]);
    equal(value.buffer.byteLength, 8);
    equal(mine.byteLength, 0);
    const end = await reader.read(value);
    ok(end.done);
    equal(end.value.byteLength, 0);
    await reader.closed;
  },
  async "min waits for that many elements"() {
    const reader = full(bytes(1, 2, 3), bytes(4, 5), bytes(6, 7, 8)).getReader({ mode: "byob" });
    const { value } = await reader.read(new Uint16Array(4), { min: 3 });
    ok(value instanceof Uint16Array);
    same(list(value), [1, 2, 3, 4, 5, 6, 7, 8]);
    await rejects(TypeError, reader.read(new Uint8Array(1), { min: 0 }));
    await rejects(RangeError, reader.read(new Uint8Array(1), { min: 2 }));
  },
  async "views of every kind come back as they are"() {
    const kinds = [
      Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float16Array,
      Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView,
    ];
    for (const View of kinds) {
      const reader = full(new Uint8Array(8)).getReader({ mode: "byob" });
      const { value } = await reader.read(new View(new ArrayBuffer(16), 8));
      equal(value.constructor, View);
      equal(value.byteLength, 8);
      equal(value.byteOffset, 8);
    }
  },
  async "a source writes into the reader's buffer"() {
    const stream = new ReadableStream({
      type: "bytes",
      pull(controller) {
        const { view } = controller.byobRequest;
        view[0] = 7;
        controller.byobRequest.respond(1);
      },
    });
    equal((await stream.getReader({ mode: "byob" }).read(new Uint8Array(4))).value[0], 7);
  },
  async "autoAllocateChunkSize gives a source buffers for plain readers"() {
    const sizes = [];
    const stream = new ReadableStream({
      type: "bytes",
      autoAllocateChunkSize: 16,
      pull(controller) {
        sizes.push(controller.byobRequest.view.byteLength);
        controller.byobRequest.respond(2);
      },
    });
    equal((await stream.getReader().read()).value.byteLength, 2);
    same(sizes, [16]);
    throws(TypeError, () => new ReadableStream({ type: "bytes", autoAllocateChunkSize: 0 }));
  },
  async "both branches of a tee may be read with buffers"() {
    const [a, b] = full(bytes(1, 2, 3)).tee();
    const first = await a.getReader({ mode: "byob" }).read(new Uint8Array(2));
    same(list(first.value), [1, 2]);
    const second = await b.getReader().read();
    ok(second.value.buffer !== first.value.buffer);
    ok(second.value.byteLength > 0);
  },
  async "bodies are byte streams"() {
    const bodies = [
      new Response("hello").body, new Request("http://a.test/", { method: "POST", body: "hello" }).body,
      new Blob(["hello"]).stream(), new Response(new Blob(["he", "llo"])).clone().body,
    ];
    for (const body of bodies) {
      const reader = body.getReader({ mode: "byob" });
      const { value } = await reader.read(new Uint8Array(2));
      equal(new TextDecoder().decode(value), "he");
      const rest = await reader.read(new Uint8Array(8), { min: 3 });
      equal(new TextDecoder().decode(rest.value), "llo");
      ok((await reader.read(new Uint8Array(1))).done);
    }
  },
  async "what does not fit is refused"() {
    throws(TypeError, () => new ReadableStream().getReader({ mode: "byob" }));
    throws(TypeError, () => new ReadableStreamBYOBReader(new ReadableStream()));
    throws(RangeError, () => new ReadableStream({ type: "bytes" }, { size: () => 1 }));
    throws(TypeError, () => new ReadableByteStreamController());
    throws(TypeError, () => new ReadableStreamBYOBRequest());
    await rejects(TypeError, full().getReader({ mode: "byob" }).read(new ArrayBuffer(1)));
    await rejects(TypeError, full().getReader({ mode: "byob" }).read(new Uint8Array(0)));
    const memory = new WebAssembly.Memory({ initial: 1 });
    await rejects(TypeError, full(bytes(1)).getReader({ mode: "byob" }).read(new Uint8Array(memory.buffer)));
    new ReadableStream({
      type: "bytes",
      start(controller) {
        throws(TypeError, () => controller.enqueue(bytes()));
        throws(TypeError, () => controller.enqueue("text"));
        equal(controller.byobRequest, null);
        controller.close();
        throws(TypeError, () => controller.enqueue(bytes(1)));
      },
    });
  },
};
