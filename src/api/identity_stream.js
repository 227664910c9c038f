"use strict";
// IdentityTransformStream and FixedLengthStream, as Workers have them: the bytes that are written are read. A response whose
// body is of a known length says so.

(function (nano) {
  const { TransformStream, enqueue, sidesOf } = nano.transforms;
  const { Number, NumberIsSafeInteger, TypeError, Uint8Array } = nano.primordials;
  const { defineInterface, getByteLength, heldBytes, requireArguments } = nano.webidl;

  /** A copy of a chunk's bytes. */
  function toBytes(chunk) {
    const bytes = heldBytes(chunk);
    if (bytes === undefined) throw new TypeError("the stream takes nothing but ArrayBuffers and views of them");
    return new Uint8Array(bytes);
  }

  let setLength;

  class IdentityTransformStream extends TransformStream {
    /** Bytes that are still to be written. */
    #left = Infinity;

    constructor(strategy = undefined) {
      const transform = (chunk, controller) => {
        const bytes = toBytes(chunk);
        if (getByteLength(bytes) > this.#left) throw new TypeError("FixedLengthStream: too many bytes were written");
        this.#left -= getByteLength(bytes);
        enqueue(controller, bytes);
      };
      const flush = () => {
        if (this.#left !== 0 && this.#left !== Infinity) throw new TypeError("FixedLengthStream: too few bytes were written");
      };
      super({ __proto__: null, transform, flush }, strategy);
    }

    static {
      setLength = (stream, length) => {
        stream.#left = length;
        sidesOf(stream).readable.length = length;
      };
    }
  }

  class FixedLengthStream extends IdentityTransformStream {
    constructor(expectedLength, strategy = undefined) {
      requireArguments(arguments.length, 1, "new FixedLengthStream");
      const length = Number(expectedLength);
      if (!NumberIsSafeInteger(length) || length < 0) {
        throw new TypeError("FixedLengthStream: the length is not a number of bytes");
      }
      super(strategy);
      setLength(this, length);
    }
  }

  defineInterface(IdentityTransformStream);
  defineInterface(FixedLengthStream);

  nano.expose("IdentityTransformStream", IdentityTransformStream);
  nano.expose("FixedLengthStream", FixedLengthStream);
});
