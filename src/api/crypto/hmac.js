"use strict";
// HMAC: Web Cryptography §31. A key's handle is its bytes.

(function (nano) {
  const { ops, DOMException, cryptoHashes: hashes } = nano;
  const { ArrayPrototypeIncludes, MathCeil, TypedArrayPrototypeSet, Uint8Array, arrayFromList } = nano.primordials;
  const { defineAlgorithm, hash, parameters, unsignedLong } = nano.cryptoAlgorithms;
  const { createKey, isWithin, slotsOf } = nano.cryptoKey;
  const { getByteLength } = nano.webidl;

  const USAGES = ["sign", "verify"];

  function fail(name, message) {
    throw new DOMException(`HMAC: ${message}`, name);
  }

  function sign(_, key, message) {
    const { algorithm, handle } = slotsOf(key);
    const mac = new Uint8Array(hashes[algorithm.hash.name].digest);
    ops.hmac_sign(algorithm.hash.name, handle, message, mac);
    return mac;
  }

  function verify(_, key, signature, message) {
    const { algorithm, handle } = slotsOf(key);
    return ops.hmac_verify(algorithm.hash.name, handle, message, signature);
  }

  function generateKey(algorithm, extractable, usages) {
    requireUsages(usages);
    const { length = hashes[algorithm.hash.name].block * 8 } = algorithm;
    if (length === 0) fail("OperationError", "a key has one bit at least");
    let bytes;
    try {
      bytes = new Uint8Array(MathCeil(length / 8));
      ops.random_fill(bytes);
    } catch {
      fail("OperationError", `no key of ${length} bits can be made here`);
    }
    return secret(bytes, length, algorithm.hash, extractable, usages);
  }

  function importKey(algorithm, format, keyData, extractable, usages) {
    requireUsages(usages);
    let bytes;
    if (format === "raw") bytes = copyOf(keyData);
    else if (format === "jwk") bytes = fromJsonWebKey(keyData, algorithm.hash, extractable, usages);
    else fail("NotSupportedError", `a key cannot be imported from the format "${format}"`);
    let length = getByteLength(bytes) * 8;
    if (length === 0) fail("DataError", "the key is empty");
    if (algorithm.length !== undefined) {
      if (algorithm.length > length || algorithm.length <= length - 8) {
        fail("DataError", `the key has ${length} bits, which is not the length asked for`);
      }
      length = algorithm.length;
    }
    return secret(bytes, length, algorithm.hash, extractable, usages);
  }

  function fromJsonWebKey(jwk, { name }, extractable, usages) {
    if (jwk.kty !== "oct") fail("DataError", 'the key\'s "kty" is not "oct"');
    const bytes = jwk.k === undefined ? undefined : ops.base64_url_decode(jwk.k);
    if (bytes === undefined) fail("DataError", 'the key\'s "k" is not base64url');
    const { hmac } = hashes[name];
    if (jwk.alg !== undefined && jwk.alg !== hmac) fail("DataError", `the key's "alg" is not "${hmac}"`);
    if (usages.length !== 0 && jwk.use !== undefined && jwk.use !== "sig") {
      fail("DataError", 'the key\'s "use" is not "sig"');
    }
    if (jwk.key_ops !== undefined && !allows(jwk.key_ops, usages)) {
      fail("DataError", 'the key\'s "key_ops" do not allow the usages asked for');
    }
    if (jwk.ext === false && extractable) fail("DataError", 'the key\'s "ext" forbids that it be extractable');
    return bytes;
  }

  /** RFC 7517 §4.3: no operation is listed twice. */
  function allows(operations, usages) {
    for (let i = 0; i < operations.length; i++) {
      if (ArrayPrototypeIncludes(operations, operations[i], i + 1)) return false;
    }
    return isWithin(usages, operations);
  }

  function exportKey(key, format) {
    const { algorithm, extractable, handle, usages } = slotsOf(key);
    switch (format) {
      case "raw":
        return copyOf(handle);
      case "jwk":
        return {
          alg: hashes[algorithm.hash.name].hmac, ext: extractable, k: ops.base64_url_encode(handle),
          key_ops: arrayFromList(usages), kty: "oct",
        };
      default:
        return fail("NotSupportedError", `a key cannot be exported in the format "${format}"`);
    }
  }

  function requireUsages(usages) {
    if (!isWithin(usages, USAGES)) fail("SyntaxError", "a key can only sign and verify");
  }

  /** A key of the first `length` bits of `bytes`. */
  function secret(bytes, length, { name }, extractable, usages) {
    if (length % 8 !== 0) bytes[length >>> 3] &= 0xff00 >> length % 8;
    const algorithm = { __proto__: null, name: "HMAC", hash: { __proto__: null, name }, length };
    return createKey("secret", extractable, algorithm, usages, bytes);
  }

  function copyOf(bytes) {
    const copy = new Uint8Array(getByteLength(bytes));
    TypedArrayPrototypeSet(copy, bytes);
    return copy;
  }

  const length = { __proto__: null, key: "length", ...unsignedLong };
  const HmacParams = parameters({ __proto__: null, key: "hash", required: true, ...hash }, length);

  defineAlgorithm("HMAC", {
    __proto__: null,
    sign: { __proto__: null, run: sign },
    verify: { __proto__: null, run: verify },
    generateKey: { __proto__: null, parameters: HmacParams, run: generateKey },
    importKey: { __proto__: null, parameters: HmacParams, run: importKey },
    exportKey: { __proto__: null, run: exportKey },
  });
});
