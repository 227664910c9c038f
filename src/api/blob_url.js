"use strict";
// The URLs of blobs: File API §8. The store is the realm's, and what is in it stays until it is
// revoked.

(function (nano) {
  const { ops, url: urls } = nano;
  const {
    Map, MapPrototypeDelete, MapPrototypeGet, MapPrototypeSet, StringPrototypeStartsWith, TypeError,
  } = nano.primordials;
  const { isBlob } = nano.blobs;

  /** "Blob URL store": blobs by their URLs. */
  const store = new Map();

  nano.blobs.createURL = (object) => {
    if (!isBlob(object)) throw new TypeError("URL.createObjectURL: the object is not a Blob");
    // An app has no origin.
    const url = `blob:null/${ops.random_uuid()}`;
    MapPrototypeSet(store, url, object);
    return url;
  };

  nano.blobs.revokeURL = (url) => {
    MapPrototypeDelete(store, url);
  };

  /** §8.3.1 "resolve a blob URL": the blob a parsed URL means at this moment. */
  urls.blobOf = (record) => {
    if (!StringPrototypeStartsWith(urls.serialize(record), "blob:")) return undefined;
    return MapPrototypeGet(store, urls.parts(record).bare);
  };
});
