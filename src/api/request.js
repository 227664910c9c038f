"use strict";
// Request: Fetch Standard §5.4. A request that came in over HTTP is a token, whose method, URL, headers and body are
// asked for when the app first wants them.

(function (nano) {
  const { ops, headers: headerLists, url: urls } = nano;
  const {
    Boolean, RegExpPrototypeExec, StringPrototypeToUpperCase, TypeError, isObject, newList,
  } = nano.primordials;
  const { ByteString, DOMString, defineInterface, dictionary, enumeration, requireArguments } = nano.webidl;
  const { convert, extract, fromIncoming, mixin } = nano.body;

  const internal = { __proto__: null };
  const noOptions = { __proto__: null };
  const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

  /** §2.2.1: forbidden methods throw, and the usual ones are upper-cased. */
  function toMethod(value) {
    const method = ByteString(value, "the method");
    if (method === "GET" || method === "POST") return method;
    if (RegExpPrototypeExec(token, method) === null) throw new TypeError(`"${method}" is not an HTTP method`);
    const upper = StringPrototypeToUpperCase(method);
    switch (upper) {
      case "CONNECT":
      case "TRACE":
      case "TRACK":
        throw new TypeError(`the method ${upper} is forbidden`);
      case "DELETE":
      case "GET":
      case "HEAD":
      case "OPTIONS":
      case "POST":
      case "PUT":
        return upper;
      default:
        return method;
    }
  }

  /** §2.2.1 "CORS-safelisted method". */
  const isSafelisted = (method) => method === "GET" || method === "HEAD" || method === "POST";

  // The members of RequestInit that are plain values: what they may be, and what they are if nobody says.
  const modes = ["navigate", "same-origin", "no-cors", "cors"];
  const credentials = ["omit", "same-origin", "include"];
  const caches = ["default", "no-store", "reload", "no-cache", "force-cache", "only-if-cached"];
  const redirects = ["follow", "error", "manual"];
  const referrerPolicies = [
    "", "no-referrer", "no-referrer-when-downgrade", "same-origin", "origin", "strict-origin",
    "origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url",
  ];
  const priorities = ["high", "low", "auto"];

  const defaults = {
    __proto__: null,
    cache: "default", credentials: "same-origin", integrity: "", keepalive: false, mode: "cors", redirect: "follow",
    referrer: "about:client", referrerPolicy: "",
  };

  const member = (value, allowed, what, fallback) =>
    value === undefined ? fallback : enumeration(value, allowed, what);

  let abortRequest;
  let bodyOf;
  let headersOf;
  let isRequest;
  let methodOf;
  let requestParts;
  let signalOf;
  let urlOf;

  class Request {
    /** The incoming request behind this object, or 0. */
    #token = 0;
    #method = undefined;
    #url = undefined;
    /** What a blob URL meant when the request was made (URL Standard §4.1 "blob URL entry"). */
    #blob = undefined;
    #headers = undefined;
    /** Undefined: not asked for yet. */
    #body = undefined;
    #options = defaults;
    #signal = undefined;
    /** The signal this one's follows, if any. */
    #follows = undefined;
    #aborted = false;
    #reason = undefined;

    constructor(input, init = undefined) {
      if (input === internal) {
        this.#token = init;
        return;
      }
      requireArguments(arguments.length, 1, "new Request");
      const from = isRequest(input) ? input : undefined;
      const text = from === undefined ? `${input}` : undefined;
      const members = dictionary(init, "Request's options") ?? noOptions;

      // Dictionary members are read in their order of names (Web IDL §3.2.17).
      const { body, headers, method, signal, window } = this.#readOptions(members, from);

      if (from === undefined) {
        const record = urls.parse(text, undefined);
        if (record === undefined) throw new TypeError(`Request: "${text}" is not an absolute URL`);
        this.#url = urls.serialize(record);
        this.#blob = urls.blobOf(record);
        if (urls.hasCredentials(record)) throw new TypeError("Request: the URL has a user name or password");
      } else {
        this.#url = urlOf(from);
        this.#blob = from.#blob;
      }
      if (window !== undefined && window !== null) throw new TypeError("Request: window can only be null");
      this.#method = method === undefined ? (from === undefined ? "GET" : methodOf(from)) : toMethod(method);
      if (this.#options.mode === "no-cors" && !isSafelisted(this.#method)) {
        throw new TypeError(`Request: ${this.#method} cannot be sent in mode "no-cors"`);
      }

      if (signal !== undefined) this.#follows = signal === null ? undefined : signal;
      else if (from !== undefined) this.#follows = signalOf(from);

      const list = from === undefined || headers !== undefined ? newList() : headerLists.copyList(listOf(from));
      this.#headers = headerLists.create(list, false);
      if (headers !== undefined) headerLists.fill(this.#headers, headers);

      const inherited = from === undefined ? null : bodyOf(from);
      const given = body !== undefined && body !== null;
      if ((given || inherited !== null) && (this.#method === "GET" || this.#method === "HEAD")) {
        throw new TypeError(`Request: ${this.#method} cannot have a body`);
      }
      if (given) {
        if (this.#options.keepalive && nano.streams.isStream(body)) {
          throw new TypeError("Request: with keepalive the body cannot be a stream");
        }
        const extracted = extract(body);
        if (extracted.type !== undefined) headerLists.setContentType(this.#headers, extracted.type);
        this.#body = extracted.body;
      } else if (inherited !== null) {
        if (inherited.unusable) throw new TypeError("Request: the body was already read, or is locked to a reader");
        this.#body = inherited.move();
      } else {
        this.#body = null;
      }
    }

    #readOptions(members, from) {
      const inherited = from === undefined ? defaults : from.#options;
      let { body } = members;
      if (body !== undefined && body !== null) body = convert(body);
      const cache = member(members.cache, caches, "Request: cache", inherited.cache);
      const sent = member(members.credentials, credentials, "Request: credentials", inherited.credentials);
      // Where a stream is the body the standard wants it said, for there may be another one day. Workers do without.
      member(members.duplex, ["half"], "Request: duplex", undefined);
      let { headers } = members;
      if (headers !== undefined) headers = headerLists.convert(headers);
      let { integrity, keepalive, method } = members;
      integrity = integrity === undefined ? inherited.integrity : DOMString(integrity);
      keepalive = keepalive === undefined ? inherited.keepalive : Boolean(keepalive);
      if (method !== undefined) method = ByteString(method, "Request: method");
      const given = member(members.mode, modes, "Request: mode", undefined);
      member(members.priority, priorities, "Request: priority", undefined);
      const redirect = member(members.redirect, redirects, "Request: redirect", inherited.redirect);
      let { referrer } = members;
      referrer = referrer === undefined ? inherited.referrer : toReferrer(referrer);
      const referrerPolicy = member(
        members.referrerPolicy, referrerPolicies, "Request: referrerPolicy", inherited.referrerPolicy,
      );
      const { signal, window } = members;
      if (signal !== undefined && signal !== null && !nano.abort.isAbortSignal(signal)) {
        throw new TypeError("Request: signal is not an AbortSignal");
      }
      if (given === "navigate") throw new TypeError("Request: mode cannot be navigate");
      const mode = given ?? inherited.mode;
      if (cache === "only-if-cached" && mode !== "same-origin") {
        throw new TypeError('Request: cache "only-if-cached" needs mode "same-origin"');
      }
      this.#options = {
        cache, credentials: sent, integrity, keepalive, mode, redirect, referrer, referrerPolicy,
      };
      return { body, headers, method, signal, window };
    }

    get method() {
      return methodOf(this);
    }

    get url() {
      return urlOf(this);
    }

    get headers() {
      return headersOf(this);
    }

    get destination() {
      if (!(#token in this)) throw new TypeError("Illegal invocation");
      return "";
    }

    get referrer() {
      return this.#options.referrer;
    }

    get referrerPolicy() {
      return this.#options.referrerPolicy;
    }

    get mode() {
      return this.#options.mode;
    }

    get credentials() {
      return this.#options.credentials;
    }

    get cache() {
      return this.#options.cache;
    }

    get redirect() {
      return this.#options.redirect;
    }

    get integrity() {
      return this.#options.integrity;
    }

    get keepalive() {
      return this.#options.keepalive;
    }

    get isReloadNavigation() {
      if (!(#token in this)) throw new TypeError("Illegal invocation");
      return false;
    }

    get isHistoryNavigation() {
      if (!(#token in this)) throw new TypeError("Illegal invocation");
      return false;
    }

    get signal() {
      return signalOf(this);
    }

    get duplex() {
      if (!(#token in this)) throw new TypeError("Illegal invocation");
      return "half";
    }

    clone() {
      const body = bodyOf(this);
      if (body !== null && body.unusable) throw new TypeError("the body was already read, or is locked to a reader");
      const copy = new Request(internal, 0);
      copy.#method = methodOf(this);
      copy.#url = urlOf(this);
      copy.#blob = this.#blob;
      copy.#headers = headerLists.create(headerLists.copyList(listOf(this)), headerLists.isImmutable(headersOf(this)));
      copy.#body = body === null ? null : body.clone();
      copy.#options = this.#options;
      copy.#follows = signalOf(this);
      return copy;
    }

    static {
      isRequest = (value) => isObject(value) && #token in value;

      // What the platform asks of a request that may have getters of its own.

      methodOf = (request) => {
        request.#method ??= ops.request_method(request.#token);
        return request.#method;
      };

      urlOf = (request) => {
        request.#url ??= incomingUrl(request.#token);
        return request.#url;
      };

      headersOf = (request) => {
        request.#headers ??= headerLists.createIncoming(request.#token);
        return request.#headers;
      };

      signalOf = (request) => {
        if (request.#signal !== undefined) return request.#signal;
        const { abort } = nano;
        const follows = request.#follows;
        request.#signal = follows === undefined ? abort.createSignal() : abort.dependentSignal([follows]);
        if (request.#aborted) abort.signalAbort(request.#signal, request.#reason);
        return request.#signal;
      };

      bodyOf = (request) => {
        if (request.#body === undefined) {
          request.#body = ops.request_has_body(request.#token) ? fromIncoming(request.#token) : null;
        }
        return request.#body;
      };

      /** What fetch() wants of a request of its own. */
      requestParts = (request) => ({
        method: request.#method,
        url: request.#url,
        blob: request.#blob,
        headers: headerLists.listOf(request.#headers),
        body: request.#body,
        redirect: request.#options.redirect,
        integrity: request.#options.integrity,
        signal: request.#follows,
      });

      abortRequest = (request, reason) => {
        if (request.#aborted) return;
        request.#aborted = true;
        request.#reason = reason;
        if (request.#signal !== undefined) nano.abort.signalAbort(request.#signal, reason);
      };
    }
  }

  const listOf = (request) => headerLists.listOf(headersOf(request));

  /** The gateway's URL has path and query as sent; an app sees them as the URL Standard writes them. */
  function incomingUrl(id) {
    const text = ops.request_url(id);
    const record = urls.parse(text, undefined);
    return record === undefined ? text : urls.serialize(record);
  }

  // §5.4 step 14. There is no page here that other referrers could be compared with.
  function toReferrer(value) {
    const text = DOMString(value);
    if (text === "") return "";
    const record = urls.parse(text, undefined);
    if (record === undefined) throw new TypeError("Request: the referrer is not a URL");
    return "about:client";
  }

  mixin(Request, bodyOf);
  defineInterface(Request);

  nano.fetch = {
    __proto__: null,
    Request,
    /** The incoming request that Rust knows by `token`. */
    fromInternal: (token) => new Request(internal, token),
    /** Aborts the signal of an incoming request. */
    abortRequest,
    isRequest,
    requestParts,
  };
  nano.expose("Request", Request);
});
