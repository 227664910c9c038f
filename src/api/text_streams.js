"use strict";
// TextEncoderStream and TextDecoderStream: Encoding Standard §7.5 to §7.7.

(function (nano) {
  const { createTransform, genericTransform } = nano.transforms;
  const { ReflectApply, StringPrototypeCharCodeAt, StringPrototypeSlice, TypeError } = nano.primordials;
  const { DOMString, defineInterface } = nano.webidl;
  const { createDecoder, decodeWith, encode } = nano.encoding;

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

  let decoderSides;

  class TextDecoderStream {
    #traits;
    #transform;

    constructor(label = "utf-8", options = undefined) {
      const { decoder, traits } = createDecoder(label, options);
      const give = (text, transform) => {
        if (text !== "") transform.enqueue(text);
      };
      this.#traits = traits;
      this.#transform = createTransform(
        (chunk, transform) => {
          if (chunk === undefined) throw new TypeError("TextDecoderStream: a chunk is no ArrayBuffer and no view");
          give(ReflectApply(decodeWith, decoder, [chunk, more]), transform);
        },
        (transform) => give(ReflectApply(decodeWith, decoder, []), transform),
      );
    }

    get encoding() {
      return this.#traits.encoding;
    }

    get fatal() {
      return this.#traits.fatal;
    }

    get ignoreBOM() {
      return this.#traits.ignoreBOM;
    }

    static {
      decoderSides = (stream) => stream.#transform;
    }
  }

  genericTransform(TextEncoderStream, (stream) => encoderSides(stream));
  genericTransform(TextDecoderStream, (stream) => decoderSides(stream));
  defineInterface(TextEncoderStream);
  defineInterface(TextDecoderStream);

  nano.expose("TextEncoderStream", TextEncoderStream);
  nano.expose("TextDecoderStream", TextDecoderStream);
});
