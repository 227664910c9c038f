"use strict";
// Response: Fetch Standard §5.5.

(function (nano) {
  const { fetch, headers: headerLists, url: urls } = nano;
  const { JSONStringify, RangeError, RegExpPrototypeExec, TypeError, isObject, newList, push } =
    nano.primordials;
  const { ByteString, defineInterface, dictionary, enumeration, requireArguments, unsignedShort } = nano.webidl;
  const { convert, extract, fromStream, fromText, mixin } = nano.body;

  const internal = { __proto__: null };
  const noOptions = { __proto__: null };

  /** Of Workers: whether a body's bytes are already encoded as its headers say. Here they go out as they are, always. */
  const ENCODINGS = ["automatic", "manual"];

  // RFC 9112 §4: reason-phrase.
  const reasonPhrase = /^[\t\x20-\x7e\x80-\xff]*$/;

  /** §2.2.3: statuses that go without a body. */
  const isNullBodyStatus = (status) => status === 204 || status === 205 || status === 304;
  const isRedirectStatus = (status) =>
    status === 301 || status === 302 || status === 303 || status === 307 || status === 308;

  let bodyOf;
  let headersOf;
  let isResponse;
  let responseParts;
  let createResponse;
  let contentTypeOf;
  let isError;
  let isOk;
  let withStream;

  class Response {
    #type = "default";
    #status = 200;
    #statusText = "";
    /** Undefined as long as nobody wants them and the body's type is all there is. */
    #headers = undefined;
    #contentType = undefined;
    #body = null;
    /** Where it came from, without its fragment; empty for those that apps make. */
    #url = "";
    #redirected = false;

    constructor(body = null, init = undefined) {
      if (body === internal) return;
      const given = body !== null && body !== undefined;
      if (init !== undefined) {
        const content = given ? convert(body) : undefined;
        const headers = this.#read(init);
        this.#initialize(headers, given ? extract(content) : null);
      } else if (given) {
        const extracted = extract(body);
        this.#body = extracted.body;
        this.#contentType = extracted.type;
      }
    }

    static error() {
      const response = new Response(internal);
      response.#type = "error";
      response.#status = 0;
      response.#headers = headerLists.create(newList(), true);
      return response;
    }

    static redirect(url, status = 302) {
      requireArguments(arguments.length, 1, "Response.redirect");
      const record = urls.parse(url, undefined);
      const code = unsignedShort(status);
      if (record === undefined) throw new TypeError("Response.redirect: not an absolute URL");
      if (!isRedirectStatus(code)) throw new RangeError(`Response.redirect: ${code} is not the status of a redirect`);
      const response = new Response(internal);
      response.#status = code;
      const list = newList();
      list[0] = "location";
      list[1] = urls.serialize(record);
      response.#headers = headerLists.create(list, true);
      return response;
    }

    static json(data, init = undefined) {
      requireArguments(arguments.length, 1, "Response.json");
      const response = new Response(internal);
      const headers = response.#read(init);
      const text = JSONStringify(data);
      if (text === undefined) throw new TypeError("Response.json: the value has no JSON form");
      response.#initialize(headers, { body: fromText(text), type: "application/json" });
      return response;
    }

    /** Takes over what ResponseInit has, as Web IDL converts it: all but the headers, which it returns. */
    #read(init) {
      const members = dictionary(init, "Response's options") ?? noOptions;
      const { encodeBody, headers } = members;
      if (encodeBody !== undefined) enumeration(encodeBody, ENCODINGS, "Response: encodeBody");
      const list = headers === undefined ? undefined : headerLists.convert(headers);
      const { status } = members;
      if (status !== undefined) this.#status = unsignedShort(status);
      const { statusText } = members;
      if (statusText !== undefined) this.#statusText = ByteString(statusText, "Response: statusText");
      return list;
    }

    /** §5.5 "initialize a response". */
    #initialize(headers, extracted) {
      const status = this.#status;
      const statusText = this.#statusText;
      if (status < 200 || status > 599) throw new RangeError(`Response: the status ${status} is not from 200 to 599`);
      if (statusText !== "" && RegExpPrototypeExec(reasonPhrase, statusText) === null) {
        throw new TypeError("Response: statusText is not a reason phrase");
      }
      this.#headers = headerLists.create(newList(), false);
      if (headers !== undefined) headerLists.fill(this.#headers, headers);
      this.#setBody(extracted);
    }

    #setBody(extracted) {
      if (extracted === null) return;
      if (isNullBodyStatus(this.#status)) throw new TypeError(`Response: ${this.#status} cannot have a body`);
      this.#body = extracted.body;
      if (extracted.type !== undefined) headerLists.setContentType(this.#headers, extracted.type);
    }

    get type() {
      return this.#type;
    }

    get url() {
      return this.#url;
    }

    get redirected() {
      return this.#redirected;
    }

    get status() {
      return this.#status;
    }

    get ok() {
      return this.#status >= 200 && this.#status <= 299;
    }

    get statusText() {
      return this.#statusText;
    }

    get headers() {
      return headersOf(this);
    }

    clone() {
      const body = this.#body;
      if (body !== null && body.unusable) throw new TypeError("the body was already read, or is locked to a reader");
      const copy = new Response(internal);
      copy.#type = this.#type;
      copy.#status = this.#status;
      copy.#statusText = this.#statusText;
      copy.#url = this.#url;
      copy.#redirected = this.#redirected;
      const headers = headersOf(this);
      copy.#headers = headerLists.create(headerLists.copyList(headerLists.listOf(headers)), headerLists.isImmutable(headers));
      copy.#body = body === null ? null : body.clone();
      return copy;
    }

    static {
      const flatHeaders = (response) => {
        if (response.#headers !== undefined) return headerLists.listOf(response.#headers);
        return response.#contentType === undefined ? [] : ["content-type", response.#contentType];
      };

      headersOf = (response) => {
        if (response.#headers === undefined) {
          response.#headers = headerLists.create(newList(), false);
          if (response.#contentType !== undefined) headerLists.setContentType(response.#headers, response.#contentType);
        }
        return response.#headers;
      };

      isResponse = (value) => isObject(value) && #type in value;
      bodyOf = (response) => response.#body;

      /** §2.2.2 "get" of Content-Type: its values together; undefined without one. */
      contentTypeOf = (response) => {
        const list = flatHeaders(response);
        let type;
        for (let i = 0; i < list.length; i += 2) {
          if (list[i] === "content-type") type = type === undefined ? list[i + 1] : `${type}, ${list[i + 1]}`;
        }
        return type;
      };

      isError = (response) => response.#type === "error";
      isOk = (response) => response.#status >= 200 && response.#status <= 299;

      /** A response that fetch() got. */
      createResponse = (status, statusText, list, body, url, redirected) => {
        const response = new Response(internal);
        response.#type = "basic";
        response.#status = status;
        response.#statusText = statusText;
        response.#headers = headerLists.create(list, true);
        response.#body = body;
        response.#url = url;
        response.#redirected = redirected;
        return response;
      };

      /** A response of an app's own with the head of this one, but for the length, and a stream as its body. */
      withStream = (response, stream) => {
        const copy = new Response(internal);
        copy.#status = response.#status;
        copy.#statusText = response.#statusText;
        const list = flatHeaders(response);
        const kept = newList();
        for (let i = 0; i < list.length; i += 2) {
          if (list[i] === "content-length") continue;
          push(kept, list[i]);
          push(kept, list[i + 1]);
        }
        copy.#headers = headerLists.create(kept, false);
        copy.#body = fromStream(stream);
        return copy;
      };

      /** What goes out: status, flat headers, and the body as null, a string, bytes, or a stream to pump. */
      responseParts = (response) => {
        if (response.#status === 0) throw new TypeError("Response.error() cannot be sent");
        const body = response.#body;
        const parts = {
          status: response.#status,
          headers: flatHeaders(response),
          body: null,
          stream: null,
          length: undefined,
        };
        if (body === null) return parts;
        if (body.unusable) throw new TypeError("the response's body was already read, or is locked to a reader");
        const source = body.takeSource();
        if (source === undefined) {
          parts.stream = body.stream;
          parts.length = body.stream.length;
        } else {
          parts.body = source;
        }
        return parts;
      };
    }
  }

  mixin(Response, bodyOf);
  defineInterface(Response);

  fetch.isResponse = isResponse;
  fetch.responseParts = responseParts;
  fetch.createResponse = createResponse;
  fetch.contentTypeOf = contentTypeOf;
  fetch.isError = isError;
  fetch.isOk = isOk;
  fetch.bodyOf = bodyOf;
  fetch.withStream = withStream;
  nano.expose("Response", Response);
});
