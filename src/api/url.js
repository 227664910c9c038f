"use strict";
// URL: URL Standard §6.1. Parsing and setting happen in Rust, which answers with the text and where its parts are;
// there lone surrogates are replaced too.

(function (nano) {
  const { ops } = nano;
  const { StringPrototypeSlice, StringPrototypeStartsWith, TypeError, typedArrays } = nano.primordials;
  const { DOMString, defineInterface, requireArguments } = nano.webidl;

  // A parsed URL is its text and where its parts are.
  const HREF = 0;
  const SCHEME_END = 1;
  const USERNAME_START = 2;
  const USERNAME_END = 3;
  const PASSWORD_END = 4;
  const HOST_START = 5;
  const HOST_END = 6;
  const PORT_END = 7;
  const PATH_START = 8;
  const PATH_END = 9;
  const QUERY_END = 10;

  /** Where Rust says so. */
  const offsets = new typedArrays.Uint32Array(QUERY_END);

  /** What stands for the URL of that text, which Rust has just given; undefined for none. */
  const toRecord = (href) =>
    href === undefined
      ? undefined
      : [
          href, offsets[0], offsets[1], offsets[2], offsets[3], offsets[4], offsets[5], offsets[6], offsets[7], offsets[8],
          offsets[9],
        ];

  // Optimised code asks this by itself; the other op takes several times as long.
  const { url_is_plain: isPlain } = ops;
  const parseStrings = (input, base) =>
    toRecord(base === undefined && isPlain(input, offsets) ? input : ops.url_parse(input, base, offsets));

  /** The parsed URL, or undefined. */
  function parse(url, base) {
    const input = DOMString(url);
    return parseStrings(input, base === undefined ? undefined : DOMString(base));
  }

  const serialize = (record) => record[HREF];

  /** §4.7 "includes credentials". */
  const hasCredentials = (record) => record[PASSWORD_END] > record[USERNAME_START];

  /** §4.7 "origin", serialised. */
  function originOf(record) {
    const href = record[HREF];
    const scheme = StringPrototypeSlice(href, 0, record[SCHEME_END]);
    switch (scheme) {
      case "http":
      case "https":
      case "ws":
      case "wss":
      case "ftp":
        return `${scheme}://${StringPrototypeSlice(href, record[HOST_START], record[PORT_END])}`;
      case "blob": {
        const path = StringPrototypeSlice(href, record[PATH_START], record[PATH_END]);
        const inner = parseStrings(path, undefined);
        if (inner === undefined) return "null";
        return StringPrototypeStartsWith(path, "http") ? originOf(inner) : "null";
      }
      default:
        return "null";
    }
  }

  /** What fetch() wants of a parsed URL: `path` with the query, `bare` is all but the fragment. */
  function parts(record) {
    const href = record[HREF];
    const scheme = StringPrototypeSlice(href, 0, record[SCHEME_END]);
    const port = StringPrototypeSlice(href, record[HOST_END] + 1, record[PORT_END]);
    return {
      href,
      scheme,
      host: StringPrototypeSlice(href, record[HOST_START], record[HOST_END]),
      port: port === "" ? (scheme === "https" ? 443 : 80) : +port,
      path: StringPrototypeSlice(href, record[PATH_START], record[QUERY_END]),
      bare: StringPrototypeSlice(href, 0, record[QUERY_END]),
      fragment: StringPrototypeSlice(href, record[QUERY_END]),
      origin: originOf(record),
    };
  }

  let adopt;
  let setQuery;

  class URL {
    #record;
    #searchParams = null;

    constructor(url, base = undefined) {
      requireArguments(arguments.length, 1, "new URL");
      if (url === adopt) {
        this.#record = base;
        return;
      }
      const record = parse(url, base);
      if (record === undefined) throw new TypeError("Invalid URL");
      this.#record = record;
    }

    static parse(url, base = undefined) {
      requireArguments(arguments.length, 1, "URL.parse");
      const record = parse(url, base);
      return record === undefined ? null : new URL(adopt, record);
    }

    static canParse(url, base = undefined) {
      requireArguments(arguments.length, 1, "URL.canParse");
      return parse(url, base) !== undefined;
    }

    get href() {
      return this.#record[HREF];
    }

    set href(value) {
      const record = parse(value, undefined);
      if (record === undefined) throw new TypeError("Invalid URL");
      this.#record = record;
      this.#refreshSearchParams();
    }

    get origin() {
      return originOf(this.#record);
    }

    get protocol() {
      return this.#slice(HREF, SCHEME_END, 1);
    }

    set protocol(value) {
      this.#set("protocol", value);
    }

    get username() {
      return this.#slice(USERNAME_START, USERNAME_END);
    }

    set username(value) {
      this.#set("username", value);
    }

    get password() {
      // With its colon.
      return StringPrototypeSlice(this.#slice(USERNAME_END, PASSWORD_END), 1);
    }

    set password(value) {
      this.#set("password", value);
    }

    get host() {
      return this.#slice(HOST_START, PORT_END);
    }

    set host(value) {
      this.#set("host", value);
    }

    get hostname() {
      return this.#slice(HOST_START, HOST_END);
    }

    set hostname(value) {
      this.#set("hostname", value);
    }

    get port() {
      return StringPrototypeSlice(this.#slice(HOST_END, PORT_END), 1);
    }

    set port(value) {
      this.#set("port", value);
    }

    get pathname() {
      return this.#slice(PATH_START, PATH_END);
    }

    set pathname(value) {
      this.#set("pathname", value);
    }

    get search() {
      return this.#search();
    }

    set search(value) {
      this.#set("search", value);
      this.#refreshSearchParams();
    }

    get searchParams() {
      this.#searchParams ??= nano.url.createSearchParams(this, this.#search());
      return this.#searchParams;
    }

    get hash() {
      const fragment = StringPrototypeSlice(this.#record[HREF], this.#record[QUERY_END]);
      return fragment === "#" ? "" : fragment;
    }

    set hash(value) {
      this.#set("hash", value);
    }

    toString() {
      return this.#record[HREF];
    }

    toJSON() {
      return this.#record[HREF];
    }

    #slice(from, to, more = 0) {
      const record = this.#record;
      return StringPrototypeSlice(record[HREF], from === HREF ? 0 : record[from], record[to] + more);
    }

    /** Not the getter: an app's class may have one of its own. */
    #search() {
      const query = this.#slice(PATH_END, QUERY_END);
      return query === "?" ? "" : query;
    }

    #set(part, value) {
      // First: it may run an app's code, which may change this URL.
      const text = DOMString(value);
      const record = toRecord(ops.url_set(this.#record[HREF], part, text, offsets));
      if (record !== undefined) this.#record = record;
    }

    #refreshSearchParams() {
      if (this.#searchParams !== null) nano.url.replaceSearchParams(this.#searchParams, this.#search());
    }

    // What follows is File API §8.

    static createObjectURL(obj) {
      requireArguments(arguments.length, 1, "URL.createObjectURL");
      return nano.blobs.createURL(obj);
    }

    static revokeObjectURL(url) {
      requireArguments(arguments.length, 1, "URL.revokeObjectURL");
      nano.blobs.revokeURL(DOMString(url));
    }

    static {
      // §6.2 "update": what a URLSearchParams does to its URL.
      setQuery = (url, query) => url.#set("search", query);
    }
  }
  adopt = { __proto__: null };

  defineInterface(URL);

  nano.url = {
    __proto__: null, parse, parseStrings, parts, serialize, hasCredentials, setQuery,
    // Set by url_search_params.js.
    createSearchParams: undefined, replaceSearchParams: undefined, isSearchParams: undefined,
    serializeSearchParams: undefined,
    // Set by blob_url.js: before that there are no such URLs.
    blobOf: () => undefined,
  };
  nano.expose("URL", URL);
});
