"use strict";
// TextEncoderStream and TextDecoderStream: Encoding Standard §7.5 to §7.7. What textStream() gives goes the same way.

(function (nano) {
  const { createTransform, genericTransform } = nano.transforms;
  const {
    ReflectApply, StringPrototypeCharCodeAt, StringPrototypeSlice, TypeError, markHandled,
  } = nano.primordials;
  const { DOMString, defineInterface } = nano.webidl;
  const { TextDecoder, decodeWith: decode, encode, encodingOf, fatalOf, ignoreBOMOf } = nano.encoding;

  let encoderSides;

  class TextEncoderStream {
    #transform;
    /** The first half of a character that the next chunk may complete. */
    #lead = "";

    constructor() {
      this.#transform = createTransform((chunk, transform) => this.#encode(chunk, transform), (transform) => {
        if (this.#lead !== "") transform.enqueue(encode(this.#lead));
      });
    }

    get encoding() {
      encoderSides(this);
      return "utf-8";
    }

    /** §7.6 "encode and enqueue a chunk". */
    #encode(chunk, transform) {
      let text = this.#lead + DOMString(chunk);
      this.#lead = "";
      const last = text.length - 1;
      const unit = StringPrototypeCharCodeAt(text, last);
      if (unit >= 0xd800 && unit <= 0xdbff) {
        this.#lead = StringPrototypeSlice(text, last);
        text = StringPrototypeSlice(text, 0, last);
      }
      if (text !== "") transform.enqueue(encode(text));
    }

    static {
      encoderSides = (stream) => stream.#transform;
    }
  }

  const more = { __proto__: null, stream: true };

  /** §7.7: a transform that decodes what is written by a TextDecoder. */
  function decoding(decoder) {
    const give = (text, transform) => {
      if (text !== "") transform.enqueue(text);
    };
    return createTransform(
      (chunk, transform) => {
        if (chunk === undefined) throw new TypeError("TextDecoderStream: a chunk is no ArrayBuffer and no view");
        give(ReflectApply(decode, decoder, [chunk, more]), transform);
      },
      (transform) => give(ReflectApply(decode, decoder, []), transform),
    );
  }

  let decoderSides;

  class TextDecoderStream {
    #decoder;
    #transform;

    constructor(label = "utf-8", options = undefined) {
      this.#decoder = new TextDecoder(label, options);
      this.#transform = decoding(this.#decoder);
    }

    get encoding() {
      return ReflectApply(encodingOf, this.#decoder, []);
    }

    get fatal() {
      return ReflectApply(fatalOf, this.#decoder, []);
    }

    get ignoreBOM() {
      return ReflectApply(ignoreBOMOf, this.#decoder, []);
    }

    static {
      decoderSides = (stream) => stream.#transform;
    }
  }

  genericTransform(TextEncoderStream, (stream) => encoderSides(stream));
  genericTransform(TextDecoderStream, (stream) => decoderSides(stream));
  defineInterface(TextEncoderStream);
  defineInterface(TextDecoderStream);

  const pipeOptions = { preventAbort: false, preventCancel: false, preventClose: false, signal: undefined };

  /** Fetch §5.3 and File API §3.3 "textStream()": a ReadableStream of the text that the bytes of `source` are. */
  nano.decodeStream = (source) => {
    const { readable, writable } = decoding(new TextDecoder());
    markHandled(nano.pipeTo(source, writable, pipeOptions));
    return nano.streams.wrap(readable);
  };

  nano.expose("TextEncoderStream", TextEncoderStream);
  nano.expose("TextDecoderStream", TextDecoderStream);
});
