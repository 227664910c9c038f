"use strict";
// URLSearchParams: URL Standard §6.2. The list is flat: names and values in turn.

(function (nano) {
  const { ops, url } = nano;
  const {
    ArrayPrototypeSort, RegExpPrototypeExec, StringFromCharCode, StringPrototypeCharCodeAt, StringPrototypeIndexOf,
    StringPrototypeSlice, StringPrototypeStartsWith, SymbolIterator, TypeError, Uint8Array, arrayFromList, isObject, newList,
    push,
  } = nano.primordials;
  const { USVString, defineInterface, defineIterable, record, requireArguments, sequence, sequenceFrom } = nano.webidl;

  let pairsOf;
  let attach;
  let replace;
  let isSearchParams;

  class URLSearchParams {
    #list;
    #url = null;

    constructor(init = "") {
      if (isObject(init)) {
        this.#list = fromObject(init);
        return;
      }
      let text = USVString(init);
      if (StringPrototypeStartsWith(text, "?")) text = StringPrototypeSlice(text, 1);
      this.#list = parse(text);
    }

    get size() {
      return this.#list.length / 2;
    }

    append(name, value) {
      this.#branded();
      requireArguments(arguments.length, 2, "URLSearchParams.append");
      const key = USVString(name);
      const text = USVString(value);
      const list = this.#url === null ? this.#list : filter(this.#list, () => true);
      push(list, key);
      push(list, text);
      this.#update(list);
    }

    delete(name, value = undefined) {
      this.#branded();
      requireArguments(arguments.length, 1, "URLSearchParams.delete");
      const key = USVString(name);
      const text = value === undefined ? undefined : USVString(value);
      this.#update(filter(this.#list, (k, v) => k !== key || (text !== undefined && v !== text)));
    }

    get(name) {
      this.#branded();
      requireArguments(arguments.length, 1, "URLSearchParams.get");
      const key = USVString(name);
      const list = this.#list;
      for (let i = 0; i < list.length; i += 2) if (list[i] === key) return list[i + 1];
      return null;
    }

    getAll(name) {
      this.#branded();
      requireArguments(arguments.length, 1, "URLSearchParams.getAll");
      const key = USVString(name);
      const values = newList();
      const list = this.#list;
      for (let i = 0; i < list.length; i += 2) if (list[i] === key) push(values, list[i + 1]);
      return arrayFromList(values);
    }

    has(name, value = undefined) {
      this.#branded();
      requireArguments(arguments.length, 1, "URLSearchParams.has");
      const key = USVString(name);
      const text = value === undefined ? undefined : USVString(value);
      const list = this.#list;
      for (let i = 0; i < list.length; i += 2) {
        if (list[i] === key && (text === undefined || list[i + 1] === text)) return true;
      }
      return false;
    }

    set(name, value) {
      this.#branded();
      requireArguments(arguments.length, 2, "URLSearchParams.set");
      const key = USVString(name);
      const text = USVString(value);
      const list = this.#list;
      let found = false;
      const kept = newList();
      for (let i = 0; i < list.length; i += 2) {
        const match = list[i] === key;
        if (match && found) continue;
        push(kept, list[i]);
        push(kept, match ? text : list[i + 1]);
        found ||= match;
      }
      if (!found) {
        push(kept, key);
        push(kept, text);
      }
      this.#update(kept);
    }

    sort() {
      const list = this.#list;
      const order = newList();
      for (let i = 0; i < list.length; i += 2) push(order, i);
      // Stable, by UTF-16 code units.
      ArrayPrototypeSort(order, (a, b) => (list[a] < list[b] ? -1 : list[a] > list[b] ? 1 : 0));
      const sorted = newList();
      for (let i = 0; i < order.length; i++) {
        push(sorted, list[order[i]]);
        push(sorted, list[order[i] + 1]);
      }
      this.#update(sorted);
    }

    toString() {
      return serialize(this.#list);
    }

    /** Called on anything else it throws, before the arguments are looked at (Web IDL §3.7.7). */
    #branded() {}

    /** The URL comes first, for it may refuse. */
    #update(list) {
      if (this.#url !== null) url.setQuery(this.#url, serialize(list));
      this.#list = list;
    }

    static {
      pairsOf = (params) => params.#list;
      isSearchParams = (value) => isObject(value) && #list in value;
      replace = (params, search) => {
        params.#list = parse(StringPrototypeSlice(search, 1));
      };
      attach = (owner, search) => {
        const params = new URLSearchParams(search);
        params.#url = owner;
        return params;
      };
    }
  }

  const PERCENT = 0x25;
  const AMPERSAND = 0x26;
  const PLUS = 0x2b;
  const EQUALS = 0x3d;

  /** Longer texts are searched, which takes V8 less time than to look at each character here. */
  const BRIEF = 48;
  /** Longer texts are taken apart in Rust, which looks now and then whether a limit has struck. */
  const LONG = 1 << 16;

  /** §5.1 "application/x-www-form-urlencoded parser", of a text; Rust decodes what is encoded, which little is. */
  function parse(text) {
    const { length } = text;
    if (length <= BRIEF) return parseBrief(text);
    const list = newList();
    if (length > LONG) {
      const parsed = ops.form_parse(text);
      for (let i = 0; i < parsed.length; i++) push(list, parsed[i]);
      return list;
    }
    const isEncoded = isAnyEncoded(text);
    /** The next of them from `start` on, or the end: neither is looked for twice. */
    let equals = -1;
    for (let start = 0; start < length; ) {
      const end = indexOf(text, "&", start);
      if (equals < start) equals = indexOf(text, "=", start);
      if (end !== start) pushPair(list, text, start, equals, end, isEncoded);
      start = end + 1;
    }
    return list;
  }

  /** The same, looking at each character once. */
  function parseBrief(text) {
    const list = newList();
    const { length } = text;
    let start = 0;
    let equals = length;
    let isEncoded = false;
    for (let i = 0; i <= length; i++) {
      const code = i === length ? AMPERSAND : StringPrototypeCharCodeAt(text, i);
      if (code === AMPERSAND) {
        if (i !== start) pushPair(list, text, start, equals, i, isEncoded);
        start = i + 1;
        equals = length;
        isEncoded = false;
      } else if (code === EQUALS) {
        if (equals === length) equals = i;
      } else if (code === PERCENT || code === PLUS) {
        isEncoded = true;
      }
    }
    return list;
  }

  /** Of what lies between `start` and `end`, with the equals sign if it is before that. */
  function pushPair(list, text, start, equals, end, isEncoded) {
    const middle = equals < end ? equals : end;
    const name = StringPrototypeSlice(text, start, middle);
    const value = StringPrototypeSlice(text, middle + 1, end);
    push(list, isEncoded ? decode(name) : name);
    push(list, isEncoded ? decode(value) : value);
  }

  function indexOf(text, mark, from) {
    const at = StringPrototypeIndexOf(text, mark, from);
    return at === -1 ? text.length : at;
  }

  const isAnyEncoded = (text) => StringPrototypeIndexOf(text, "%") !== -1 || StringPrototypeIndexOf(text, "+") !== -1;
  const decode = (text) => (isAnyEncoded(text) ? ops.form_decode(text) : text);

  // What the serialiser makes of a character.
  const ENCODED = 0;
  const KEPT = 1;
  const SPACE = 2;
  /** Of those of ASCII. */
  const kinds = new Uint8Array(128);
  for (let code = 0; code < 128; code++) {
    kinds[code] = code === 0x20 ? SPACE : RegExpPrototypeExec(/[*\-.0-9A-Z_a-z]/, StringFromCharCode(code)) === null ? ENCODED : KEPT;
  }
  const special = /[^*\-.0-9A-Z_a-z]/;
  /** To look, V8 puts a text together; Rust asks first whether there is room for a long one. */
  const SHORT = 4096;

  /** One of its names or values. Rust encodes what is to be encoded but for a few spaces. */
  function encode(text) {
    const { length } = text;
    if (length > BRIEF) {
      return length <= SHORT && RegExpPrototypeExec(special, text) === null ? text : ops.form_encode(text);
    }
    let encoded = "";
    let start = 0;
    for (let i = 0; i < length; i++) {
      const code = StringPrototypeCharCodeAt(text, i);
      const kind = code < 128 ? kinds[code] : ENCODED;
      if (kind === KEPT) continue;
      if (kind === ENCODED) return ops.form_encode(text);
      encoded += `${StringPrototypeSlice(text, start, i)}+`;
      start = i + 1;
    }
    return start === 0 ? text : encoded + StringPrototypeSlice(text, start);
  }

  /** §5.2 "application/x-www-form-urlencoded serializer". */
  function serialize(list) {
    let text = "";
    for (let i = 0; i < list.length; i += 2) {
      if (i !== 0) text += "&";
      text += `${encode(list[i])}=${encode(list[i + 1])}`;
    }
    return text;
  }

  function filter(list, keep) {
    const kept = newList();
    for (let i = 0; i < list.length; i += 2) {
      if (!keep(list[i], list[i + 1])) continue;
      push(kept, list[i]);
      push(kept, list[i + 1]);
    }
    return kept;
  }

  function fromObject(init) {
    const method = init[SymbolIterator];
    if (method === undefined || method === null) return record(init, USVString, USVString, "the parameters");
    const list = newList();
    const pairs = sequenceFrom(init, method, (pair) => sequence(pair, USVString, "a pair"), "the parameters");
    for (let i = 0; i < pairs.length; i++) {
      if (pairs[i].length !== 2) throw new TypeError("URLSearchParams: each pair must have a name and a value alone");
      push(list, pairs[i][0]);
      push(list, pairs[i][1]);
    }
    return list;
  }

  defineInterface(URLSearchParams);
  defineIterable(URLSearchParams, pairsOf);

  url.createSearchParams = attach;
  url.replaceSearchParams = replace;
  url.isSearchParams = isSearchParams;
  url.serializeSearchParams = (params) => serialize(pairsOf(params));
  nano.expose("URLSearchParams", URLSearchParams);
});
