// Encoding Standard §7.
import { equal, ok, same, throws } from "./assert.js";

const bytes = (...values) => new Uint8Array(values);

export const tests = {
  "encode writes UTF-8"() {
    const encoder = new TextEncoder();
    equal(encoder.encoding, "utf-8");
    same([...encoder.encode("aä€😀")], [97, 195, 164, 226, 130, 172, 240, 159, 152, 128]);
    same([...encoder.encode("\ud800x")], [239, 191, 189, 120]);
    equal(encoder.encode().length, 0);
  },
  "encodeInto stops before what does not fit"() {
    const encoder = new TextEncoder();
    const target = new Uint8Array(4);
    same(encoder.encodeInto("aä€", target), { read: 2, written: 3 });
    same(encoder.encodeInto("x", target.subarray(3)), { read: 1, written: 1 });
    same([...target], [97, 195, 164, 120]);
    same(encoder.encodeInto("x", new Uint8Array()), { read: 0, written: 0 });
    throws(TypeError, () => encoder.encodeInto("x", []));
  },
  "decode reads views and buffers"() {
    const decoder = new TextDecoder();
    equal(decoder.decode(bytes(0xc3, 0xa4)), "ä");
    equal(decoder.decode(bytes(1, 0x61).subarray(1)), "a");
    equal(decoder.decode(bytes(0x61).buffer), "a");
    equal(decoder.decode(), "");
    throws(TypeError, () => decoder.decode("x"));
  },
  "bad bytes become U+FFFD, or throw if fatal"() {
    equal(new TextDecoder().decode(bytes(0x61, 0xff, 0xe2, 0x82)), "a\ufffd\ufffd");
    const fatal = new TextDecoder("utf-8", { fatal: true });
    ok(fatal.fatal);
    throws(TypeError, () => fatal.decode(bytes(0xff)));
    equal(fatal.decode(bytes(0x61)), "a");
  },
  "characters may be split between chunks"() {
    const decoder = new TextDecoder();
    const whole = new TextEncoder().encode("ä€😀");
    let text = "";
    for (const byte of whole) text += decoder.decode(bytes(byte), { stream: true });
    equal(text + decoder.decode(), "ä€😀");
    equal(decoder.decode(bytes(0xf0, 0x9f), { stream: true }), "");
    equal(decoder.decode(), "\ufffd");
  },
  "the byte order mark is dropped, once, unless wanted"() {
    const marked = bytes(0xef, 0xbb, 0xbf, 0x61);
    equal(new TextDecoder().decode(marked), "a");
    equal(new TextDecoder("utf-8", { ignoreBOM: true }).decode(marked), "\ufeffa");
    const decoder = new TextDecoder();
    for (const byte of marked.subarray(0, 3)) equal(decoder.decode(bytes(byte), { stream: true }), "");
    equal(decoder.decode(marked, { stream: true }), "\ufeffa");
  },
  "labels of UTF-8 are known, others refused"() {
    for (const label of ["utf8", " UTF-8\n", "unicode-1-1-utf-8"]) equal(new TextDecoder(label).encoding, "utf-8");
    throws(RangeError, () => new TextDecoder("no-such"));
  },
};
