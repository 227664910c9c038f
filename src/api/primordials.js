"use strict";
// The intrinsics as they are before any app runs. Platform code reaches the language through these alone, so that
// an app that patches `Array.prototype.push` or `Promise.prototype.then` changes nothing but itself.
//
// Records of our own are plain literals where every member that is read is there, and inherit from null where one may
// be absent (V8 keeps the latter as hash tables, which are slower).
//
// Names follow one rule: `Array.isArray` is `ArrayIsArray`, `Array.prototype.push` is `ArrayPrototypePush` and takes
// its `this` first, the getter `Map.prototype.size` is `MapPrototypeGetSize`, `Symbol.iterator` is `SymbolIterator`.

(function (nano) {
  const { getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect;
  const { setPrototypeOf } = Object;
  const { slice, toUpperCase } = String.prototype;
  const { apply, bind, call } = Function.prototype;

  /** `uncurryThis(f)(self, ...rest)` is `f.call(self, ...rest)`, whatever becomes of `Function.prototype.call`. */
  const uncurryThis = bind.bind(call);
  const applyTo = uncurryThis(apply);

  const primordials = { __proto__: null };

  /** Keeps what some script names. All there is would take 50 KB in every context. */
  const keep = (name, make) => {
    if (nano.words.includes(` ${name} `)) primordials[name] = make();
  };

  function nameOf(key) {
    const text = typeof key === "symbol" ? `Symbol${nameOf(key.description.slice("Symbol.".length))}` : key;
    return toUpperCase.call(text[0]) + slice.call(text, 1);
  }

  function captureStatics(prefix, holder) {
    for (const key of ownKeys(holder)) {
      if (key === "prototype" || key === "name" || key === "length") continue;
      const { value } = getOwnPropertyDescriptor(holder, key);
      if (value === undefined) continue;
      // Most statics ignore `this`; those of Promise and Array construct with it.
      keep(prefix + nameOf(key), () => (typeof value === "function" ? value.bind(holder) : value));
    }
  }

  function capturePrototype(prefix, prototype) {
    for (const key of ownKeys(prototype)) {
      if (key === "constructor") continue;
      const { value, get } = getOwnPropertyDescriptor(prototype, key);
      if (typeof value === "function") keep(`${prefix}Prototype${nameOf(key)}`, () => uncurryThis(value));
      else if (get !== undefined) keep(`${prefix}PrototypeGet${nameOf(key)}`, () => uncurryThis(get));
    }
  }

  for (const name of ["JSON", "Math", "Reflect"]) captureStatics(name, globalThis[name]);

  for (const name of [
    "Array", "ArrayBuffer", "BigInt", "Boolean", "DataView", "Date", "Error", "Function", "Map", "Number", "Object",
    "Promise", "RangeError", "RegExp", "Set", "String", "Symbol", "TypeError", "Uint8Array", "WeakMap", "WeakRef", "WeakSet",
  ]) {
    const intrinsic = globalThis[name];
    primordials[name] = intrinsic;
    captureStatics(name, intrinsic);
    capturePrototype(name, intrinsic.prototype);
    primordials[`${name}Prototype`] = intrinsic.prototype;
  }

  capturePrototype("TypedArray", getPrototypeOf(Uint8Array.prototype));
  capturePrototype("ArrayIterator", getPrototypeOf([][Symbol.iterator]()));
  primordials.IteratorPrototype = getPrototypeOf(getPrototypeOf([][Symbol.iterator]()));
  /** The constructors of typed arrays, by name. V8 makes the last one with each context: Rust puts it here (realm.rs). */
  primordials.typedArrays = {
    BigInt64Array, BigUint64Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Uint8Array,
    Uint8ClampedArray, Uint16Array, Uint32Array, Float16Array: undefined,
  };
  nano.entry.typedArrays = primordials.typedArrays;
  primordials.AsyncIteratorPrototype = getPrototypeOf(getPrototypeOf((async function* () {}).prototype));

  // Lists.

  class List extends Array {
    // Without a constructor of its own, V8 takes four times as long to make one.
    constructor() {
      super();
    }
  }
  delete List.prototype.constructor;
  setPrototypeOf(List.prototype, null);

  /** An empty list of our own: an array that inherits nothing, so that nobody's setters see what is put into it. */
  primordials.newList = () => new List();

  /** Appends to a list made by `newList`. */
  primordials.push = (list, value) => {
    list[list.length] = value;
  };

  /** A list as an array for an app to keep. */
  primordials.arrayFromList = primordials.ArrayPrototypeSlice;

  const { get: getStack } = getOwnPropertyDescriptor(new primordials.Error(), "stack");

  /** The stack V8 keeps for an error; undefined if it keeps none. */
  primordials.stackOf = (error) => {
    try {
      return applyTo(getStack, error, []);
    } catch {
      return undefined;
    }
  };

  // Promises. What these return or take are native promises of our own making, never an app's thenable.

  const {
    ObjectGetOwnPropertyDescriptor, Promise: NativePromise, PromisePrototypeThen: then, PromiseResolve: resolve,
    ReflectDefineProperty, ReflectDeleteProperty, SymbolSpecies,
  } = primordials;

  /** Whether the language finds the `constructor` and the species of a promise as they were before any app ran. */
  const isUntouched = (promise) => {
    try {
      return promise.constructor === NativePromise && NativePromise[SymbolSpecies] === NativePromise;
    } catch {
      return false;
    }
  };

  /** What `callback` gives while `promise` has this `constructor` of its own. No app's code runs meanwhile. */
  const withConstructor = (promise, constructor, callback) => {
    const own = ObjectGetOwnPropertyDescriptor(promise, "constructor");
    ReflectDefineProperty(promise, "constructor", { __proto__: null, value: constructor, configurable: true });
    try {
      return callback();
    } finally {
      if (own === undefined) ReflectDeleteProperty(promise, "constructor");
      else ReflectDefineProperty(promise, "constructor", own);
    }
  };

  /** `promise.then(…)` by ECMAScript §27.2.5.4, but what it gives is a promise of ours whatever the species says. */
  const PromisePrototypeThen = (promise, onFulfilled, onRejected) =>
    isUntouched(promise)
      ? then(promise, onFulfilled, onRejected)
      : withConstructor(promise, undefined, () => then(promise, onFulfilled, onRejected));
  primordials.PromisePrototypeThen = PromisePrototypeThen;

  /** `Promise.resolve(value)`; a promise is its own, even where its `constructor` cannot be asked. */
  const PromiseResolve = (value) => {
    try {
      return resolve(value);
    } catch {
      return withConstructor(value, NativePromise, () => resolve(value));
    }
  };
  primordials.PromiseResolve = PromiseResolve;

  /** A promise with its `resolve` and `reject`. */
  primordials.newPromise = () => {
    const capability = { promise: undefined, resolve: undefined, reject: undefined };
    capability.promise = new NativePromise((resolve, reject) => {
      capability.resolve = resolve;
      capability.reject = reject;
    });
    return capability;
  };

  const ignore = () => {};

  /** Runs a reaction for its effect. */
  primordials.uponPromise = (promise, onFulfilled, onRejected) => {
    PromisePrototypeThen(promise, onFulfilled, onRejected);
  };

  /** Says that a rejection is handled elsewhere. */
  primordials.markHandled = (promise) => {
    PromisePrototypeThen(promise, undefined, ignore);
  };

  /** A promise for whatever `callback` returns, resolved as WebIDL's "invoke a callback" does. */
  primordials.promiseCall = (callback, self, args) => {
    try {
      return PromiseResolve(applyTo(callback, self, args));
    } catch (error) {
      return primordials.PromiseReject(error);
    }
  };

  /** Says whether `value` can have properties. */
  primordials.isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";

  delete nano.words;
  nano.primordials = primordials;
});
