"use strict";
// structuredClone: HTML §2.7. Interfaces that are serialisable or transferable say so here, after this script, with a
// function that makes the copy, or the object that is to take the other's place. What is serialised never leaves the realm, so
// that both halves of the way are gone at once.

(function (nano) {
  const { ops, DOMException, domException, quota } = nano;
  const {
    ArrayBufferPrototypeGetDetached, ObjectDefineProperty, Set, SetPrototypeAdd, SetPrototypeHas, TypeError,
    arrayFromList, isObject, newList, push, stackOf,
  } = nano.primordials;
  const { dictionaryOf, isArrayBuffer, isPlatformObject, requireArguments, requireGlobal, sequence } = nano.webidl;

  function fail(message) {
    throw new DOMException(message, "DataCloneError");
  }

  /** The serialisable interfaces: whether an object is of one, and how it is copied. */
  const serializable = newList();

  /**
   * The transferable ones: whether an object is of one, why it cannot be moved, and `prepare()`, which gives `successor`,
   * what is to take its place, and `move(object)`.
   */
  const transferable = newList();

  const kindOf = (list, object) => {
    for (let i = 0; i < list.length; i++) if (list[i].is(object)) return list[i];
    return undefined;
  };

  /** An object listed to be transferred that is not an ArrayBuffer, and its successor. */
  class Transfer {
    object;
    #kind;
    #prepared;

    constructor(object, kind) {
      this.object = object;
      this.#kind = kind;
      this.#prepared = kind.prepare();
    }

    get successor() {
      return this.#prepared.successor;
    }

    move() {
      const hindrance = this.#kind.hindrance(this.object);
      if (hindrance !== undefined) fail(`an object of the transfer list ${hindrance}`);
      this.#prepared.move(this.object);
    }
  }

  /** §2.7.3, on platform objects: what stands for one in the copy; undefined if there is none to be had. */
  const copyOf = (object) => kindOf(serializable, object)?.copy(object);

  /** §2.7.3 StructuredSerialize, and §2.7.6 StructuredDeserialize: the copy of `value`. */
  const clone = (value) => ops.structured_clone(value, fail, isPlatformObject, copyOf);

  /**
   * §2.7.7 StructuredSerializeWithTransfer, and §2.7.8 StructuredDeserializeWithTransfer: the copy of `value`, and what
   * is in the place of the objects transferred, but for buffers.
   */
  function transfer(value, list) {
    const buffers = newList();
    const others = newList();
    const seen = new Set();
    for (let i = 0; i < list.length; i++) {
      const object = list[i];
      const isBuffer = isArrayBuffer(object);
      const kind = isBuffer ? undefined : kindOf(transferable, object);
      if (!isBuffer && kind === undefined) fail("an object of the transfer list cannot be transferred");
      if (SetPrototypeHas(seen, object)) fail("an object is in the transfer list twice");
      SetPrototypeAdd(seen, object);
      if (isBuffer) push(buffers, object);
      else push(others, new Transfer(object, kind));
    }
    for (let i = 0; i < buffers.length; i++) {
      if (ArrayBufferPrototypeGetDetached(buffers[i])) fail("an ArrayBuffer of the transfer list is detached");
    }

    const copy = (object) => {
      for (let i = 0; i < others.length; i++) if (others[i].object === object) return others[i].successor;
      return copyOf(object);
    };
    /** Between both halves. One may be in the way of the next: a TransformStream and a side of it. */
    const move = () => {
      for (let i = 0; i < others.length; i++) others[i].move();
    };
    const result = ops.structured_clone(value, fail, isPlatformObject, copy, arrayFromList(buffers), move);
    const successors = newList();
    for (let i = 0; i < others.length; i++) push(successors, others[i].successor);
    return { value: result, successors };
  }

  function object(value) {
    if (!isObject(value)) throw new TypeError("the transfer list may hold objects alone");
    return value;
  }

  const toTransferList = (value) => sequence(value, object, "the transfer list");
  const StructuredSerializeOptions = [{ __proto__: null, key: "transfer", convert: toTransferList, required: false }];

  const toOptions = (options) =>
    dictionaryOf(options, StructuredSerializeOptions, "the options of a structured clone").transfer ?? newList();

  const operations = {
    structuredClone(value, options = undefined) {
      requireGlobal(this);
      requireArguments(arguments.length, 1, "structuredClone");
      if (options !== undefined) return transfer(value, toOptions(options)).value;
      // Most primitives are their own copies: no serialiser is asked.
      return isObject(value) || typeof value === "symbol" ? clone(value) : value;
    },
  };

  /** The stack of an error goes with its copy. */
  function withStack(copy, original) {
    const stack = stackOf(original);
    if (typeof stack === "string") {
      ObjectDefineProperty(copy, "stack", { __proto__: null, value: stack, writable: true, configurable: true });
    }
    return copy;
  }

  nano.structuredClone = clone;
  nano.serializable = (is, copy) => push(serializable, { is, copy });
  nano.transferable = (kind) => push(transferable, kind);
  nano.structured = { __proto__: null, transfer, toTransferList, toOptions, fail };
  nano.serializable(quota.isQuotaExceededError, (error) => withStack(quota.copy(error), error));
  // Web IDL §4.4.
  nano.serializable(domException.is, (error) => withStack(domException.copy(error), error));
  nano.exposeOperation("structuredClone", operations.structuredClone);
});
