"use strict";
// URL.createObjectURL and URL.revokeObjectURL: File API §8. The store is the realm's, and what is in it stays until it is
// revoked.

(function (nano) {
  const { ops, url: urls } = nano;
  const {
    Map, MapPrototypeDelete, MapPrototypeGet, MapPrototypeSet, ObjectDefineProperty, StringPrototypeStartsWith, TypeError,
  } = nano.primordials;
  const { DOMString, requireArguments } = nano.webidl;
  const { isBlob } = nano.blobs;
  const { URL } = globalThis;

  /** "Blob URL store": blobs by their URLs. */
  const store = new Map();

  const operations = {
    createObjectURL(obj) {
      requireArguments(arguments.length, 1, "URL.createObjectURL");
      if (!isBlob(obj)) throw new TypeError("URL.createObjectURL: the object is not a Blob");
      // An app has no origin.
      const url = `blob:null/${ops.random_uuid()}`;
      MapPrototypeSet(store, url, obj);
      return url;
    },

    revokeObjectURL(url) {
      requireArguments(arguments.length, 1, "URL.revokeObjectURL");
      MapPrototypeDelete(store, DOMString(url));
    },
  };

  for (const name of ["createObjectURL", "revokeObjectURL"]) {
    ObjectDefineProperty(URL, name, {
      __proto__: null, value: operations[name], writable: true, enumerable: true, configurable: true,
    });
  }

  /** §8.3.1 "resolve a blob URL": the blob a parsed URL means at this moment. */
  urls.blobOf = (record) => {
    if (!StringPrototypeStartsWith(urls.serialize(record), "blob:")) return undefined;
    return MapPrototypeGet(store, urls.parts(record).bare);
  };
});
