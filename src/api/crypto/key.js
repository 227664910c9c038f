"use strict";
// CryptoKey: Web Cryptography §13. The key itself stays in a private field, where only the algorithms reach it.

(function (nano) {
  const {
    ArrayPrototypeIncludes, ObjectDefineProperty, ReflectOwnKeys, TypeError, arrayFromList, isObject, newList, push,
  } = nano.primordials;
  const { DOMString, defineInterface, dictionaryOf, enumeration, sequence } = nano.webidl;

  const internal = { __proto__: null };

  /** §13.2: the recognised key usage values, in their order. */
  const USAGES = ["encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey"];

  let isKey;
  let slotsOf;

  class CryptoKey {
    /** `type`, `extractable`, `algorithm`, `usages` and `handle`: what an algorithm keeps, for a secret its bytes. */
    #slots;
    /** The objects an app gets for two of them, made when first asked for. */
    #algorithm = undefined;
    #usages = undefined;

    constructor(key = undefined, slots = undefined) {
      if (key !== internal) throw new TypeError("Illegal constructor");
      this.#slots = slots;
    }

    get type() {
      return this.#slots.type;
    }

    get extractable() {
      return this.#slots.extractable;
    }

    get algorithm() {
      const { algorithm } = this.#slots;
      return (this.#algorithm ??= toObject(algorithm));
    }

    get usages() {
      const { usages } = this.#slots;
      return (this.#usages ??= arrayFromList(usages));
    }

    static {
      isKey = (value) => isObject(value) && #slots in value;
      slotsOf = (key) => key.#slots;
    }
  }
  defineInterface(CryptoKey);
  // [Serializable]: the copy stands for the same key. What the slots hold never changes.
  nano.serializable(isKey, (key) => new CryptoKey(internal, slotsOf(key)));

  /** A KeyAlgorithm of ours as an object an app may keep and change. */
  function toObject(record) {
    const object = {};
    const keys = ReflectOwnKeys(record);
    for (let i = 0; i < keys.length; i++) {
      const value = record[keys[i]];
      ObjectDefineProperty(object, keys[i], {
        __proto__: null, value: isObject(value) ? toObject(value) : value,
        writable: true, enumerable: true, configurable: true,
      });
    }
    return object;
  }

  const createKey = (type, extractable, algorithm, usages, handle) =>
    new CryptoKey(internal, { type, extractable, algorithm, usages: normalizeUsages(usages), handle });

  function toKey(value, what) {
    if (!isKey(value)) throw new TypeError(`${what} is not a CryptoKey`);
    return value;
  }

  const toUsages = (value) =>
    sequence(value, (usage) => enumeration(usage, USAGES, "the key usage"), "the list of key usages");

  /** §18.1 "normalized value": each usage once, in their order. */
  function normalizeUsages(usages) {
    const normalized = newList();
    for (let i = 0; i < USAGES.length; i++) {
      if (ArrayPrototypeIncludes(usages, USAGES[i])) push(normalized, USAGES[i]);
    }
    return normalized;
  }

  /** Whether all of `usages` are among `allowed`. */
  function isWithin(usages, allowed) {
    for (let i = 0; i < usages.length; i++) if (!ArrayPrototypeIncludes(allowed, usages[i])) return false;
    return true;
  }

  // §14.4: JsonWebKey.

  const DOMStrings = (value, what) => sequence(value, DOMString, what);
  const text = (key) => ({ __proto__: null, key, convert: DOMString });
  const OtherPrime = [text("d"), text("r"), text("t")];

  const JsonWebKey = [
    text("alg"), text("crv"), text("d"), text("dp"), text("dq"), text("e"),
    { __proto__: null, key: "ext", convert: (value) => !!value },
    text("k"),
    { __proto__: null, key: "key_ops", convert: DOMStrings },
    text("kty"), text("n"),
    {
      __proto__: null, key: "oth",
      convert: (value, what) => sequence(value, (prime) => dictionaryOf(prime, OtherPrime, what), what),
    },
    text("p"), text("q"), text("qi"), text("use"), text("x"), text("y"),
  ];

  nano.cryptoKey = { __proto__: null, JsonWebKey, createKey, isWithin, slotsOf, toKey, toUsages };
  nano.expose("CryptoKey", CryptoKey);
});
