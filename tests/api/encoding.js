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
  "labels are known, others refused"() {
    for (const label of ["utf8", " UTF-8\n", "unicode-1-1-utf-8"]) equal(new TextDecoder(label).encoding, "utf-8");
    for (const label of ["utf-16", "UCS-2"]) equal(new TextDecoder(label).encoding, "utf-16le");
    equal(new TextDecoder("utf-16BE").encoding, "utf-16be");
    for (const label of ["latin1", "ascii", "cp1252"]) equal(new TextDecoder(label).encoding, "windows-1252");
    for (const label of ["replacement", "iso-2022-kr", "hz-gb-2312"]) throws(RangeError, () => new TextDecoder(label));
    for (const label of ["no-such", "", "utf-8\0", "utf-8\u00a0", "__proto__"]) {
      throws(RangeError, () => new TextDecoder(label));
    }
  },
  "UTF-16 comes in both orders, in one piece or in many"() {
    const little = bytes(0xff, 0xfe, 0x61, 0, 0x3d, 0xd8, 0, 0xde);
    const big = bytes(0xfe, 0xff, 0, 0x61, 0xd8, 0x3d, 0xde, 0);
    for (const [label, whole] of [["utf-16le", little], ["utf-16be", big]]) {
      equal(new TextDecoder(label).decode(whole), "a😀");
      equal(new TextDecoder(label, { ignoreBOM: true }).decode(whole), "\ufeffa😀");
      const decoder = new TextDecoder(label, { fatal: true });
      let text = "";
      for (const byte of whole) text += decoder.decode(bytes(byte), { stream: true });
      equal(text + decoder.decode(), "a😀");
      equal(new TextDecoder(label).decode(whole.subarray(0, 7)), "a\ufffd");
      throws(TypeError, () => new TextDecoder(label, { fatal: true }).decode(whole.subarray(0, 6)));
    }
  },
  "the encodings of old are decoded, in one piece or in many"() {
    for (const [label, whole, expected] of [
      ["windows-1252", bytes(0x80, 0xe4), "€ä"],
      ["koi8-r", bytes(0xc1), "а"],
      ["shift_jis", bytes(0x82, 0xa0, 0xb1), "あｱ"],
      ["euc-jp", bytes(0xa4, 0xa2), "あ"],
      ["iso-2022-jp", bytes(0x1b, 0x24, 0x42, 0x24, 0x22, 0x24, 0x24, 0x1b, 0x28, 0x42, 0x61), "あいa"],
      ["gb18030", bytes(0x94, 0x39, 0xda, 0x33), "💩"],
      ["big5", bytes(0xa4, 0xa4), "中"],
      ["euc-kr", bytes(0xb0, 0xa1), "가"],
      ["x-user-defined", bytes(0x61, 0xff), "a"],
    ]) {
      equal(new TextDecoder(label).decode(whole), expected, label);
      const decoder = new TextDecoder(label, { fatal: true });
      for (let round = 0; round < 2; round++) {
        let text = "";
        for (const byte of whole) text += decoder.decode(bytes(byte), { stream: true });
        equal(text + decoder.decode(), expected, label);
      }
    }
    const decoder = new TextDecoder("shift_jis");
    equal(decoder.decode(bytes(0x82), { stream: true }), "");
    equal(decoder.decode(), "�");
    throws(TypeError, () => new TextDecoder("shift_jis", { fatal: true }).decode(bytes(0x82)));
    throws(TypeError, () => new TextDecoder("windows-1253", { fatal: true }).decode(bytes(0xaa)));
  },
  "shared memory is read too"() {
    const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    new Uint8Array(buffer).set([0x61, 0x62]);
    equal(new TextDecoder().decode(new Uint8Array(buffer, 0, 2)), "ab");
    equal(new TextDecoder().decode(buffer).length, 65536);
    same(new TextEncoder().encodeInto("xy", new Uint8Array(buffer, 1)), { read: 2, written: 2 });
  },
  "a detached buffer holds nothing"() {
    const view = bytes(0x61);
    structuredClone(view.buffer, { transfer: [view.buffer] });
    equal(new TextDecoder().decode(view), "");
    equal(new TextDecoder().decode(view.buffer), "");
  },
  "an app's own idea of how arrays are made does not matter"() {
    const decoder = new TextDecoder();
    Object.defineProperty(Uint8Array, Symbol.species, { configurable: true, value: Uint16Array });
    try {
      equal(decoder.decode(bytes(0x61, 0xc3), { stream: true }) + decoder.decode(bytes(0xa4)), "aä");
    } finally {
      delete Uint8Array[Symbol.species];
    }
  },
};
