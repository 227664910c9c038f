"use strict";
// Values as people read them in a log. An app's code never runs for it: accessors are named, not called, proxies are
// not looked into, and depth, width and length have limits.

(function (nano) {
  const { ops, isDOMException } = nano;
  const {
    ArrayBufferPrototypeGetByteLength, BigIntPrototypeToString, BigIntPrototypeValueOf, BooleanPrototypeValueOf,
    DatePrototypeGetTime, DatePrototypeToISOString, Error, JSONStringify, MapPrototypeForEach, MapPrototypeGetSize,
    MathMax, NumberIsNaN, NumberPrototypeToString, NumberPrototypeValueOf, ObjectIs, ObjectSetPrototypeOf,
    ReflectApply, ReflectGetOwnPropertyDescriptor, ReflectGetPrototypeOf, ReflectOwnKeys, RegExpPrototypeExec,
    RegExpPrototypeGetDotAll, RegExpPrototypeGetGlobal, RegExpPrototypeGetHasIndices, RegExpPrototypeGetIgnoreCase,
    RegExpPrototypeGetMultiline, RegExpPrototypeGetSource, RegExpPrototypeGetSticky, RegExpPrototypeGetUnicode,
    RegExpPrototypeGetUnicodeSets, Set, SetPrototypeAdd, SetPrototypeDelete,
    SetPrototypeForEach, SetPrototypeGetSize, SetPrototypeHas, String, StringPrototypeIndexOf,
    StringPrototypeReplaceAll, StringPrototypeSlice, StringPrototypeValueOf, SymbolPrototypeToString,
    SymbolPrototypeValueOf, TypedArrayPrototypeGetLength, TypedArrayPrototypeGetSymbolToStringTag, isObject,
    newList, push,
  } = nano.primordials;

  const DEPTH = 4;
  const ENTRIES = 100;
  /** Of an error: more levels than of anything else, for the last one tells most, but each has the lines of all below it. */
  const CAUSES = 10;
  /** Of a string inside something. */
  const STRING = 10_000;
  /** Values shown in one call altogether. */
  const VALUES = 2000;
  /** Beyond this an object's entries go on lines of their own. */
  const WIDTH = 76;
  /** Unless none is longer than this. */
  const SHORT = 16;

  const identifier = /^[A-Za-z_$][\w$]*$/;

  /** An object on its way to text. */
  class Inspection {
    #path = new Set();
    #values = VALUES;
    #depth;

    constructor(depth) {
      this.#depth = depth;
    }

    show(value) {
      if (!isObject(value)) return primitive(value);
      if (SetPrototypeHas(this.#path, value)) return "[Circular]";
      if (this.#values-- <= 0) return "\u2026";
      const kind = ops.kind_of(value);
      if (kind === "proxy") return "[Proxy]";
      SetPrototypeAdd(this.#path, value);
      try {
        return this.#object(value, kind);
      } finally {
        SetPrototypeDelete(this.#path, value);
      }
    }

    #object(value, kind) {
      const name = classOf(value);
      switch (kind) {
        case "function":
          return this.#braced(functionText(value, name), value, newList(), false);
        case "array":
          return this.#array(value, name);
        case "error":
          return this.#error(value);
        case "map":
          return this.#map(value, name);
        case "set":
          return this.#set(value, name);
        case "date":
          return dateText(value);
        case "regexp":
          return `/${RegExpPrototypeGetSource(value)}/${flagsOf(value)}`;
        case "typed array":
          return this.#typedArray(value);
        case "buffer":
          return `${name} { byteLength: ${ArrayBufferPrototypeGetByteLength(value)} }`;
        case "boxed":
          return `[${name}: ${primitive(unbox(value))}]`;
        default:
          if (isDOMException(value)) return this.#error(value);
          return this.#braced(name === "Object" ? "" : name, value, newList(), true);
      }
    }

    get #tooDeep() {
      return SetPrototypeGetSize(this.#path) > this.#depth;
    }

    /** `prefix { entries, own properties }`. */
    #braced(prefix, value, entries, always) {
      const shown = this.#tooDeep ? newList() : this.#properties(value, entries, isHiddenNowhere);
      if (this.#tooDeep && always) return `[${prefix === "" ? "Object" : prefix}]`;
      const lead = prefix === "" ? "" : `${prefix} `;
      if (shown.length === 0) return always ? `${lead}{}` : prefix;
      return lead + join("{", shown, "}");
    }

    #array(value, name) {
      const { length } = value;
      const lead = name === "Array" ? "" : `${name}(${length}) `;
      if (length === 0) return `${lead}[]`;
      if (this.#tooDeep) return "[Array]";
      const entries = newList();
      let holes = 0;
      const flush = () => {
        if (holes > 0) push(entries, `<${holes} empty>`);
        holes = 0;
      };
      let i = 0;
      for (; i < length && entries.length < ENTRIES; i++) {
        const descriptor = describe(value, i);
        if (descriptor === undefined) {
          // A sparse array may be four thousand million long.
          if (++holes === VALUES) break;
          continue;
        }
        flush();
        push(entries, this.#described(descriptor));
      }
      flush();
      if (i < length) push(entries, `\u2026 ${length - i} more`);
      return lead + join("[", this.#properties(value, entries, isHiddenNowhere, ops.named_keys(value)), "]");
    }

    #typedArray(value) {
      const length = TypedArrayPrototypeGetLength(value);
      const entries = newList();
      for (let i = 0; i < length && i < ENTRIES; i++) push(entries, primitive(value[i]));
      if (length > ENTRIES) push(entries, `\u2026 ${length - ENTRIES} more`);
      const lead = `${TypedArrayPrototypeGetSymbolToStringTag(value)}(${length})`;
      return `${lead} ${length === 0 ? "[]" : join("[", entries, "]")}`;
    }

    #map(value, name) {
      const entries = newList();
      const size = MapPrototypeGetSize(value);
      if (!this.#tooDeep) {
        MapPrototypeForEach(value, (item, key) => {
          if (entries.length < ENTRIES) push(entries, `${this.show(key)} => ${this.show(item)}`);
        });
      }
      if (size > entries.length) push(entries, `\u2026 ${size - entries.length} more`);
      return this.#braced(`${name}(${size})`, value, entries, true);
    }

    #set(value, name) {
      const entries = newList();
      const size = SetPrototypeGetSize(value);
      if (!this.#tooDeep) {
        SetPrototypeForEach(value, (item) => {
          if (entries.length < ENTRIES) push(entries, this.show(item));
        });
      }
      if (size > entries.length) push(entries, `\u2026 ${size - entries.length} more`);
      return this.#braced(`${name}(${size})`, value, entries, true);
    }

    #error(value) {
      const stack = stackOf(value);
      const entries = newList();
      const isChain = SetPrototypeGetSize(this.#path) > CAUSES;
      const cause = dataProperty(value, "cause");
      if (cause !== undefined) push(entries, `[cause]: ${isChain ? "\u2026" : this.show(cause)}`);
      const errors = dataProperty(value, "errors");
      if (errors !== undefined) push(entries, `[errors]: ${isChain ? "\u2026" : this.show(errors)}`);
      const shown = this.#properties(value, entries, isErrorMember);
      return shown.length === 0 ? stack : `${stack} ${join("{", shown, "}")}`;
    }

    /** Appends the value's own enumerable properties to `entries`. */
    #properties(value, entries, hidden, keys = ReflectOwnKeys(value)) {
      let left = ENTRIES;
      for (let i = 0; i < keys.length; i++) {
        const key = keys[i];
        if (typeof key === "string" && hidden(key)) continue;
        const descriptor = describe(value, key);
        if (descriptor === undefined || !descriptor.enumerable) continue;
        if (left-- === 0) {
          push(entries, `\u2026 ${keys.length - i} more`);
          break;
        }
        push(entries, `${keyText(key)}: ${this.#described(descriptor)}`);
      }
      return entries;
    }

    #described({ get, set, value }) {
      if (get !== undefined) return set === undefined ? "[Getter]" : "[Getter/Setter]";
      return set === undefined ? this.show(value) : "[Setter]";
    }
  }

  const isHiddenNowhere = () => false;
  const isErrorMember = (key) => key === "stack" || key === "message" || key === "cause" || key === "errors";

  const keyText = (key) => {
    if (typeof key === "symbol") return `[${SymbolPrototypeToString(key)}]`;
    return RegExpPrototypeExec(identifier, key) !== null ? key : quote(key);
  };

  const quote = (text) => JSONStringify(text);

  function primitive(value) {
    switch (typeof value) {
      case "string":
        if (value.length <= STRING) return quote(value);
        return `${quote(StringPrototypeSlice(value, 0, STRING))}\u2026 ${value.length - STRING} more characters`;
      case "number":
        return ObjectIs(value, -0) ? "-0" : NumberPrototypeToString(value);
      case "bigint":
        return `${BigIntPrototypeToString(value)}n`;
      case "symbol":
        return SymbolPrototypeToString(value);
      default:
        return String(value);
    }
  }

  /** `open a, b close`, broken into lines where it is long. */
  function join(open, entries, close) {
    let length = 0;
    let longest = 0;
    let text = "";
    let broken = false;
    for (let i = 0; i < entries.length; i++) {
      length += entries[i].length + 2;
      longest = MathMax(longest, entries[i].length);
      broken ||= StringPrototypeIndexOf(entries[i], "\n") !== -1;
    }
    broken ||= length > WIDTH;
    let column = 0;
    for (let i = 0; i < entries.length; i++) {
      // Short entries, as those of an array of numbers, share a line.
      const fits = longest <= SHORT && column + entries[i].length <= WIDTH;
      if (i !== 0) text += broken && !fits ? ",\n  " : ", ";
      column = i === 0 || fits ? column + entries[i].length + 2 : entries[i].length + 2;
      text += broken ? StringPrototypeReplaceAll(entries[i], "\n", "\n  ") : entries[i];
    }
    return broken ? `${open}\n  ${text}\n${close}` : `${open} ${text} ${close}`;
  }

  /** The own property's descriptor, which inherits nothing an app may have put into `Object.prototype`. */
  function describe(value, key) {
    const descriptor = ReflectGetOwnPropertyDescriptor(value, key);
    return descriptor === undefined ? undefined : ObjectSetPrototypeOf(descriptor, null);
  }

  function dataProperty(value, key) {
    const descriptor = describe(value, key);
    return descriptor === undefined ? undefined : descriptor.value;
  }

  /** The name of the class the object is of, from its prototypes. */
  function classOf(value) {
    let holder = value;
    for (let depth = 0; holder !== null && depth < 32; depth++) {
      if (ops.kind_of(holder) === "proxy") break;
      const constructor = dataProperty(holder, "constructor");
      if (typeof constructor === "function" && ops.kind_of(constructor) !== "proxy") {
        const name = dataProperty(constructor, "name");
        if (typeof name === "string" && name !== "") return name;
      }
      holder = ReflectGetPrototypeOf(holder);
    }
    return holder === null ? "[Object: null prototype]" : "Object";
  }

  function functionText(value, kind) {
    const name = dataProperty(value, "name");
    const shown = typeof name === "string" && name !== "" ? name : "(anonymous)";
    return `[${kind === "[Object: null prototype]" ? "Function" : kind}: ${shown}]`;
  }

  function dateText(value) {
    return NumberIsNaN(DatePrototypeGetTime(value)) ? "Invalid Date" : DatePrototypeToISOString(value);
  }

  /** Each asked by itself: the getter of all reads the others, which may be an app's. */
  const flags = [
    { is: RegExpPrototypeGetHasIndices, flag: "d" }, { is: RegExpPrototypeGetGlobal, flag: "g" },
    { is: RegExpPrototypeGetIgnoreCase, flag: "i" }, { is: RegExpPrototypeGetMultiline, flag: "m" },
    { is: RegExpPrototypeGetDotAll, flag: "s" }, { is: RegExpPrototypeGetUnicode, flag: "u" },
    { is: RegExpPrototypeGetUnicodeSets, flag: "v" }, { is: RegExpPrototypeGetSticky, flag: "y" },
  ];

  function flagsOf(value) {
    let text = "";
    for (let i = 0; i < flags.length; i++) if (flags[i].is(value)) text += flags[i].flag;
    return text;
  }

  const unboxers = [
    NumberPrototypeValueOf, StringPrototypeValueOf, BooleanPrototypeValueOf, SymbolPrototypeValueOf,
    BigIntPrototypeValueOf,
  ];

  function unbox(value) {
    for (let i = 0; i < unboxers.length; i++) {
      try {
        return unboxers[i](value);
      } catch {
        // Of another kind.
      }
    }
    return undefined;
  }

  const nativeStack = ReflectGetOwnPropertyDescriptor(new Error(), "stack").get;

  /** The stack if there is one, else name and message as far as they are plain. */
  function stackOf(error) {
    const descriptor = describe(error, "stack");
    if (descriptor !== undefined) {
      let stack = descriptor.value;
      if (descriptor.get !== undefined && descriptor.get === nativeStack) {
        try {
          // Runs the app's Error.prepareStackTrace, if it has one.
          stack = ReflectApply(nativeStack, error, []);
        } catch {
          stack = undefined;
        }
      }
      if (typeof stack === "string" && stack !== "") return stack;
    }
    const message = dataProperty(error, "message");
    const name = classOf(error);
    return typeof message === "string" && message !== "" ? `[${name}: ${message}]` : `[${name}]`;
  }

  /** `value` as text, looking `depth` levels into objects. */
  const inspect = (value, depth = DEPTH) => new Inspection(depth).show(value);

  nano.inspect = inspect;
  nano.describe = describe;
});
