"use strict";
// Subresource Integrity §3: whether bytes are the ones an app expects.

(function (nano) {
  const { ops, cryptoHashes } = nano;
  const {
    RegExpPrototypeExec, StringPrototypeReplaceAll, StringPrototypeSlice, Uint8Array, newList, push,
  } = nano.primordials;

  // §3.5: a hash algorithm and a digest in base64, of either alphabet, perhaps with options that mean nothing yet.
  const hashWithOptions = /^sha(256|384|512)(?:-([^?]*))?(?:\?|$)/i;

  /** Base64 as `ops.base64_url_encode` writes it. */
  function toUrlAlphabet(text) {
    let end = text.length;
    while (end > 0 && text[end - 1] === "=") end--;
    const bare = StringPrototypeSlice(text, 0, end);
    return StringPrototypeReplaceAll(StringPrototypeReplaceAll(bare, "+", "-"), "/", "_");
  }

  /** §3.3.4 "Do bytes match metadataList?": of several algorithms the strongest counts, and any of its digests. */
  function matches(bytes, metadata) {
    const words = /[^\t\n\f\r ]+/g;
    let strongest = "";
    let digests = newList();
    for (let word; (word = RegExpPrototypeExec(words, metadata)) !== null; ) {
      const match = RegExpPrototypeExec(hashWithOptions, word[0]);
      if (match === null || match[1] < strongest) continue;
      if (match[1] > strongest) digests = newList();
      strongest = match[1];
      push(digests, toUrlAlphabet(match[2] ?? ""));
    }
    if (strongest === "") return true;
    const hash = `SHA-${strongest}`;
    const digest = new Uint8Array(cryptoHashes[hash].digest);
    ops.sha_digest(hash, bytes, digest);
    const actual = ops.base64_url_encode(digest);
    for (let i = 0; i < digests.length; i++) if (digests[i] === actual) return true;
    return false;
  }

  nano.integrity = { __proto__: null, matches };
});
