// Encoding Standard §7.5 to §7.7.
import { equal, rejects, same, throws } from "./assert.js";

const collect = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
};
const encode = async (...chunks) =>
  (await collect(ReadableStream.from(chunks).pipeThrough(new TextEncoderStream()))).map((bytes) => [...bytes]);
const decode = (chunks, ...options) =>
  collect(ReadableStream.from(chunks.map((bytes) => new Uint8Array(bytes))).pipeThrough(new TextDecoderStream(...options)));

export const tests = {
  async "characters may be torn apart"() {
    same(await encode("a\ud83d", "\ude00b"), [[0x61], [0xf0, 0x9f, 0x98, 0x80, 0x62]]);
    same(await encode("\ud83d", "", "x\ud83d"), [[0xef, 0xbf, 0xbd, 0x78], [0xef, 0xbf, 0xbd]]);
    same(await decode([[0x61, 0xf0, 0x9f], [0x98], [0x80, 0x62]]), ["a", "\u{1f600}b"]);
    same(await decode([[0x61, 0xf0, 0x9f]]), ["a", "\ufffd"]);
    same(await decode([[0x3d], [0xd8, 0, 0xde]], "utf-16le"), ["\u{1f600}"]);
  },
  async "chunks become strings, or buffers have to be"() {
    same(await encode(1, undefined, { toString: () => "x" }), [[0x31], [...new TextEncoder().encode("undefined")], [0x78]]);
    await rejects(TypeError, encode(Symbol("x")));
    for (const chunk of [undefined, null, "text", 1]) {
      await rejects(TypeError, collect(ReadableStream.from([chunk]).pipeThrough(new TextDecoderStream())));
    }
  },
  async "options are those of TextDecoder"() {
    same(await decode([[0xef, 0xbb], [0xbf, 0x61]]), ["a"]);
    same(await decode([[0xef, 0xbb, 0xbf, 0x61]], "utf-8", { ignoreBOM: true }), ["\ufeffa"]);
    await rejects(TypeError, decode([[0xff]], "utf-8", { fatal: true }));
    await rejects(TypeError, decode([[0xe2, 0x82]], "utf-8", { fatal: true }));
    const stream = new TextDecoderStream("UTF-16", { fatal: true });
    same([stream.encoding, stream.fatal, stream.ignoreBOM], ["utf-16le", true, false]);
    equal(new TextEncoderStream().encoding, "utf-8");
    throws(RangeError, () => new TextDecoderStream("no such"));
  },
};
