// IdentityTransformStream and FixedLengthStream, as Workers have them.
import { equal, ok, rejects, same, throws } from "./assert.js";

async function through(stream, ...chunks) {
  const writer = stream.writable.getWriter();
  const writing = (async () => {
    for (const chunk of chunks) await writer.write(chunk);
    await writer.close();
  })();
  const bytes = new Response(stream.readable).bytes();
  await writing;
  return [...(await bytes)];
}

export const tests = {
  async "what is written is read"() {
    const shared = new Uint8Array([1, 2, 3]);
    same(await through(new IdentityTransformStream(), shared, new Uint8Array([4]).buffer, new DataView(shared.buffer, 1)), [1, 2, 3, 4, 2, 3]);
    ok(new FixedLengthStream(1) instanceof IdentityTransformStream);
    ok(new IdentityTransformStream() instanceof TransformStream);
  },
  async "readers may bring their own buffers"() {
    const { readable, writable } = new IdentityTransformStream();
    const reader = readable.getReader({ mode: "byob" });
    const writer = writable.getWriter();
    const written = [new Uint8Array([1, 2, 3]), new Uint8Array(0), new Uint8Array([4])].map((chunk) => writer.write(chunk));
    same([...(await reader.read(new Uint8Array(2))).value], [1, 2]);
    same([...(await reader.read(new Uint8Array(2), { min: 2 })).value], [3, 4]);
    await Promise.all([...written, writer.close()]);
    const { done, value } = await reader.read(new Uint8Array(2));
    ok(done && value.length === 0);
  },
  async "a write waits for its reader"() {
    const { readable, writable } = new IdentityTransformStream();
    const writer = writable.getWriter();
    let isWritten = false;
    const written = writer.write(new Uint8Array([1])).then(() => (isWritten = true));
    await scheduler.wait(5);
    equal(isWritten, false);
    await readable.getReader().read();
    await written;
  },
  async "nothing but bytes"() {
    const { readable, writable } = new IdentityTransformStream();
    const reading = readable.getReader().read();
    const writer = writable.getWriter();
    writer.closed.catch(() => undefined);
    await rejects(TypeError, writer.write("text"));
    await rejects(TypeError, reading);
  },
  async "a fixed length is neither more nor less"() {
    same(await through(new FixedLengthStream(3), new Uint8Array([1, 2]), new Uint8Array([3])), [1, 2, 3]);
    same(await through(new FixedLengthStream(0n)), []);
    for (const chunks of [[new Uint8Array(2)], [new Uint8Array(2), new Uint8Array(2)]]) {
      const stream = new FixedLengthStream(3);
      const read = new Response(stream.readable).bytes();
      const writer = stream.writable.getWriter();
      writer.closed.catch(() => undefined);
      chunks.forEach((chunk) => writer.write(chunk).catch(() => undefined));
      writer.close().catch(() => undefined);
      await rejects(TypeError, read);
    }
  },
  "lengths that are none"() {
    for (const bad of [-1, 1.5, NaN, Infinity, "x", 2n ** 60n, undefined]) throws(TypeError, () => new FixedLengthStream(bad));
    throws(TypeError, () => new FixedLengthStream());
    equal(FixedLengthStream.length, 1);
  },
};
