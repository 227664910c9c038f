"use strict";
// What V8's WebAssembly leaves out of the JavaScript API's type reflection (https://github.com/WebAssembly/js-types) and
// other engines have: `minimum` and "funcref" in the descriptors of memories, tables and globals, and `type` of a global.

(function (nano) {
  const {
    ObjectDefineProperty, ReflectApply, ReflectConstruct, ReflectGetOwnPropertyDescriptor, TypeError, Uint8Array, isObject,
  } = nano.primordials;
  // V8's own, that no app has seen.
  const { WebAssembly } = nano.entry;
  const { Global, Instance, Module } = WebAssembly;

  // V8 reads and converts one member after the other, as the standard's order has it: so do these, when they are asked.

  const initialOf = ({ initial, minimum }) => {
    if (initial !== undefined && minimum !== undefined) throw new TypeError("WebAssembly: both initial and minimum are given");
    return initial === undefined ? minimum : initial;
  };
  /** V8 knows funcref by its old name alone. */
  const nameOf = (type) => (type === "funcref" ? "anyfunc" : type);

  const memory = (given) => ({
    __proto__: null,
    get address() { return given.address; },
    get initial() { return initialOf(given); },
    get maximum() { return given.maximum; },
    get shared() { return given.shared; },
  });
  const table = (given) => ({
    __proto__: null,
    get element() { return nameOf(given.element); },
    get address() { return given.address; },
    get initial() { return initialOf(given); },
    get maximum() { return given.maximum; },
  });
  const global = (given) => ({
    __proto__: null,
    get mutable() { return given.mutable; },
    get value() { return nameOf(given.value); },
  });

  /** Has the interface `name` be made from what `descriptor` shows V8 of the descriptor given. */
  function describe(name, descriptor) {
    const V8s = WebAssembly[name];
    const { prototype } = V8s;
    function constructor(...args) {
      if (new.target === undefined) throw new TypeError(`WebAssembly.${name} must be invoked with 'new'`);
      if (args.length !== 0 && isObject(args[0])) args[0] = descriptor(args[0]);
      return ReflectConstruct(V8s, args, new.target);
    }
    ObjectDefineProperty(constructor, "name", { __proto__: null, value: name });
    ObjectDefineProperty(constructor, "length", { __proto__: null, value: 1 });
    ObjectDefineProperty(constructor, "prototype", { __proto__: null, value: prototype, writable: false });
    ObjectDefineProperty(prototype, "constructor", { __proto__: null, value: constructor });
    ObjectDefineProperty(WebAssembly, name, { __proto__: null, value: constructor });
  }

  describe("Memory", memory);
  describe("Table", table);
  describe("Global", global);

  // The types of globals, by their codes in a module. Those that others match come after them.
  const readable = [
    0x7f, "i32", 0x7e, "i64", 0x7d, "f32", 0x7c, "f64", 0x70, "funcref", 0x6c, "i31ref", 0x6b, "structref", 0x6a, "arrayref",
    0x6d, "eqref", 0x6e, "anyref", 0x6f, "externref",
  ];
  const unreadable = [0x7b, "v128", 0x69, "exnref"];

  /** Whether a module that imports a global of that type takes this one (WebAssembly §3.5.6). */
  function matches(global, code, mutable) {
    const bytes = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 2, 6, 1, 0, 0, 3, code, mutable];
    const module = new Uint8Array(bytes.length);
    for (let i = 0; i < bytes.length; i++) module[i] = bytes[i];
    try {
      new Instance(new Module(module), { __proto__: null, "": { __proto__: null, "": global } });
      return true;
    } catch {
      return false;
    }
  }

  const { get: getValue } = ReflectGetOwnPropertyDescriptor(Global.prototype, "value");

  const { type } = {
    type() {
      let types = readable;
      try {
        ReflectApply(getValue, this, []);
      } catch {
        // It is no global, or one of a type that has no values in JavaScript.
        types = unreadable;
      }
      for (let i = 0; i < types.length; i += 2) {
        if (matches(this, types[i], 0)) return { mutable: false, value: types[i + 1] };
        if (matches(this, types[i], 1)) return { mutable: true, value: types[i + 1] };
      }
      throw new TypeError("WebAssembly.Global.type: not a global of a type that has a name");
    },
  };
  ObjectDefineProperty(Global.prototype, "type", {
    __proto__: null, value: type, writable: true, enumerable: true, configurable: true,
  });

  nano.expose("WebAssembly", WebAssembly);
});
