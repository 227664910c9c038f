"use strict";
// structuredClone: HTML §2.7.10. Interfaces that are serialisable say so here, after this script, with a function that
// makes the copy.

(function (nano) {
  const { ops, DOMException } = nano;
  const { ArrayBufferPrototypeGetDetached, ArrayPrototypeIncludes, arrayFromList, newList, push } = nano.primordials;
  const { dictionary, isArrayBuffer, isPlatformObject, requireArguments, sequence } = nano.webidl;

  function fail(message) {
    throw new DOMException(message, "DataCloneError");
  }

  /** The serialisable interfaces: whether an object is of one, and how it is copied. */
  const serializable = newList();

  /** §2.7.3, on serialisable objects: a copy of one of the platform's objects, undefined if there is none to be had. */
  function copyPlatformObject(object) {
    for (let i = 0; i < serializable.length; i++) {
      if (serializable[i].is(object)) return serializable[i].copy(object);
    }
    return undefined;
  }

  const clone = (value, buffers) =>
    ops.structured_clone(value, arrayFromList(buffers), fail, isPlatformObject, copyPlatformObject);

  const operations = {
    structuredClone(value, options = undefined) {
      requireArguments(arguments.length, 1, "structuredClone");
      const transfer = dictionary(options, "structuredClone's options")?.transfer;
      const buffers =
        transfer === undefined ? newList() : sequence(transfer, (buffer) => buffer, "structuredClone's transfer list");
      for (let i = 0; i < buffers.length; i++) {
        if (!isArrayBuffer(buffers[i])) fail("only an ArrayBuffer can be transferred");
        if (ArrayPrototypeIncludes(buffers, buffers[i], i + 1)) fail("an ArrayBuffer is listed twice");
        if (ArrayBufferPrototypeGetDetached(buffers[i])) fail("the ArrayBuffer is detached");
      }
      return clone(value, buffers);
    },
  };

  /** StructuredSerialize and StructuredDeserialize. */
  nano.structuredClone = (value) => clone(value, newList());
  nano.serializable = (is, copy) => push(serializable, { is, copy });
  nano.exposeOperation("structuredClone", operations.structuredClone);
});
