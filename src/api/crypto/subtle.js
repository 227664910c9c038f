"use strict";
// SubtleCrypto: Web Cryptography §14, with the methods some algorithm has an operation for. What an algorithm computes is
// done within the call, so that the app pays for it and its data cannot change meanwhile; the promise tells the result.

(function (nano) {
  const { DOMException } = nano;
  const { AlgorithmIdentifier, find, normalize } = nano.cryptoAlgorithms;
  const { JsonWebKey, slotsOf, toKey, toUsages } = nano.cryptoKey;
  const { ArrayPrototypeIncludes, TypeError, TypedArrayPrototypeGetBuffer } = nano.primordials;
  const {
    bufferSource, defineInterface, dictionaryOf, enumeration, heldBytes, isBufferSource, requireArguments,
  } = nano.webidl;

  const internal = { __proto__: null };
  const FORMATS = ["raw", "spki", "pkcs8", "jwk"];

  // Every method is asynchronous from its first step, for Web IDL turns what a conversion throws into a rejection.
  class SubtleCrypto {
    constructor(key = undefined) {
      if (key !== internal) throw new TypeError("Illegal constructor");
    }

    async sign(algorithm, key, data) {
      this.#begin(arguments.length, 3, "sign");
      const identifier = AlgorithmIdentifier(algorithm);
      toKey(key, "the key");
      bufferSource(data, "the data");
      const normalized = normalize(identifier, "sign");
      requireUse(key, normalized, "sign");
      return TypedArrayPrototypeGetBuffer(normalized.run(normalized, key, heldBytes(data)));
    }

    async verify(algorithm, key, signature, data) {
      this.#begin(arguments.length, 4, "verify");
      const identifier = AlgorithmIdentifier(algorithm);
      toKey(key, "the key");
      bufferSource(signature, "the signature");
      bufferSource(data, "the data");
      const normalized = normalize(identifier, "verify");
      requireUse(key, normalized, "verify");
      return normalized.run(normalized, key, heldBytes(signature), heldBytes(data));
    }

    async digest(algorithm, data) {
      this.#begin(arguments.length, 2, "digest");
      const identifier = AlgorithmIdentifier(algorithm);
      bufferSource(data, "the data");
      const normalized = normalize(identifier, "digest");
      return TypedArrayPrototypeGetBuffer(normalized.run(normalized, heldBytes(data)));
    }

    async generateKey(algorithm, extractable, keyUsages) {
      this.#begin(arguments.length, 3, "generateKey");
      const identifier = AlgorithmIdentifier(algorithm);
      const usages = toUsages(keyUsages);
      const normalized = normalize(identifier, "generateKey");
      const key = normalized.run(normalized, !!extractable, usages);
      requireUsages(key);
      return key;
    }

    async importKey(format, keyData, algorithm, extractable, keyUsages) {
      this.#begin(arguments.length, 5, "importKey");
      const from = enumeration(format, FORMATS, "the format");
      // Steps 4 and 5: which of the two `keyData` is must go with the format. A conversion to a dictionary reads it.
      const isBytes = isBufferSource(keyData);
      const data = isBytes ? bufferSource(keyData, "the key data") : dictionaryOf(keyData, JsonWebKey, "the key data");
      const identifier = AlgorithmIdentifier(algorithm);
      const usages = toUsages(keyUsages);
      const normalized = normalize(identifier, "importKey");
      if (isBytes === (from === "jwk")) {
        throw new TypeError(`the key data of the format "${from}" are not ${isBytes ? "a JSON Web Key" : "bytes"}`);
      }
      const key = normalized.run(normalized, from, isBytes ? heldBytes(data) : data, !!extractable, usages);
      requireUsages(key);
      return key;
    }

    async exportKey(format, key) {
      this.#begin(arguments.length, 2, "exportKey");
      const to = enumeration(format, FORMATS, "the format");
      const { algorithm, extractable } = slotsOf(toKey(key, "the key"));
      const operation = find(algorithm.name, "exportKey");
      if (operation === undefined) {
        throw new DOMException(`a key for ${algorithm.name} cannot be exported`, "NotSupportedError");
      }
      if (!extractable) throw new DOMException("the key is not extractable", "InvalidAccessError");
      const exported = operation.run(key, to);
      return to === "jwk" ? exported : TypedArrayPrototypeGetBuffer(exported);
    }

    #begin(given, required, method) {
      requireArguments(given, required, `SubtleCrypto.${method}`);
    }
  }

  /** The key must be one for the algorithm, and allow the use. */
  function requireUse(key, { name }, usage) {
    const { algorithm, usages } = slotsOf(key);
    if (algorithm.name !== name) {
      throw new DOMException(`the key is one for ${algorithm.name}, not for ${name}`, "InvalidAccessError");
    }
    if (!ArrayPrototypeIncludes(usages, usage)) {
      throw new DOMException(`the key's usages do not allow ${usage}`, "InvalidAccessError");
    }
  }

  /** A secret key nobody may use is a mistake. */
  function requireUsages(key) {
    const { type, usages } = slotsOf(key);
    if (type !== "public" && usages.length === 0) throw new DOMException("the key has no usages", "SyntaxError");
  }

  defineInterface(SubtleCrypto);

  nano.subtleCrypto = new SubtleCrypto(internal);
  nano.expose("SubtleCrypto", SubtleCrypto);
});
