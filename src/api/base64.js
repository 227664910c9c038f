"use strict";
// atob and btoa: HTML §8.3.

(function (nano) {
  const { ops, DOMException } = nano;
  const { DOMString, requireArguments, requireGlobal } = nano.webidl;

  const operations = {
    btoa(data) {
      requireGlobal(this);
      requireArguments(arguments.length, 1, "btoa");
      const encoded = ops.base64_encode(DOMString(data));
      if (encoded === undefined) {
        throw new DOMException("btoa: the text contains a character beyond U+00FF", "InvalidCharacterError");
      }
      return encoded;
    },

    atob(data) {
      requireGlobal(this);
      requireArguments(arguments.length, 1, "atob");
      const decoded = ops.base64_decode(DOMString(data));
      if (decoded === undefined) throw new DOMException("atob: the text is not base64", "InvalidCharacterError");
      return decoded;
    },
  };

  nano.exposeOperation("btoa", operations.btoa);
  nano.exposeOperation("atob", operations.atob);
});
