// Compression Standard.
import { equal, ok, rejects, same, throws } from "./assert.js";

const FORMATS = ["deflate", "deflate-raw", "gzip", "brotli"];
const bytesOf = (stream) => new Response(stream).bytes();
const through = (body, stream) => new Response(body).body.pipeThrough(stream);
const compress = (body, format) => bytesOf(through(body, new CompressionStream(format)));
const decompress = (body, format) => bytesOf(through(body, new DecompressionStream(format)));

export const tests = {
  async "what is compressed comes back"() {
    for (const format of FORMATS) {
      for (const text of ["", "a", "nano ".repeat(50_000)]) {
        const compressed = await compress(text, format);
        equal(new TextDecoder().decode(await decompress(compressed, format)), text, format);
        if (text.length > 100) ok(compressed.length < text.length / 50, format);
      }
    }
  },
  async "bytes that do not compress come back too"() {
    const bytes = new Uint8Array(300_000);
    for (let at = 0; at < bytes.length; at += 60_000) crypto.getRandomValues(bytes.subarray(at, at + 60_000));
    for (const format of FORMATS) same([...(await decompress(await compress(bytes, format), format))], [...bytes]);
  },
  async "a chunk is read as it was when it was written"() {
    const { readable, writable } = new CompressionStream("deflate");
    const bytes = new Uint8Array(500_000).map((_, n) => (n * 7919) >> 3);
    const copy = bytes.slice();
    const writer = writable.getWriter();
    writer.write(bytes);
    writer.close();
    const reader = readable.getReader();
    const chunks = [(await reader.read()).value];
    bytes.fill(0);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
    }
    same([...(await decompress(new Blob(chunks), "deflate"))], [...copy]);
  },
  async "what is not of the format fails"() {
    const compressed = await compress("some text", "gzip");
    await rejects(TypeError, decompress("no gzip", "gzip"));
    await rejects(TypeError, decompress(compressed.slice(0, -1), "gzip"));
    await rejects(TypeError, decompress(new Blob([compressed, "x"]), "gzip"));
    await rejects(TypeError, decompress("", "gzip"));
    await rejects(TypeError, compressText("text"));
  },
  "formats that are none are refused"() {
    for (const Stream of [CompressionStream, DecompressionStream]) {
      throws(TypeError, () => new Stream());
      throws(TypeError, () => new Stream("zip"));
      throws(TypeError, () => Stream("gzip"));
      equal(Stream.length, 1);
    }
  },
};

/** Writes a string, which is no BufferSource. */
const compressText = (text) => {
  const { readable, writable } = new CompressionStream("gzip");
  writable.getWriter().write(text).catch(() => undefined);
  return bytesOf(readable);
};
