"use strict";
// TextEncoder and TextDecoder: Encoding Standard §7, for UTF-8.

(function (nano) {
  const { ops } = nano;
  const {
    Boolean, RangeError, StringPrototypeSlice, StringPrototypeCharCodeAt, StringPrototypeToLowerCase, TypeError,
    Uint8Array, RegExpPrototypeExec, TypedArrayPrototypeSet, TypedArrayPrototypeSlice, TypedArrayPrototypeSubarray,
  } = nano.primordials;
  const { DOMString, bytesOf, defineInterface, dictionary, getByteLength, isUint8Array, requireArguments } = nano.webidl;

  /** The string's UTF-8. */
  function encode(text) {
    const length = ops.utf8_length(text);
    const bytes = new Uint8Array(length);
    if (length !== 0) ops.utf8_write(text, bytes);
    return bytes;
  }

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
      if (!isUint8Array(destination)) throw new TypeError("TextEncoder.encodeInto: the destination is not a Uint8Array");
      const counts = ops.utf8_write(text, destination);
      return { read: counts[0], written: counts[1] };
    }
  }

  /** §4.2: the labels of UTF-8. */
  const utf8 = /^[\t\n\f\r ]*(?:unicode-1-1-utf-8|unicode11utf8|unicode20utf8|utf-?8|x-unicode20utf8)[\t\n\f\r ]*$/;

  class TextDecoder {
    #fatal = false;
    #ignoreBOM = false;
    /** Whether the stream's start is behind us, byte order mark and all. */
    #started = false;
    #doNotFlush = false;
    /** The bytes of a character that is not complete yet. */
    #pending = undefined;

    constructor(label = "utf-8", options = undefined) {
      const name = StringPrototypeToLowerCase(DOMString(label));
      const members = dictionary(options, "TextDecoder's options");
      if (members !== undefined) {
        this.#fatal = Boolean(members.fatal);
        this.#ignoreBOM = Boolean(members.ignoreBOM);
      }
      if (RegExpPrototypeExec(utf8, name) === null) throw new RangeError(`TextDecoder: "${label}" is not supported`);
    }

    get encoding() {
      if (!(#fatal in this)) throw new TypeError("Illegal invocation");
      return "utf-8";
    }

    get fatal() {
      return this.#fatal;
    }

    get ignoreBOM() {
      return this.#ignoreBOM;
    }

    decode(input = undefined, options = undefined) {
      if (!this.#doNotFlush) {
        this.#pending = undefined;
        this.#started = false;
      }
      let bytes = input === undefined ? new Uint8Array(0) : bytesOf(input);
      if (bytes === undefined) throw new TypeError("TextDecoder.decode: the input is not an ArrayBuffer or a view");
      const stream = Boolean(dictionary(options, "TextDecoder.decode's options")?.stream);
      this.#doNotFlush = stream;
      if (this.#pending !== undefined) {
        bytes = concat(this.#pending, bytes);
        this.#pending = undefined;
      }
      if (stream) {
        const complete = ops.utf8_complete(bytes);
        if (complete !== getByteLength(bytes)) {
          this.#pending = TypedArrayPrototypeSlice(bytes, complete);
          bytes = TypedArrayPrototypeSubarray(bytes, 0, complete);
        }
      }
      const text = ops.utf8_decode(bytes, this.#fatal);
      if (text === undefined) throw new TypeError("TextDecoder.decode: the bytes are not valid UTF-8");
      if (this.#started || text === "") return text;
      this.#started = true;
      return this.#ignoreBOM ? text : withoutBOM(text);
    }
  }

  function concat(head, tail) {
    const length = getByteLength(head);
    const whole = new Uint8Array(length + getByteLength(tail));
    TypedArrayPrototypeSet(whole, head, 0);
    TypedArrayPrototypeSet(whole, tail, length);
    return whole;
  }

  defineInterface(TextEncoder);
  defineInterface(TextDecoder);

  nano.encoding = { __proto__: null, encode, decode };
  nano.expose("TextEncoder", TextEncoder);
  nano.expose("TextDecoder", TextDecoder);
});
