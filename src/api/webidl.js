"use strict";
// Web IDL: how values of an app become the types of a standard, and how an interface's class looks from outside.
// Sections are those of https://webidl.spec.whatwg.org/.

(function (nano) {
  const {
    ArrayBufferIsView, ArrayBufferPrototypeGetByteLength, ArrayBufferPrototypeGetDetached,
    ArrayBufferPrototypeGetResizable, DataViewPrototypeGetBuffer, DataViewPrototypeGetByteLength,
    DataViewPrototypeGetByteOffset, FunctionPrototype, FunctionPrototypeBind, IteratorPrototype, Map, MapPrototypeGet,
    MapPrototypeHas, MapPrototypeSet, MathTrunc, NumberIsFinite, NumberMAX_SAFE_INTEGER,
    ObjectDefineProperty, ObjectGetOwnPropertyNames, ObjectGetOwnPropertySymbols,
    ObjectPrototypePropertyIsEnumerable, ObjectSetPrototypeOf, ReflectApply,
    ReflectGetOwnPropertyDescriptor, ReflectGetPrototypeOf, ReflectOwnKeys, RegExpPrototypeExec,
    StringPrototypeCharCodeAt, StringPrototypeToWellFormed, SymbolHasInstance, SymbolIterator, SymbolToStringTag, TypeError,
    TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteLength: getByteLength, TypedArrayPrototypeGetByteOffset,
    TypedArrayPrototypeGetSymbolToStringTag: getKind, Uint8Array, isObject, newList, push,
  } = nano.primordials;

  // §3.2: conversions. `what` names the value in the error a bad one throws.

  /** §3.2.10. Symbols throw. */
  function DOMString(value) {
    return typeof value === "string" ? value : `${value}`;
  }

  /** Of so few characters, to look at each takes less time than to call V8. */
  const BRIEF = 48;

  /** §3.2.12. Lone surrogates become U+FFFD. */
  function USVString(value) {
    const text = typeof value === "string" ? value : `${value}`;
    const { length } = text;
    if (length > BRIEF) return StringPrototypeToWellFormed(text);
    for (let i = 0; i < length; i++) {
      if (StringPrototypeCharCodeAt(text, i) >= 0xd800) return StringPrototypeToWellFormed(text);
    }
    return text;
  }

  const beyondByte = /[^\0-\xff]/;

  /** §3.2.11. */
  function ByteString(value, what) {
    const text = typeof value === "string" ? value : `${value}`;
    if (RegExpPrototypeExec(beyondByte, text) !== null) {
      throw new TypeError(`${what} contains a character beyond U+00FF`);
    }
    return text;
  }

  /** §3.2.4.9 ConvertToInt in the default mode: modulo 2^bits. */
  const unsignedShort = (value) => +value & 0xffff;
  const unsignedLong = (value) => +value >>> 0;
  const long = (value) => +value | 0;

  /** ConvertToInt with [EnforceRange], for `unsigned long long`. */
  function enforceRange(value, what, max = NumberMAX_SAFE_INTEGER) {
    const number = MathTrunc(+value);
    if (!NumberIsFinite(number) || number < 0 || number > max) {
      throw new TypeError(`${what} is not an integer from 0 to ${max}`);
    }
    return number + 0;
  }

  /** §3.2.17. */
  function dictionary(value, what) {
    if (value === undefined || value === null) return undefined;
    if (!isObject(value)) throw new TypeError(`${what} is not an object`);
    return value;
  }

  /**
   * §3.2.17, for a dictionary type given as its members in the order they are read: those inherited first, then by
   * name. Each has a `key`, a function `convert` and perhaps `required`. What is absent is undefined.
   */
  function dictionaryOf(value, members, what) {
    const given = dictionary(value, what);
    const result = { __proto__: null };
    for (let i = 0; i < members.length; i++) {
      const { key, convert, required } = members[i];
      const member = given === undefined ? undefined : given[key];
      if (member !== undefined) result[key] = convert(member, `${what}: ${key}`);
      else if (required === true) throw new TypeError(`${what}: ${key} is missing`);
    }
    return result;
  }

  /** §3.2.18. */
  function enumeration(value, allowed, what) {
    const text = DOMString(value);
    for (let i = 0; i < allowed.length; i++) if (allowed[i] === text) return text;
    throw new TypeError(`${what}: "${text}" is not a valid value`);
  }

  /** §3.2.19. */
  function callback(value, what) {
    if (typeof value !== "function") throw new TypeError(`${what} is not a function`);
    return value;
  }

  /** §3.2.21: a list of what the iterable `value` yields, each converted. */
  function sequence(value, convert, what) {
    if (!isObject(value)) throw new TypeError(`${what} is not iterable`);
    const method = value[SymbolIterator];
    if (method === undefined || method === null) throw new TypeError(`${what} is not iterable`);
    return sequenceFrom(value, method, convert, what);
  }

  function sequenceFrom(value, method, convert, what) {
    if (typeof method !== "function") throw new TypeError(`${what} is not iterable`);
    const iterator = ReflectApply(method, value, []);
    if (!isObject(iterator)) throw new TypeError(`the iterator of ${what} is not an object`);
    const next = iterator.next;
    const list = newList();
    for (;;) {
      const step = ReflectApply(next, iterator, []);
      if (!isObject(step)) throw new TypeError(`${step} is not an iterator result`);
      if (step.done) return list;
      push(list, convert(step.value, what));
    }
  }

  /** [[OwnPropertyKeys]]. The names alone V8 has at hand; a proxy would see that they are asked for by themselves. */
  function ownKeys(value) {
    if (nano.ops.is_proxy(value) || ObjectGetOwnPropertySymbols(value).length !== 0) return ReflectOwnKeys(value);
    return ObjectGetOwnPropertyNames(value);
  }

  /** §3.2.23: a flat list of keys and values, each key once. */
  function record(value, convertKey, convertValue, what) {
    const flat = newList();
    const keys = ownKeys(value);
    /** Whether conversion has changed a key: two may be the same then. */
    let isAltered = false;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i];
      // It asks a proxy for the property's descriptor, as is to be.
      if (!ObjectPrototypePropertyIsEnumerable(value, key)) continue;
      const name = convertKey(key, what);
      const converted = convertValue(value[key], what);
      isAltered ||= name !== key;
      let at = isAltered ? 0 : flat.length;
      while (at < flat.length && flat[at] !== name) at += 2;
      flat[at] = name;
      flat[at + 1] = converted;
    }
    return flat;
  }

  /** Whether `value` is a `Uint8Array`, of this or any realm, whatever its prototype says. */
  function isUint8Array(value) {
    return ArrayBufferIsView(value) && getKind(value) === "Uint8Array";
  }

  function isArrayBuffer(value) {
    if (!isObject(value)) return false;
    try {
      ArrayBufferPrototypeGetByteLength(value);
      return true;
    } catch {
      return false;
    }
  }

  function bufferOf(value) {
    if (!ArrayBufferIsView(value)) return isArrayBuffer(value) ? value : undefined;
    return getKind(value) === undefined ? DataViewPrototypeGetBuffer(value) : TypedArrayPrototypeGetBuffer(value);
  }

  const isBufferSource = (value) => bufferOf(value) !== undefined;

  /** §3.2.25: `value` itself, if it is a BufferSource. */
  function bufferSource(value, what) {
    const buffer = bufferOf(value);
    if (!isArrayBuffer(buffer)) throw new TypeError(`${what} is not an ArrayBuffer or a view of one`);
    if (ArrayBufferPrototypeGetResizable(buffer)) throw new TypeError(`${what} is resizable`);
    return value;
  }

  /** A `Uint8Array` over the bytes a BufferSource holds now, none if it has been detached; or undefined, as `bytesOf`. */
  function heldBytes(source) {
    const buffer = bufferOf(source);
    // A shared buffer, as a WebAssembly memory may have, is never detached.
    const isDetached = isArrayBuffer(buffer) && ArrayBufferPrototypeGetDetached(buffer);
    return isDetached ? new Uint8Array(0) : bytesOf(source);
  }

  /** A `Uint8Array` over the bytes of a BufferSource, or undefined if `value` is none (§3.2.25). */
  function bytesOf(value) {
    if (ArrayBufferIsView(value)) {
      return getKind(value) === undefined
        ? new Uint8Array(
            DataViewPrototypeGetBuffer(value), DataViewPrototypeGetByteOffset(value),
            DataViewPrototypeGetByteLength(value),
          )
        : new Uint8Array(
            TypedArrayPrototypeGetBuffer(value), TypedArrayPrototypeGetByteOffset(value), getByteLength(value),
          );
    }
    return isArrayBuffer(value) || nano.ops.kind_of(value) === "shared buffer" ? new Uint8Array(value) : undefined;
  }

  /** §3.7.7, step on argument counts. */
  function requireArguments(given, required, what) {
    if (given < required) {
      const needed = `${required} argument${required === 1 ? "" : "s"} required`;
      throw new TypeError(`${what}: ${needed}, but only ${given} present`);
    }
  }

  const global = globalThis;

  /** §3.7.8, step 2.1.2: the global's own operations are called on it, or on nothing. */
  function requireGlobal(self) {
    if (self !== undefined && self !== null && self !== global) throw new TypeError("Illegal invocation");
  }

  /** §3.2.7. */
  function double(value, what) {
    const number = +value;
    if (!NumberIsFinite(number)) throw new TypeError(`${what} is not a finite number`);
    return number;
  }

  // §3.7: what an interface's class looks like from outside.

  function makeEnumerable(holder) {
    const keys = ReflectOwnKeys(holder);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i];
      if (typeof key === "symbol" || key === "constructor") continue;
      if (typeof holder === "function" && (key === "prototype" || key === "length" || key === "name")) continue;
      ObjectDefineProperty(holder, key, { __proto__: null, enumerable: true });
    }
  }

  function tag(prototype, name) {
    ObjectDefineProperty(prototype, SymbolToStringTag, { __proto__: null, value: name, configurable: true });
  }

  /** The interface objects of all interfaces, by their prototypes. */
  const interfaces = new Map();

  /** Whether an object is one of the platform's, by its prototypes. A proxy among them is not asked. */
  function isPlatformObject(object) {
    let holder = object;
    while (holder !== null && !nano.ops.is_proxy(holder)) {
      holder = ReflectGetPrototypeOf(holder);
      if (MapPrototypeHas(interfaces, holder)) return true;
    }
    return false;
  }

  /**
   * Gives a class the shape of an interface, enumerable members and a class string. Returns the interface object: the one
   * function that an app sees.
   */
  function defineInterface(Class) {
    makeEnumerable(Class);
    makeEnumerable(Class.prototype);
    tag(Class.prototype, Class.name);
    const parent = ReflectGetPrototypeOf(Class);
    const object = parent === FunctionPrototype
      ? Class
      : bindInterface(Class, MapPrototypeGet(interfaces, parent.prototype) ?? parent);
    MapPrototypeSet(interfaces, Class.prototype, object);
    return object;
  }

  /**
   * The interface object of a class that extends another. `super(…)` calls whatever is the [[Prototype]] of the class, so
   * that an app must never get hold of the class itself: what it gets is bound to it, and constructs the same.
   */
  function bindInterface(Class, parent) {
    const object = ObjectSetPrototypeOf(FunctionPrototypeBind(Class), parent);
    const keys = ReflectOwnKeys(Class);
    for (let i = 0; i < keys.length; i++) {
      const descriptor = ReflectGetOwnPropertyDescriptor(Class, keys[i]);
      ObjectDefineProperty(object, keys[i], ObjectSetPrototypeOf(descriptor, null));
    }
    ObjectDefineProperty(Class.prototype, "constructor", { __proto__: null, value: object });
    // `instanceof` asks what the function is bound to, which is not to call an app's method of the parent. V8 optimises
    // the language's own method.
    ObjectDefineProperty(Class, SymbolHasInstance, { __proto__: null, value: FunctionPrototype[SymbolHasInstance] });
    return object;
  }

  /** §3.7.5: constants, on the interface object and on its prototype. */
  function defineConstants(Class, constants) {
    const names = ReflectOwnKeys(constants);
    for (let i = 0; i < names.length; i++) {
      const descriptor = { __proto__: null, value: constants[names[i]], enumerable: true };
      ObjectDefineProperty(Class, names[i], descriptor);
      ObjectDefineProperty(Class.prototype, names[i], descriptor);
    }
  }

  /** §3.7.9: entries, keys, values, forEach and @@iterator over the flat list `pairsOf(object)` gives at each step. */
  function defineIterable(Class, pairsOf) {
    const name = Class.name;

    class PairIterator {
      #target;
      #index = 0;
      #kind;

      constructor(target, kind) {
        this.#target = target;
        this.#kind = kind;
      }

      next() {
        if (!(#target in this)) throw new TypeError("Illegal invocation");
        const pairs = pairsOf(this.#target);
        const at = this.#index;
        if (at >= pairs.length) return { value: undefined, done: true };
        this.#index = at + 2;
        const kind = this.#kind;
        const value = kind === 0 ? pairs[at] : kind === 1 ? pairs[at + 1] : [pairs[at], pairs[at + 1]];
        return { value, done: false };
      }
    }
    const prototype = PairIterator.prototype;
    delete prototype.constructor;
    ObjectSetPrototypeOf(prototype, IteratorPrototype);
    makeEnumerable(prototype);
    tag(prototype, `${name} Iterator`);

    const methods = {
      entries() {
        pairsOf(this);
        return new PairIterator(this, 2);
      },
      keys() {
        pairsOf(this);
        return new PairIterator(this, 0);
      },
      values() {
        pairsOf(this);
        return new PairIterator(this, 1);
      },
      forEach(visit, self = undefined) {
        let pairs = pairsOf(this);
        requireArguments(arguments.length, 1, `${name}.forEach`);
        callback(visit, "the callback");
        for (let i = 0; i < pairs.length; i += 2) {
          ReflectApply(visit, self, [pairs[i + 1], pairs[i], this]);
          pairs = pairsOf(this);
        }
      },
    };
    ObjectDefineProperty(methods.forEach, "length", { __proto__: null, value: 1, configurable: true });
    const names = ReflectOwnKeys(methods);
    for (let i = 0; i < names.length; i++) {
      ObjectDefineProperty(Class.prototype, names[i], {
        __proto__: null, value: methods[names[i]], writable: true, enumerable: true, configurable: true,
      });
    }
    ObjectDefineProperty(Class.prototype, SymbolIterator, {
      __proto__: null, value: methods.entries, writable: true, configurable: true,
    });
  }

  /** The global object, by a name that no app can give to another. */
  nano.global = global;

  /** Puts an interface object or an object such as `crypto` into the global scope. */
  nano.expose = (name, value) => {
    ObjectDefineProperty(global, name, { __proto__: null, value, writable: true, configurable: true });
  };

  /** Puts an operation such as `setTimeout` into the global scope. */
  nano.exposeOperation = (name, value) => {
    ObjectDefineProperty(global, name, {
      __proto__: null, value, writable: true, enumerable: true, configurable: true,
    });
  };

  /** `nano` for the scripts of a part: what they add stays with it, and what they expose is there as `exposed`. */
  nano.extend = () => {
    const exposed = { __proto__: null };
    const expose = (name, value) => {
      exposed[name] = value;
    };
    return { __proto__: nano, ops: { __proto__: nano.ops }, exposed, expose, exposeOperation: expose };
  };

  /** Puts an attribute into the global scope that is read only. `read` gives its value. */
  nano.exposeReadOnly = (name, read) => {
    const attribute = {
      get [name]() {
        requireGlobal(this);
        return read();
      },
    };
    const { get } = ReflectGetOwnPropertyDescriptor(attribute, name);
    ObjectDefineProperty(global, name, { __proto__: null, get, set: undefined, enumerable: true, configurable: true });
  };

  /** The same where it is [Replaceable] (§3.4.6): to set it makes it a property like any other. */
  nano.exposeReplaceable = (name, read) => {
    const attribute = {
      get [name]() {
        requireGlobal(this);
        return read();
      },
      set [name](replacement) {
        requireGlobal(this);
        ObjectDefineProperty(global, name, {
          __proto__: null, value: replacement, writable: true, enumerable: true, configurable: true,
        });
      },
    };
    const { get, set } = ReflectGetOwnPropertyDescriptor(attribute, name);
    ObjectDefineProperty(global, name, { __proto__: null, get, set, enumerable: true, configurable: true });
  };

  nano.webidl = {
    __proto__: null,
    DOMString, USVString, ByteString, unsignedShort, unsignedLong, long, double, enforceRange,
    dictionary, dictionaryOf, enumeration, callback, sequence, sequenceFrom, record,
    isUint8Array, isArrayBuffer, isBufferSource, bufferSource, heldBytes, bytesOf, getByteLength,
    requireArguments, requireGlobal, defineInterface, isPlatformObject, defineConstants, defineIterable, makeEnumerable, tag,
  };
});
