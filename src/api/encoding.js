"use strict";
// TextEncoder and TextDecoder: Encoding Standard §7. Texts in UTF-8 and UTF-16 cut between characters are put together
// here, from bytes alone; the legacy encodings have a decoder of their own in Rust, with what state it needs.

(function (nano) {
  const { ops } = nano;
  const {
    Boolean, RangeError, ReflectApply, ReflectGetOwnPropertyDescriptor, StringPrototypeCharCodeAt, StringPrototypeSlice,
    TypeError, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteOffset, TypedArrayPrototypeSet, Uint8Array,
  } = nano.primordials;
  const {
    DOMString, defineInterface, dictionary, getByteLength, heldBytes, isBufferSource, isUint8Array, requireArguments,
  } = nano.webidl;

  /** The string's UTF-8. */
  const encode = (text) => (text === "" ? new Uint8Array(0) : new Uint8Array(ops.utf8_encode(text)));

  const BOM = 0xfeff;
  const withoutBOM = (text) =>
    StringPrototypeCharCodeAt(text, 0) === BOM ? StringPrototypeSlice(text, 1) : text;

  /** §6 "UTF-8 decode": a byte order mark is dropped, what is no UTF-8 becomes U+FFFD. */
  const decode = (bytes) => withoutBOM(ops.utf8_decode(bytes, false));

  class TextEncoder {
    #brand;

    get encoding() {
      if (!(#brand in this)) throw new TypeError("Illegal invocation");
      return "utf-8";
    }

    encode(input = "") {
      if (!(#brand in this)) throw new TypeError("Illegal invocation");
      return encode(DOMString(input));
    }

    encodeInto(source, destination) {
      if (!(#brand in this)) throw new TypeError("Illegal invocation");
      requireArguments(arguments.length, 2, "TextEncoder.encodeInto");
      const text = DOMString(source);
      if (!isUint8Array(destination)) throw new TypeError("encodeInto: the destination is not a Uint8Array");
      const written = ops.utf8_write(text, destination);
      if (written >= 0) return { read: text.length, written };
      const counts = ops.utf8_write_part(text, destination);
      return { read: counts[0], written: counts[1] };
    }
  }

  /** What is known of an encoding: its name, where its last whole character ends, and how to decode it. */
  const UTF8 = { name: "utf-8", complete: ops.utf8_complete, decode: ops.utf8_decode };
  const UTF16LE = {
    name: "utf-16le",
    complete: (bytes) => ops.utf16_complete(bytes, false),
    decode: (bytes, fatal) => ops.utf16_decode(bytes, fatal, false),
  };
  const UTF16BE = {
    name: "utf-16be",
    complete: (bytes) => ops.utf16_complete(bytes, true),
    decode: (bytes, fatal) => ops.utf16_decode(bytes, fatal, true),
  };

  /** §4.2 "get an encoding": undefined if there is none of that label, or if it is replacement (§7.2). */
  function encodingOf(label) {
    switch (label) {
      case "utf-8":
      case "utf8":
        return UTF8;
      default:
    }
    const name = ops.encoding_of(label);
    switch (name) {
      case "utf-8":
        return UTF8;
      case "utf-16le":
        return UTF16LE;
      case "utf-16be":
        return UTF16BE;
      case undefined:
        return undefined;
      default:
        return { name, complete: undefined, decode: undefined };
    }
  }

  class TextDecoder {
    #encoding;
    #fatal = false;
    #ignoreBOM = false;
    /** Whether the stream's start is behind us, byte order mark and all. */
    #started = false;
    #doNotFlush = false;
    /** The bytes of a character that is not complete yet. */
    #pending = undefined;
    /** Of a legacy encoding: the decoder that knows what came before. */
    #decoder = undefined;

    constructor(label = "utf-8", options = undefined) {
      const name = DOMString(label);
      const members = dictionary(options, "TextDecoder's options");
      if (members !== undefined) {
        this.#fatal = Boolean(members.fatal);
        this.#ignoreBOM = Boolean(members.ignoreBOM);
      }
      const encoding = encodingOf(name);
      if (encoding === undefined) throw new RangeError(`TextDecoder: "${name}" is no encoding`);
      this.#encoding = encoding;
    }

    get encoding() {
      return this.#encoding.name;
    }

    get fatal() {
      return this.#fatal;
    }

    get ignoreBOM() {
      return this.#ignoreBOM;
    }

    decode(input = undefined, options = undefined) {
      const { name, complete, decode } = this.#encoding;
      const areBytes = isUint8Array(input);
      if (input !== undefined && !areBytes && !isAnyBuffer(input)) {
        throw new TypeError("TextDecoder.decode: the input is not an ArrayBuffer or a view");
      }
      const stream = Boolean(dictionary(options, "TextDecoder.decode's options")?.stream);
      if (!this.#doNotFlush) {
        this.#pending = this.#decoder = undefined;
        this.#started = false;
      }
      this.#doNotFlush = stream;
      // What is only looked at needs no view of our own: where an app's is detached, Rust finds no bytes either.
      let bytes = input;
      if (input === undefined) bytes = new Uint8Array(0);
      else if (!areBytes || stream || this.#pending !== undefined) bytes = heldBytes(input);
      if (decode === undefined) return this.#decodeLegacy(bytes, stream);
      if (this.#pending !== undefined) {
        bytes = concat(this.#pending, bytes);
        this.#pending = undefined;
      }
      if (stream) {
        const length = getByteLength(bytes);
        const whole = complete(bytes);
        if (whole !== length) {
          this.#pending = concat(new Uint8Array(0), part(bytes, whole, length));
          bytes = part(bytes, 0, whole);
        }
      }
      const text = decode(bytes, this.#fatal);
      if (text === undefined) throw invalid(name);
      if (this.#started || text === "") return text;
      this.#started = true;
      return this.#ignoreBOM ? text : withoutBOM(text);
    }

    #decodeLegacy(bytes, stream) {
      const { name } = this.#encoding;
      if (stream) this.#decoder ??= ops.decoder_new(name);
      const text = ops.decoder_decode(this.#decoder ?? name, bytes, this.#fatal, stream);
      if (text === undefined) throw invalid(name);
      return text;
    }
  }

  const invalid = (name) => new TypeError(`TextDecoder.decode: the bytes are not valid ${name}`);

  /** [AllowShared] BufferSource: a WebAssembly memory may be shared. */
  const isAnyBuffer = (value) => isBufferSource(value) || ops.kind_of(value) === "shared buffer";

  const part = (bytes, from, to) =>
    new Uint8Array(TypedArrayPrototypeGetBuffer(bytes), TypedArrayPrototypeGetByteOffset(bytes) + from, to - from);

  function concat(head, tail) {
    const length = getByteLength(head);
    const whole = new Uint8Array(length + getByteLength(tail));
    TypedArrayPrototypeSet(whole, head, 0);
    TypedArrayPrototypeSet(whole, tail, length);
    return whole;
  }

  defineInterface(TextEncoder);
  defineInterface(TextDecoder);

  const { decode: decodeWith } = TextDecoder.prototype;

  /** §6 "decode", with the encoding that is named first among those there are, or UTF-8; a byte order mark goes before. */
  function decodeSniffed(bytes, ...names) {
    let label = "utf-8";
    for (let i = names.length - 1; i >= 0; i--) {
      if (names[i] !== undefined && encodingOf(names[i]) !== undefined) label = names[i];
    }
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) label = "utf-8";
    else if (bytes[0] === 0xfe && bytes[1] === 0xff) label = "utf-16be";
    else if (bytes[0] === 0xff && bytes[1] === 0xfe) label = "utf-16le";
    return ReflectApply(decodeWith, new TextDecoder(label), [bytes]);
  }

  const getter = (name) => ReflectGetOwnPropertyDescriptor(TextDecoder.prototype, name).get;

  nano.encoding = {
    __proto__: null, encode, decode, decodeSniffed, withoutBOM,
    // The class and its members as they are before any app runs.
    TextDecoder, decodeWith, encodingOf: getter("encoding"), fatalOf: getter("fatal"), ignoreBOMOf: getter("ignoreBOM"),
  };
  nano.expose("TextEncoder", TextEncoder);
  nano.expose("TextDecoder", TextDecoder);
});
