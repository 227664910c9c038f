"use strict";
// SHA-1 and SHA-2: Web Cryptography §32.

(function (nano) {
  const { ops } = nano;
  const { Uint8Array } = nano.primordials;
  const { defineAlgorithm } = nano.cryptoAlgorithms;

  /** Lengths in bytes, and by what name a JSON Web Key calls an HMAC of it (RFC 7518 §3.1, §A). */
  const hashes = {
    __proto__: null,
    "SHA-1": { digest: 20, block: 64, hmac: "HS1" },
    "SHA-256": { digest: 32, block: 64, hmac: "HS256" },
    "SHA-384": { digest: 48, block: 128, hmac: "HS384" },
    "SHA-512": { digest: 64, block: 128, hmac: "HS512" },
  };

  function digest({ name }, message) {
    const result = new Uint8Array(hashes[name].digest);
    ops.sha_digest(name, message, result);
    return result;
  }

  for (const name in hashes) defineAlgorithm(name, { __proto__: null, digest: { __proto__: null, run: digest } });

  nano.cryptoHashes = hashes;
});
