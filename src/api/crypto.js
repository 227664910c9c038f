"use strict";
// Crypto: Web Cryptography §10.

(function (nano) {
  const { ops, DOMException, QuotaExceededError } = nano;
  const {
    ArrayBufferIsView, StringPrototypeSlice, TypeError, TypedArrayPrototypeGetByteLength,
    TypedArrayPrototypeGetSymbolToStringTag,
  } = nano.primordials;
  const { defineInterface, requireArguments } = nano.webidl;

  const internal = { __proto__: null };
  const integers = {
    __proto__: null,
    Int8Array: true, Uint8Array: true, Uint8ClampedArray: true, Int16Array: true, Uint16Array: true, Int32Array: true,
    Uint32Array: true, BigInt64Array: true, BigUint64Array: true,
  };
  const QUOTA = 65536;

  /** Of a UUID. */
  const LENGTH = 36;
  /** UUIDs, one behind the other, and where the first is that nobody has been given. */
  let uuids = "";
  let next = 0;

  class Crypto {
    #subtle = nano.subtleCrypto;

    constructor(key = undefined) {
      if (key !== internal) throw new TypeError("Illegal constructor");
    }

    get subtle() {
      return this.#subtle;
    }

    /** Of Workers. */
    get DigestStream() {
      if (!(#subtle in this)) throw new TypeError("Illegal invocation");
      return nano.DigestStream;
    }

    getRandomValues(array) {
      if (!(#subtle in this)) throw new TypeError("Illegal invocation");
      requireArguments(arguments.length, 1, "Crypto.getRandomValues");
      if (!ArrayBufferIsView(array)) throw new TypeError("Crypto.getRandomValues: the argument is not a view");
      const kind = TypedArrayPrototypeGetSymbolToStringTag(array);
      if (kind === undefined || integers[kind] === undefined) {
        throw new DOMException("the view is not of an integer type", "TypeMismatchError");
      }
      if (TypedArrayPrototypeGetByteLength(array) > QUOTA) {
        throw new QuotaExceededError(`at most ${QUOTA} bytes at a time`);
      }
      ops.random_fill(array);
      return array;
    }

    randomUUID() {
      if (!(#subtle in this)) throw new TypeError("Illegal invocation");
      if (next === uuids.length) {
        uuids = ops.random_uuids();
        next = 0;
      }
      const start = next;
      next += LENGTH;
      return StringPrototypeSlice(uuids, start, next);
    }
  }
  defineInterface(Crypto);

  nano.expose("Crypto", Crypto);
  nano.crypto = new Crypto(internal);
});
