"use strict";
// crypto.DigestStream, as Workers have it: a WritableStream whose chunks are hashed as they come.

(function (nano) {
  const { ops, cryptoHashes, writable } = nano;
  const { AlgorithmIdentifier, normalize } = nano.cryptoAlgorithms;
  const { TypedArrayPrototypeGetBuffer, Uint8Array, markHandled, newPromise } = nano.primordials;
  const { bufferSource, defineInterface, getByteLength, heldBytes, requireArguments } = nano.webidl;
  const { WritableStream } = writable;

  class DigestStream extends WritableStream {
    #digest;
    #bytesWritten = 0;

    constructor(algorithm) {
      requireArguments(arguments.length, 1, "new DigestStream");
      const { name } = normalize(AlgorithmIdentifier(algorithm), "digest");
      const state = ops.sha_begin(name);
      const digest = newPromise();
      let count;
      const fail = (reason) => digest.reject(reason);
      super({
        __proto__: null,
        write(chunk) {
          try {
            const bytes = heldBytes(bufferSource(chunk, "a chunk"));
            ops.sha_update(state, bytes);
            count(getByteLength(bytes));
          } catch (error) {
            fail(error);
            throw error;
          }
        },
        close() {
          const result = new Uint8Array(cryptoHashes[name].digest);
          ops.sha_finish(state, result);
          digest.resolve(TypedArrayPrototypeGetBuffer(result));
        },
        abort: fail,
      });
      count = (length) => {
        this.#bytesWritten += length;
      };
      markHandled(digest.promise);
      this.#digest = digest.promise;
    }

    /** A promise for the digest of all that was written, once the stream is closed. */
    get digest() {
      return this.#digest;
    }

    get bytesWritten() {
      return this.#bytesWritten;
    }
  }

  nano.DigestStream = defineInterface(DigestStream);
});
