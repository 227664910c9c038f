"use strict";
// Headers: Fetch Standard §2.2 (header lists) and §5.1 (the class). Names are kept in lower case. A server sets and
// reads any field, so that the guards "request" and "response" forbid no names; "immutable" forbids changes.

(function (nano) {
  const {
    ArrayPrototypeSort, Map, MapPrototypeGet, MapPrototypeGetSize, MapPrototypeSet, RegExpPrototypeExec,
    StringPrototypeCharCodeAt, StringPrototypeSlice, StringPrototypeToLowerCase, SymbolIterator, TypeError,
    arrayFromList, isObject, newList, push,
  } = nano.primordials;
  const { ops } = nano;
  const { ByteString, defineInterface, defineIterable, record, requireArguments, sequence, sequenceFrom } = nano.webidl;

  // §2.2.1: a name is a token (RFC 9110 §5.6.2); a value has no NUL, CR or LF, and no white space around it.
  const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
  const forbidden = /[\0\r\n]/;
  /** What no value has that needs no second look, white space around it aside. */
  const suspicious = /[\0\r\n\u0100-\uffff]/;

  // What names and values of a HeadersInit need: the names a look and the values to be trimmed, or those a look too.
  const NOTHING = 0;
  const TRIMMING = 1;
  const ALL = 2;

  /** So many of an incoming request's are asked for one by one. */
  const FEW = 4;

  /** Names met before, valid, with their lower case. Bounded: an app may make up any number of them. */
  const names = new Map();
  const NAMES = 512;

  function normalizeName(value) {
    const known = MapPrototypeGet(names, value);
    if (known !== undefined) return known;
    const name = ByteString(value, "a header's name");
    if (RegExpPrototypeExec(token, name) === null) throw new TypeError(`"${name}" is not a header name`);
    const lower = StringPrototypeToLowerCase(name);
    if (MapPrototypeGetSize(names) < NAMES) MapPrototypeSet(names, name, lower);
    return lower;
  }

  const isSpace = (code) => code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;

  const isClean = (value) => typeof value === "string" && RegExpPrototypeExec(suspicious, value) === null;

  /** `isKnown` says that it is clean. */
  function normalizeValue(value, isKnown = false) {
    if (isKnown || isClean(value)) {
      const { length } = value;
      if (length === 0) return value;
      const first = StringPrototypeCharCodeAt(value, 0);
      if (!isSpace(first) && !isSpace(StringPrototypeCharCodeAt(value, length - 1))) return value;
    }
    const text = ByteString(value, "a header's value");
    let start = 0;
    let end = text.length;
    while (start < end && isSpace(StringPrototypeCharCodeAt(text, start))) start++;
    while (end > start && isSpace(StringPrototypeCharCodeAt(text, end - 1))) end--;
    const trimmed = end - start === text.length ? text : StringPrototypeSlice(text, start, end);
    if (RegExpPrototypeExec(forbidden, trimmed) !== null) {
      throw new TypeError("a header's value has a line break or NUL");
    }
    return trimmed;
  }

  const internal = { __proto__: null };
  let pairsOf;
  let listOf;
  let isImmutable;
  let create;
  let createIncoming;
  let convert;
  let fill;
  let setContentType;

  class Headers {
    /** Names and values in turn, as they were appended; undefined as long as only Rust has them. */
    #list;
    /** The incoming request they are of, and how often that was asked for one of them. */
    #token = 0;
    #asked = 0;
    #immutable = false;
    /** What iteration sees, until the list changes. */
    #sorted = undefined;

    constructor(init = undefined, list = undefined) {
      if (init === internal) {
        this.#list = list;
        return;
      }
      this.#list = newList();
      if (init !== undefined) fill(this, convert(init));
    }

    append(name, value) {
      if (!(#list in this)) throw new TypeError("Illegal invocation");
      requireArguments(arguments.length, 2, "Headers.append");
      const asked = nameBefore(name, value);
      const given = converted(value);
      const key = normalizeName(asked);
      const text = normalizeValue(given);
      this.#checkGuard();
      const list = this.#fields;
      push(list, key);
      push(list, text);
    }

    delete(name) {
      if (!(#list in this)) throw new TypeError("Illegal invocation");
      requireArguments(arguments.length, 1, "Headers.delete");
      const key = normalizeName(name);
      this.#checkGuard();
      const list = this.#fields;
      let kept = 0;
      for (let i = 0; i < list.length; i += 2) {
        if (list[i] === key) continue;
        list[kept++] = list[i];
        list[kept++] = list[i + 1];
      }
      list.length = kept;
    }

    get(name) {
      if (!(#list in this)) throw new TypeError("Illegal invocation");
      requireArguments(arguments.length, 1, "Headers.get");
      const key = normalizeName(name);
      if (this.#isFew) return ops.request_header(this.#token, key);
      const list = this.#fields;
      let value = null;
      for (let i = 0; i < list.length; i += 2) {
        if (list[i] === key) value = value === null ? list[i + 1] : `${value}, ${list[i + 1]}`;
      }
      return value;
    }

    getSetCookie() {
      const list = this.#fields;
      const cookies = newList();
      for (let i = 0; i < list.length; i += 2) if (list[i] === "set-cookie") push(cookies, list[i + 1]);
      return arrayFromList(cookies);
    }

    has(name) {
      if (!(#list in this)) throw new TypeError("Illegal invocation");
      requireArguments(arguments.length, 1, "Headers.has");
      const key = normalizeName(name);
      if (this.#isFew) return ops.request_header(this.#token, key) !== null;
      const list = this.#fields;
      for (let i = 0; i < list.length; i += 2) if (list[i] === key) return true;
      return false;
    }

    set(name, value) {
      if (!(#list in this)) throw new TypeError("Illegal invocation");
      requireArguments(arguments.length, 2, "Headers.set");
      const asked = nameBefore(name, value);
      const given = converted(value);
      const key = normalizeName(asked);
      const text = normalizeValue(given);
      this.#checkGuard();
      const list = this.#fields;
      let first = 0;
      while (first < list.length && list[first] !== key) first += 2;
      list[first] = key;
      list[first + 1] = text;
      let kept = first + 2;
      for (let i = kept; i < list.length; i += 2) {
        if (list[i] === key) continue;
        list[kept] = list[i];
        list[kept + 1] = list[i + 1];
        kept += 2;
      }
      // It takes V8 a call, whatever the length was before.
      if (kept !== list.length) list.length = kept;
    }

    get #fields() {
      this.#list ??= copyList(ops.request_headers(this.#token));
      return this.#list;
    }

    /** Whether one of them is asked for alone: most apps read one or two, and to make a list of all takes longer. */
    get #isFew() {
      return this.#list === undefined && ++this.#asked <= FEW;
    }

    #checkGuard() {
      if (this.#immutable) throw new TypeError("these headers cannot be changed");
      this.#sorted = undefined;
    }

    /** §2.2.2 "sort and combine". */
    #sortAndCombine() {
      const list = this.#fields;
      const order = newList();
      for (let i = 0; i < list.length; i += 2) push(order, i);
      ArrayPrototypeSort(order, (a, b) => (list[a] < list[b] ? -1 : list[a] > list[b] ? 1 : a - b));
      const sorted = newList();
      for (let i = 0; i < order.length; i++) {
        const name = list[order[i]];
        const value = list[order[i] + 1];
        const end = sorted.length;
        if (end !== 0 && sorted[end - 2] === name && name !== "set-cookie") {
          sorted[end - 1] = `${sorted[end - 1]}, ${value}`;
        } else {
          push(sorted, name);
          push(sorted, value);
        }
      }
      return sorted;
    }

    static {
      pairsOf = (headers) => (headers.#sorted ??= headers.#sortAndCombine());
      listOf = (headers) => headers.#fields;
      isImmutable = (headers) => headers.#immutable;

      create = (list, immutable) => {
        const headers = new Headers(internal, list);
        headers.#immutable = immutable;
        return headers;
      };

      /** Those of an incoming request, which do not change. */
      createIncoming = (token) => {
        const headers = create(undefined, true);
        headers.#token = token;
        return headers;
      };

      /** HeadersInit as Web IDL converts it: names and values in turn, and what is still to be done to them. */
      convert = (init) => {
        if (!isObject(init)) throw new TypeError("Headers: the argument is neither a sequence nor a record");
        const method = init[SymbolIterator];
        if (method === undefined || method === null) {
          let areClean = true;
          const toValue = (value) => {
            if (isClean(value)) return value;
            areClean = false;
            return headerValue(value);
          };
          const list = record(init, headerName, toValue, "the headers");
          return { list, needs: areClean ? TRIMMING : ALL };
        }
        if (#list in init && method === entries) {
          return { list: copyList(init.#fields), needs: NOTHING };
        }
        const pairs = sequenceFrom(init, method, (pair) => sequence(pair, headerValue, "a header"), "the headers");
        const list = newList();
        for (let i = 0; i < pairs.length; i++) {
          if (pairs[i].length !== 2) throw new TypeError("Headers: each header must have a name and a value alone");
          push(list, pairs[i][0]);
          push(list, pairs[i][1]);
        }
        return { list, needs: ALL };
      };

      /** §5.1 "fill", of headers that are new, with what `convert` gave. */
      fill = (headers, { list, needs }) => {
        for (let i = 0; i < list.length && needs !== NOTHING; i += 2) {
          list[i] = normalizeName(list[i]);
          list[i + 1] = normalizeValue(list[i + 1], needs === TRIMMING);
        }
        headers.#list = list;
      };

      /** Fetch §5.4 step 36, §5.5 "initialize a response" step 6: where nobody set one. */
      setContentType = (headers, type) => {
        const list = headers.#fields;
        for (let i = 0; i < list.length; i += 2) if (list[i] === "content-type") return;
        push(list, "content-type");
        push(list, type);
        headers.#sorted = undefined;
      };
    }
  }

  const headerName = (name) => (MapPrototypeGet(names, name) === undefined ? ByteString(name, "a header's name") : name);
  const headerValue = (value) => ByteString(value, "a header's name or value");

  /** The name of a field that is added: converted before `value` is, and both before either is looked at (Web IDL §3.7.7). */
  const nameBefore = (name, value) => (typeof value === "string" ? name : headerName(name));
  const converted = (value) => (typeof value === "string" ? value : headerValue(value));

  defineInterface(Headers);
  defineIterable(Headers, pairsOf);
  const { entries } = Headers.prototype;

  /** A copy of a flat list. */
  function copyList(list) {
    const copy = newList();
    for (let i = 0; i < list.length; i++) push(copy, list[i]);
    return copy;
  }

  /** The value of Content-Type, or null. */
  function contentTypeOf(headers) {
    const list = listOf(headers);
    let value = null;
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] === "content-type") value = value === null ? list[i + 1] : `${value}, ${list[i + 1]}`;
    }
    return value;
  }

  /** More than any head has: Rust says which are too many, if V8 can pass them on. */
  const MOST = 2500;

  /** The arguments of a native function that takes the fields of a flat list behind its first ones. */
  function withFields(first, list) {
    const args = copyList(first);
    for (let i = 0; i < list.length && i < MOST; i++) push(args, list[i]);
    return args;
  }

  nano.headers = {
    __proto__: null, contentTypeOf, convert, copyList, create, createIncoming, fill, isImmutable, listOf, setContentType,
    withFields,
  };
  nano.expose("Headers", Headers);
});
