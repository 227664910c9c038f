"use strict";
// IdentityTransformStream and FixedLengthStream, as Workers have them: the bytes that are written are read. A response whose
// body is of a known length says so.

(function (nano) {
  const { Transform, TransformStream, internal, sidesOf } = nano.transforms;
  const { Number, NumberIsSafeInteger, PromiseResolve, TypeError, Uint8Array } = nano.primordials;
  const { defineInterface, getByteLength, heldBytes, requireArguments } = nano.webidl;
  const { extractHighWaterMark, extractSizeAlgorithm, toStrategy } = nano.queuing;

  const nothing = () => {};

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
      const options = toStrategy(strategy);
      const transform = (chunk, controller) => {
        const bytes = toBytes(chunk);
        const length = getByteLength(bytes);
        if (length > this.#left) throw new TypeError("FixedLengthStream: too many bytes were written");
        this.#left -= length;
        if (length > 0) controller.enqueue(bytes);
      };
      const flush = () => {
        if (this.#left !== 0 && this.#left !== Infinity) throw new TypeError("FixedLengthStream: too few bytes were written");
      };
      const writableMark = extractHighWaterMark(options, 1);
      const writableSize = extractSizeAlgorithm(options);
      const strategies = { writableMark, writableSize, readableMark: 0, readableSize: undefined };
      super(internal, new Transform({ transform, flush, cancel: nothing }, PromiseResolve(), strategies));
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


  nano.expose("IdentityTransformStream", defineInterface(IdentityTransformStream));
  nano.expose("FixedLengthStream", defineInterface(FixedLengthStream));
});
