"use strict";
// structuredClone: HTML §2.7.10.

(function (nano) {
  const { ops, DOMException } = nano;
  const { ArrayBufferPrototypeGetDetached, ArrayPrototypeIncludes, arrayFromList, newList } = nano.primordials;
  const { dictionary, isArrayBuffer, isPlatformObject, requireArguments, sequence } = nano.webidl;

  function fail(message) {
    throw new DOMException(message, "DataCloneError");
  }

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
      return ops.structured_clone(value, arrayFromList(buffers), fail, isPlatformObject);
    },
  };

  nano.exposeOperation("structuredClone", operations.structuredClone);
});
