"use strict";
// URLPattern: URL Pattern Standard §1, with what is proposed for it, generate() and compareComponent().

(function (nano) {
  const { ops } = nano;
  const { parseStrings } = nano.url;
  const {
    ObjectDefineProperty, RegExpPrototypeExec, StringPrototypeEndsWith, StringPrototypeLastIndexOf,
    StringPrototypeSlice, StringPrototypeStartsWith, StringPrototypeToLowerCase, TypeError, isObject, newList,
  } = nano.primordials;
  const { USVString, defineInterface, dictionaryOf, enumeration, record, requireArguments } = nano.webidl;
  const { Component, compare, escapePattern, options, parseConstructorString } = nano.urlPattern;

  const COMPONENTS = ["protocol", "username", "password", "hostname", "port", "pathname", "search", "hash"];

  const text = (key) => ({ __proto__: null, key, convert: USVString, required: false });
  const URLPatternInit = [
    text("baseURL"), text("hash"), text("hostname"), text("password"), text("pathname"), text("port"),
    text("protocol"), text("search"), text("username"),
  ];
  const URLPatternOptions = [{ __proto__: null, key: "ignoreCase", convert: (value) => !!value, required: false }];

  /** (USVString or URLPatternInit) */
  function toInput(value) {
    if (value !== undefined && value !== null && !isObject(value)) return USVString(value);
    return dictionaryOf(value, URLPatternInit, "URLPattern's input");
  }

  const isSpecialScheme = (scheme) =>
    scheme === "http" || scheme === "https" || scheme === "ws" || scheme === "wss" || scheme === "ftp" ||
    scheme === "file";

  const defaultPorts = { __proto__: null, http: "80", https: "443", ws: "80", wss: "443", ftp: "21" };

  /** "Protocol component matches a special scheme". */
  const matchesSpecial = (component) =>
    component.test("http") || component.test("https") || component.test("ws") || component.test("wss") ||
    component.test("ftp") || component.test("file");

  // §3.1: encoding callbacks.

  function canonicalize(part, value, scheme = "") {
    if (value === "") return value;
    const result = ops.url_component(part, value, scheme);
    if (result === undefined) throw new TypeError(`URLPattern: "${value}" cannot be in the ${part} of a URL`);
    return result;
  }

  const protocol = (value) => canonicalize("protocol", value);
  const username = (value) => canonicalize("username", value);
  const password = (value) => canonicalize("password", value);
  const domain = (value) => canonicalize("hostname", value);
  const opaqueHost = (value) => canonicalize("hostname", value, "opaque");
  const port = (value) => canonicalize("port", value);
  const pathname = (value) => canonicalize("pathname", value);
  const opaquePath = (value) => canonicalize("opaque", value);
  const search = (value) => canonicalize("search", value);
  const hash = (value) => canonicalize("hash", value);

  /** "Canonicalize an IPv6 hostname". */
  function ipv6(value) {
    if (RegExpPrototypeExec(/^[0-9A-Fa-f[\]:]*$/, value) === null) {
      throw new TypeError(`URLPattern: "${value}" cannot be in an IPv6 address`);
    }
    return StringPrototypeToLowerCase(value);
  }

  /** "Hostname pattern is an IPv6 address". */
  const isIPv6 = (pattern) =>
    pattern.length >= 2 && (pattern[0] === "[" || ((pattern[0] === "{" || pattern[0] === "\\") && pattern[1] === "["));

  // Of what `parseStrings` gives: see url.js.
  const parts = {
    protocol: (record) => StringPrototypeSlice(record[0], 0, record[1]),
    username: (record) => StringPrototypeSlice(record[0], record[2], record[3]),
    password: (record) => StringPrototypeSlice(record[0], record[3] + 1, record[4]),
    hostname: (record) => StringPrototypeSlice(record[0], record[5], record[6]),
    port: (record) => StringPrototypeSlice(record[0], record[6] + 1, record[7]),
    pathname: (record) => StringPrototypeSlice(record[0], record[8], record[9]),
    search: (record) => StringPrototypeSlice(record[0], record[9] + 1, record[10]),
    hash: (record) => StringPrototypeSlice(record[0], record[10] + 1),
  };

  /** The same of what `process` gives. */
  const members = {
    protocol: (url) => url.protocol,
    username: (url) => url.username,
    password: (url) => url.password,
    hostname: (url) => url.hostname,
    port: (url) => url.port,
    pathname: (url) => url.pathname,
    search: (url) => url.search,
    hash: (url) => url.hash,
  };

  /** "Process a URLPatternInit", for a pattern or else for a URL, of which what is absent is `absent`. */
  function process(init, isPattern, absent) {
    const result = {
      __proto__: null, protocol: absent, username: absent, password: absent, hostname: absent, port: absent,
      pathname: absent, search: absent, hash: absent,
    };
    let base;
    if (init.baseURL !== undefined) {
      base = parseStrings(init.baseURL, undefined);
      if (base === undefined) throw new TypeError("URLPattern: the base URL is invalid");
      const inherit = isPattern ? (part) => escapePattern(parts[part](base)) : (part) => parts[part](base);
      // What comes earlier in a URL, and is given, has nothing after it taken from the base.
      let isGiven = init.protocol !== undefined;
      if (!isGiven) result.protocol = inherit("protocol");
      if (!isPattern) {
        const isLess = isGiven || init.hostname !== undefined || init.port !== undefined || init.username !== undefined;
        if (!isLess) result.username = inherit("username");
        if (!isLess && init.password === undefined) result.password = inherit("password");
      }
      isGiven ||= init.hostname !== undefined;
      if (!isGiven) result.hostname = inherit("hostname");
      isGiven ||= init.port !== undefined;
      if (!isGiven) result.port = inherit("port");
      isGiven ||= init.pathname !== undefined;
      if (!isGiven) result.pathname = inherit("pathname");
      isGiven ||= init.search !== undefined;
      if (!isGiven) result.search = inherit("search");
      isGiven ||= init.hash !== undefined;
      if (!isGiven) result.hash = inherit("hash");
    }
    const keep = (value) => value;
    const as = (encode) => (isPattern ? keep : encode);
    if (init.protocol !== undefined) {
      const value = init.protocol;
      result.protocol = as(protocol)(StringPrototypeEndsWith(value, ":") ? StringPrototypeSlice(value, 0, -1) : value);
    }
    if (init.username !== undefined) result.username = as(username)(init.username);
    if (init.password !== undefined) result.password = as(password)(init.password);
    const scheme = result.protocol ?? "";
    const isSpecial = scheme === "" || isSpecialScheme(scheme);
    if (init.hostname !== undefined) result.hostname = as(isSpecial ? domain : opaqueHost)(init.hostname);
    if (init.port !== undefined) {
      result.port = isPattern ? init.port : canonicalize("port", init.port, scheme);
    }
    if (init.pathname !== undefined) {
      let value = init.pathname;
      if (base !== undefined && !isOpaque(base) && !isAbsolute(value, isPattern)) {
        const path = isPattern ? escapePattern(parts.pathname(base)) : parts.pathname(base);
        value = StringPrototypeSlice(path, 0, StringPrototypeLastIndexOf(path, "/") + 1) + value;
      }
      result.pathname = as(isSpecial ? pathname : opaquePath)(value);
    }
    if (init.search !== undefined) result.search = as(search)(withoutFirst(init.search, "?"));
    if (init.hash !== undefined) result.hash = as(hash)(withoutFirst(init.hash, "#"));
    return result;
  }

  const withoutFirst = (value, mark) =>
    StringPrototypeStartsWith(value, mark) ? StringPrototypeSlice(value, 1) : value;

  const isOpaque = (record) => record[8] !== record[9] && record[0][record[8]] !== "/";

  /** "Is an absolute pathname". */
  const isAbsolute = (value, isPattern) =>
    StringPrototypeStartsWith(value, "/") ||
    (isPattern && (StringPrototypeStartsWith(value, "\\/") || StringPrototypeStartsWith(value, "{/")));

  const protocolOf = (pattern) => new Component(pattern, protocol, options.defaults, false);

  /** The groups of a component, as an object for an app to keep. */
  function toGroups({ names, groups: empty }, found) {
    if (names.length === 0) return {};
    if (names.length === 1 && names[0] === "0") return { 0: found[1] };
    const groups = { ...empty };
    // What it has already is no concern of a setter that it might inherit.
    for (let i = 0; i < names.length; i++) groups[names[i]] = found[i + 1];
    return groups;
  }

  const result = (component, input, found) => ({ input, groups: toGroups(component, found) });

  /** A URLPatternInit as an object for an app to keep. */
  function toObject(init) {
    const object = {};
    for (let i = 0; i < URLPatternInit.length; i++) {
      const { key } = URLPatternInit[i];
      if (init[key] === undefined) continue;
      ObjectDefineProperty(object, key, {
        __proto__: null, value: init[key], writable: true, enumerable: true, configurable: true,
      });
    }
    return object;
  }

  class URLPattern {
    #protocol;
    #username;
    #password;
    #hostname;
    #port;
    #pathname;
    #search;
    #hash;

    constructor(input = undefined, baseURL = undefined, patternOptions = undefined) {
      // Web IDL §3.6: of two arguments, the second may be either.
      const given = toInput(input);
      let base;
      let others = patternOptions;
      if (arguments.length >= 3) base = USVString(baseURL);
      else if (baseURL === undefined || baseURL === null || isObject(baseURL)) others = baseURL;
      else base = USVString(baseURL);
      const { ignoreCase = false } = dictionaryOf(others, URLPatternOptions, "URLPattern's options");

      // "Create a URL pattern".
      let init = given;
      if (typeof given === "string") {
        init = parseConstructorString(given, (scheme) => matchesSpecial(protocolOf(scheme)));
        if (base === undefined && init.protocol === undefined) {
          throw new TypeError("URLPattern: the pattern is relative, and there is no base URL");
        }
        init.baseURL = base;
      } else if (base !== undefined) {
        throw new TypeError("URLPattern: a base URL goes with a string alone");
      }
      const processed = process(init, true, undefined);
      const of = (key) => processed[key] ?? "*";
      const scheme = of("protocol");
      let portPattern = of("port");
      if (portPattern === defaultPorts[scheme]) portPattern = "";

      const { defaults } = options;
      this.#protocol = protocolOf(scheme);
      const isSpecial = matchesSpecial(this.#protocol);
      this.#username = new Component(of("username"), username, defaults, false);
      this.#password = new Component(of("password"), password, defaults, false);
      const host = of("hostname");
      const encodeHost = isIPv6(host) ? ipv6 : isSpecial ? domain : opaqueHost;
      this.#hostname = new Component(host, encodeHost, options.hostname, false);
      this.#port = new Component(portPattern, port, defaults, false);
      this.#pathname = isSpecial
        ? new Component(of("pathname"), pathname, options.pathname, ignoreCase)
        : new Component(of("pathname"), opaquePath, defaults, ignoreCase);
      this.#search = new Component(of("search"), search, defaults, ignoreCase);
      this.#hash = new Component(of("hash"), hash, defaults, ignoreCase);
    }

    get protocol() {
      return this.#protocol.pattern;
    }

    get username() {
      return this.#username.pattern;
    }

    get password() {
      return this.#password.pattern;
    }

    get hostname() {
      return this.#hostname.pattern;
    }

    get port() {
      return this.#port.pattern;
    }

    get pathname() {
      return this.#pathname.pattern;
    }

    get search() {
      return this.#search.pattern;
    }

    get hash() {
      return this.#hash.pattern;
    }

    get hasRegExpGroups() {
      return this.#protocol.hasRegExpGroups || this.#username.hasRegExpGroups || this.#password.hasRegExpGroups ||
        this.#hostname.hasRegExpGroups || this.#port.hasRegExpGroups || this.#pathname.hasRegExpGroups ||
        this.#search.hasRegExpGroups || this.#hash.hasRegExpGroups;
    }

    static compareComponent(component, left, right) {
      requireArguments(arguments.length, 3, "URLPattern.compareComponent");
      const name = enumeration(component, COMPONENTS, "URLPattern.compareComponent: the component");
      if (!isObject(left) || !(#hash in left) || !isObject(right) || !(#hash in right)) {
        throw new TypeError("URLPattern.compareComponent: not two URLPatterns");
      }
      return compare(left.#component(name), right.#component(name));
    }

    generate(component, groups = undefined) {
      if (!(#hash in this)) throw new TypeError("Illegal invocation");
      requireArguments(arguments.length, 1, "URLPattern.generate");
      const name = enumeration(component, COMPONENTS, "URLPattern.generate: the component");
      if (groups !== undefined && groups !== null && !isObject(groups)) {
        throw new TypeError("URLPattern.generate: the groups are not an object");
      }
      const given = isObject(groups) ? record(groups, USVString, USVString, "the groups") : newList();
      return this.#component(name).generate((group) => {
        for (let i = 0; i < given.length; i += 2) if (given[i] === group) return given[i + 1];
        return undefined;
      });
    }

    #component(name) {
      switch (name) {
        case "protocol":
          return this.#protocol;
        case "username":
          return this.#username;
        case "password":
          return this.#password;
        case "hostname":
          return this.#hostname;
        case "port":
          return this.#port;
        case "pathname":
          return this.#pathname;
        case "search":
          return this.#search;
        default:
          return this.#hash;
      }
    }

    test(input = undefined, baseURL = undefined) {
      if (!(#hash in this)) throw new TypeError("Illegal invocation");
      const given = toInput(input);
      const base = baseURL === undefined ? undefined : USVString(baseURL);
      const isText = typeof given === "string";
      const url = isText ? parseStrings(given, base) : values(given, base);
      const of = isText ? parts : members;
      return url !== undefined && this.#protocol.testPart(url, of.protocol) &&
        this.#hostname.testPart(url, of.hostname) && this.#pathname.testPart(url, of.pathname) &&
        this.#search.testPart(url, of.search) && this.#hash.testPart(url, of.hash) && this.#port.testPart(url, of.port) &&
        this.#username.testPart(url, of.username) && this.#password.testPart(url, of.password);
    }

    exec(input = undefined, baseURL = undefined) {
      if (!(#hash in this)) throw new TypeError("Illegal invocation");
      const given = toInput(input);
      const base = baseURL === undefined ? undefined : USVString(baseURL);
      const url = values(given, base);
      if (url === undefined) return null;
      const foundProtocol = this.#protocol.exec(url.protocol);
      if (foundProtocol === null) return null;
      const foundUsername = this.#username.exec(url.username);
      if (foundUsername === null) return null;
      const foundPassword = this.#password.exec(url.password);
      if (foundPassword === null) return null;
      const foundHostname = this.#hostname.exec(url.hostname);
      if (foundHostname === null) return null;
      const foundPort = this.#port.exec(url.port);
      if (foundPort === null) return null;
      const foundPathname = this.#pathname.exec(url.pathname);
      if (foundPathname === null) return null;
      const foundSearch = this.#search.exec(url.search);
      if (foundSearch === null) return null;
      const foundHash = this.#hash.exec(url.hash);
      if (foundHash === null) return null;
      const shown = typeof given === "string" ? given : toObject(given);
      return {
        inputs: base === undefined ? [shown] : [shown, base],
        protocol: result(this.#protocol, url.protocol, foundProtocol),
        username: result(this.#username, url.username, foundUsername),
        password: result(this.#password, url.password, foundPassword),
        hostname: result(this.#hostname, url.hostname, foundHostname),
        port: result(this.#port, url.port, foundPort),
        pathname: result(this.#pathname, url.pathname, foundPathname),
        search: result(this.#search, url.search, foundSearch),
        hash: result(this.#hash, url.hash, foundHash),
      };
    }
  }

  /** "Match a URL pattern", up to the values that are matched; undefined where nothing can. */
  function values(input, base) {
    if (typeof input !== "string") {
      if (base !== undefined) throw new TypeError("URLPattern: a base URL goes with a string alone");
      try {
        return process(input, false, "");
      } catch {
        return undefined;
      }
    }
    const record = parseStrings(input, base);
    if (record === undefined) return undefined;
    return {
      protocol: parts.protocol(record), username: parts.username(record), password: parts.password(record),
      hostname: parts.hostname(record), port: parts.port(record), pathname: parts.pathname(record),
      search: parts.search(record), hash: parts.hash(record),
    };
  }

  defineInterface(URLPattern);
  nano.expose("URLPattern", URLPattern);
});
