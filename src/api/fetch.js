"use strict";
// fetch(): Fetch Standard §4 (fetching) and §5.6, as far as they concern a server: there is no origin of ours, no cookie
// jar, no cache, so that all of the modes that choose between them come to the same. Redirects are followed here, one
// exchange each; below, in Rust, every one of them is checked against the app's rules.
//
// Apart from a browser: with `redirect: "manual"` the app gets the redirect itself, as it gets every header field of
// request and response but those that frame a message or name its host. A body that came compressed is decoded, and
// Content-Encoding and Content-Length go with that, or an app that passes a response on would lie about it.

(function (nano) {
  const { ops, abort, fetch: internals, headers: headerLists, integrity, url: urls, body: bodies } = nano;
  const {
    ArrayPrototypeIncludes, PromiseReject, ReflectApply, StringPrototypeCharCodeAt, TypeError, newList, newPromise, push,
    uponPromise,
  } = nano.primordials;
  const { isUint8Array, requireArguments, requireGlobal } = nano.webidl;
  const { Reader, createBytes } = nano.streams;

  /** §4.4 step 5. */
  const REDIRECTS = 20;

  /** §2.9: ports of other protocols, whose servers might take a request for something else. */
  const badPorts = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
    109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
    526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
    3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
  ];

  /** Fields that frame a message, end at this hop (RFC 9110 §7.6.1), or say whom it is for: nano's to set. */
  function isNanos(name) {
    switch (name) {
      case "connection":
      case "content-length":
      case "expect":
      case "host":
      case "http2-settings":
      case "keep-alive":
      case "proxy-connection":
      case "te":
      case "trailer":
      case "transfer-encoding":
      case "upgrade":
        return true;
      default:
        return false;
    }
  }

  /** §2.2.2 "request-body-header name". */
  const isAboutBody = (name) =>
    name === "content-encoding" || name === "content-language" || name === "content-location" ||
    name === "content-type";

  /** What must not reach another origin by a redirect. */
  const isCredential = (name) => name === "authorization" || name === "cookie" || name === "proxy-authorization";

  function has(list, name) {
    for (let i = 0; i < list.length; i += 2) if (list[i] === name) return true;
    return false;
  }

  function without(list, isOut) {
    const kept = newList();
    for (let i = 0; i < list.length; i += 2) {
      if (isOut(list[i])) continue;
      push(kept, list[i]);
      push(kept, list[i + 1]);
    }
    return kept;
  }

  function add(list, name, value) {
    if (has(list, name)) return;
    push(list, name);
    push(list, value);
  }

  /** What `ops.fetch_read` and `ops.fetch_write` give if not at once. */
  const isPromise = (value) => typeof value === "object" && value !== null && !isUint8Array(value);

  /** One call of fetch(), until the last byte of its response. */
  class Call {
    #capability = newPromise();
    #over = false;
    #signal;
    #algorithm = undefined;
    #method;
    #url;
    #headers;
    #redirect;
    #redirects = 0;
    #integrity;
    /** What its URL means, if that is one of a blob. */
    #blob;
    /** The request's body: a string or bytes, or else a stream; null without one. */
    #source = null;
    #stream = null;
    /** The exchange under way; 0 without one. */
    #id = 0;
    /** The controller of the response's body. */
    #controller = undefined;

    get promise() {
      return this.#capability.promise;
    }

    start(request) {
      const parts = internals.requestParts(request);
      this.#signal = parts.signal;
      this.#method = parts.method;
      this.#headers = parts.headers;
      this.#redirect = parts.redirect;
      this.#integrity = parts.integrity;
      this.#blob = parts.blob;
      this.#url = urls.parse(parts.url, undefined);
      if (parts.body !== null) {
        const source = parts.body.takeSource();
        if (source === undefined) this.#stream = parts.body.stream;
        else this.#source = source;
      }
      if (this.#signal !== undefined) {
        if (abort.isAborted(this.#signal)) {
          this.#end(abort.reasonOf(this.#signal));
          return;
        }
        this.#algorithm = abort.addAlgorithm(this.#signal, (reason) => this.#end(reason));
      }
      try {
        this.#schemeFetch(urls.parts(this.#url));
      } catch (error) {
        this.#end(error);
      }
    }

    /** §4.3 "scheme fetch". */
    #schemeFetch(url) {
      switch (url.scheme) {
        case "http":
        case "https":
          this.#send(url);
          return;
        case "blob":
          if (this.#blob === undefined || this.#method !== "GET") break;
          const { blobs } = nano;
          this.#local(blobs.typeOf(this.#blob), this.#blob, blobs.piecesOf(this.#blob).size);
          return;
        case "data": {
          const result = ops.fetch_data_url(url.href);
          if (result === undefined) break;
          this.#local(result[0], result[1]);
          return;
        }
        default:
      }
      this.#end(new TypeError(`fetch: ${url.scheme} URLs of this kind cannot be fetched`));
    }

    /** A response that is in its URL. */
    #local(type, content, length = undefined) {
      const headers = newList();
      if (length !== undefined) {
        push(headers, "content-length");
        push(headers, `${length}`);
      }
      push(headers, "content-type");
      push(headers, type);
      this.#respond(200, "OK", headers, this.#method === "HEAD" ? null : bodies.extract(content).body);
      this.#finish();
    }

    /** §4.6 "HTTP-network-or-cache fetch": one exchange. */
    #send(url) {
      if (ArrayPrototypeIncludes(badPorts, url.port)) {
        this.#end(new TypeError(`fetch: port ${url.port} is one of another protocol`));
        return;
      }
      const headers = without(this.#headers, isNanos);
      add(headers, "accept", "*/*");
      add(headers, "accept-language", "*");
      add(headers, "user-agent", ops.fetch_user_agent());
      add(headers, "accept-encoding", has(headers, "range") ? "identity" : "gzip, deflate, br, zstd");
      const id = ops.fetch_id();
      const body = this.#stream !== null ? true : this.#source;
      const { scheme, host, port, path } = url;
      const sent = ReflectApply(
        ops.fetch_send,
        undefined,
        headerLists.withFields([id, scheme === "https", host, port, path, this.#method, body], headers),
      );
      this.#id = id;
      uponPromise(sent, (head) => this.#receive(id, head), (error) => this.#end(error));
      if (this.#stream !== null) this.#pump(id);
    }

    /** The request's body, chunk by chunk, each as soon as there is room for it. */
    #pump(id) {
      const stream = this.#stream;
      const stop = () => cancel(stream, new TypeError("the request's body is no longer wanted"));
      new Reader(stream).readOn({
        chunk: (chunk, next) => {
          if (!isUint8Array(chunk)) {
            this.#end(new TypeError("a request's stream may hold nothing but Uint8Arrays"));
            return;
          }
          let written;
          try {
            written = ops.fetch_write(id, chunk);
          } catch (error) {
            this.#end(error);
            return;
          }
          if (written === true) next();
          else if (written === false) stop();
          else uponPromise(written, (taken) => (taken ? next() : stop()));
        },
        // Cancelled, it is closed too, and not complete; but then the exchange has ended before.
        close: () => ops.fetch_write(id, undefined),
        error: (error) => this.#end(new TypeError("fetch: the request's body failed", { cause: error })),
      });
    }

    /** §4.4 "HTTP fetch", from the response on. */
    #receive(id, head) {
      if (this.#over) return;
      const status = head[0];
      const headers = headerLists.copyList(head[2]);
      if (this.#redirect !== "manual" && isRedirect(status)) {
        const location = values(headers, "location");
        if (this.#redirect === "error") {
          this.#end(new TypeError(`fetch: a redirect (${status}) came, and redirect is "error"`));
          return;
        }
        if (location.length !== 0) {
          this.#follow(id, status, location);
          return;
        }
      }
      const stream = head[3] ? this.#body(id) : null;
      const length = values(headers, "content-length");
      if (stream !== null && length.length === 1) stream.length = +length[0];
      this.#respond(status, head[1], headers, stream === null ? null : bodies.fromStream(stream));
      if (stream === null) this.#finish();
    }

    /** §4.5 "HTTP-redirect fetch". */
    #follow(id, status, location) {
      const refuse = (why) => this.#end(new TypeError(`fetch: ${why}`));
      const from = urls.parts(this.#url);
      // Several are no URL (§3.2 "extracting header list values").
      let next = location.length === 1 ? urls.parse(escapeBytes(location[0]), from.href) : undefined;
      if (next === undefined) return refuse("a redirect's location is not a URL");
      let to = urls.parts(next);
      if (to.scheme !== "http" && to.scheme !== "https") return refuse("a redirect leads to no http or https URL");
      if (to.fragment === "" && from.fragment !== "") {
        next = urls.parse(to.href + from.fragment, undefined);
        to = urls.parts(next);
      }
      if (++this.#redirects > REDIRECTS) return refuse(`more than ${REDIRECTS} redirects`);
      const crosses = from.origin !== to.origin;
      if (crosses && urls.hasCredentials(next)) return refuse("a redirect leads to a URL with a user name or password");
      const method = this.#method;
      const drops = status === 303
        ? method !== "GET" && method !== "HEAD"
        : (status === 301 || status === 302) && method === "POST";
      if (status !== 303 && this.#stream !== null) return refuse("a redirect wants the body again, which was a stream");
      ops.fetch_discard(id);
      this.#id = 0;
      if (drops) {
        this.#method = "GET";
        this.#source = null;
        this.#headers = without(this.#headers, isAboutBody);
      }
      if (this.#stream !== null) {
        cancel(this.#stream, new TypeError("the request's body is no longer wanted"));
        this.#stream = null;
      }
      if (crosses) this.#headers = without(this.#headers, isCredential);
      this.#url = next;
      try {
        this.#send(to);
      } catch (error) {
        this.#end(error);
      }
      return undefined;
    }

    /** A stream of the response's body, read off the network as it is read. */
    #body(id) {
      const take = (chunk) => {
        if (this.#over) return true;
        if (chunk === null) return false;
        if (chunk === undefined) {
          this.#finish();
          this.#controller.end();
        } else {
          this.#controller.enqueueOwn(chunk);
        }
        return true;
      };
      const fail = (error, { resolve, reject }) => {
        if (this.#over) {
          resolve();
          return;
        }
        this.#finish();
        reject(error);
      };
      // Not by returning one promise from the reaction to another: that would call the `then` an app may have given them.
      const readOn = (pulled) => {
        try {
          for (;;) {
            const read = ops.fetch_read(id);
            if (isPromise(read)) {
              uponPromise(
                read,
                (chunk) => (take(chunk) ? pulled.resolve() : readOn(pulled)),
                (error) => fail(error, pulled),
              );
              return;
            }
            if (take(read)) {
              pulled.resolve();
              return;
            }
          }
        } catch (error) {
          fail(error, pulled);
        }
      };
      const pull = () => {
        const pulled = newPromise();
        readOn(pulled);
        return pulled.promise;
      };
      const stream = createBytes(pull, () => this.#finish());
      this.#controller = stream.controller;
      stream.native = {
        __proto__: null,
        pipe: (to) => ops.pipe_fetch(to, id),
        end: () => {
          this.#finish();
          stream.controller.end();
        },
      };
      return stream;
    }

    #respond(status, reason, headers, body) {
      const { resolve, reject } = this.#capability;
      const { bare } = urls.parts(this.#url);
      const respond = (content) =>
        resolve(internals.createResponse(status, reason, headers, content, bare, this.#redirects > 0));
      if (this.#integrity === "") {
        respond(body);
        return;
      }
      // §4.1 "main fetch", on integrity metadata: the app gets the whole of what it expects, or nothing.
      const refuse = () => reject(new TypeError("fetch: the response is not what the request's integrity expects"));
      if (body === null) {
        refuse();
        return;
      }
      body.read((bytes) => {
        if (integrity.matches(bytes, this.#integrity)) respond(bodies.fromBytes(bytes));
        else refuse();
      }, reject);
    }

    /** Everything is there that will come. */
    #finish() {
      this.#over = true;
      if (this.#id !== 0) ops.fetch_abort(this.#id);
      if (this.#algorithm !== undefined) abort.removeAlgorithm(this.#signal, this.#algorithm);
    }

    /** §5.6 "abort the fetch() call", and every other end before the time. */
    #end(error) {
      if (this.#over) return;
      this.#over = true;
      if (this.#algorithm !== undefined) abort.removeAlgorithm(this.#signal, this.#algorithm);
      if (this.#id !== 0) ops.fetch_abort(this.#id);
      if (this.#stream !== null && this.#stream.state === "readable") cancel(this.#stream, error);
      if (this.#controller === undefined) this.#capability.reject(error);
      else this.#controller.error(error);
    }
  }

  /** A field's value as a part of a URL: bytes beyond ASCII stay the bytes they are, whatever encoding they are of. */
  function escapeBytes(value) {
    let text = "";
    for (let i = 0; i < value.length; i++) {
      const byte = StringPrototypeCharCodeAt(value, i);
      text += byte < 0x80 ? value[i] : `%${HEX[byte >> 4]}${HEX[byte & 15]}`;
    }
    return text;
  }

  const HEX = "0123456789ABCDEF";

  const isRedirect = (status) =>
    status === 301 || status === 302 || status === 303 || status === 307 || status === 308;

  function values(list, name) {
    const found = newList();
    for (let i = 0; i < list.length; i += 2) if (list[i] === name) push(found, list[i + 1]);
    return found;
  }

  const ignore = () => undefined;
  const cancel = (stream, reason) => uponPromise(stream.cancel(reason), undefined, ignore);

  const { fetch } = {
    fetch(input, init = undefined) {
      try {
        requireGlobal(this);
        requireArguments(arguments.length, 1, "fetch");
        const request = new internals.Request(input, init);
        const call = new Call();
        call.start(request);
        return call.promise;
      } catch (error) {
        return PromiseReject(error);
      }
    },
  };

  nano.exposeOperation("fetch", fetch);
});
