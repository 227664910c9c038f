"use strict";
// Bodies of requests and responses: Fetch Standard §2.2.4 and §5.2 (extracting, and the Body mixin). A body keeps the
// string, bytes or pieces of a Blob it was made of, or the request it comes with, for as long as nobody asks for its
// stream.

(function (nano) {
  const { ops, encoding, headers } = nano;
  const {
    JSONParse, ObjectDefineProperty, PromisePrototypeThen, ReflectApply, ReflectGetOwnPropertyDescriptor,
    ReflectOwnKeys, StringPrototypeCharCodeAt, TypeError, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeSet, Uint8Array,
    isObject, newList, newPromise, push, uponPromise,
  } = nano.primordials;
  const { DOMString, USVString, getByteLength, heldBytes, isBufferSource, isUint8Array } = nano.webidl;
  const { encode, decode, withoutBOM } = encoding;
  const { isSearchParams, serializeSearchParams } = nano.url;

  /** A Blob or form up to this size goes out whole, a larger one chunk by chunk. */
  const ONE_SHOT = 1024 * 1024;

  class Body {
    /** A string or Uint8Array of our own; undefined for the others. */
    #source;
    /** What a Blob or a form is made of; undefined for the others. */
    #pieces;
    /** The incoming request whose body this is; 0 for the others. */
    #token;
    /** Once there is one, the stream alone counts. */
    #stream;
    /** Whether the body was read without a stream. */
    #used = false;
    /** Whether a clone holds the same bytes. */
    #shared = false;

    constructor(source, token, stream, pieces = undefined) {
      this.#source = source;
      this.#token = token;
      this.#stream = stream;
      this.#pieces = pieces;
    }

    get disturbed() {
      return this.#stream === undefined ? this.#used : this.#stream.disturbed;
    }

    /** §2.2.4 "unusable". */
    get unusable() {
      return this.disturbed || (this.#stream !== undefined && this.#stream.locked);
    }

    get stream() {
      this.#stream ??= this.#makeStream();
      return this.#stream;
    }

    /** What can be sent without a stream: a string or a Uint8Array, or undefined. Uses the body up. */
    takeSource() {
      if (this.#stream !== undefined || this.#source === undefined) return undefined;
      this.#used = true;
      return this.#source;
    }

    /** §2.2.4 "clone": a body with the same content. */
    clone() {
      if (this.#stream === undefined && this.#token === 0) {
        this.#shared = true;
        const copy = new Body(this.#source, 0, undefined, this.#pieces);
        copy.#shared = true;
        return copy;
      }
      const branches = nano.streams.tee(this.stream, true);
      this.#stream = branches[0];
      return new Body(undefined, 0, branches[1]);
    }

    /** A body with this one's content, which is used up by that (§5.4 step 39, "create a proxy"). */
    move() {
      if (this.#stream !== undefined) {
        return new Body(undefined, 0, pipe(this.#stream));
      }
      const moved = new Body(this.#source, this.#token, undefined, this.#pieces);
      moved.#shared = this.#shared;
      this.#used = true;
      return moved;
    }

    /**
     * §2.2.4 "fully read": all of it goes to `done`, as a Uint8Array that is the caller's, or else the error to `fail`.
     * A promise would ask the bytes for a `then`, and find what an app has put into `Object.prototype`.
     */
    read(done, fail) {
      if (this.unusable) {
        fail(new TypeError("the body was already read, or is locked to a reader"));
      } else if (this.#stream !== undefined) {
        readAll(this.#stream, done, fail);
      } else {
        this.#used = true;
        if (this.#token !== 0) readIncoming(this.#token, done, fail);
        else done(this.#ownBytes());
      }
    }

    /** The same as text ("UTF-8 decode"). */
    readText(done, fail) {
      if (this.#stream !== undefined || this.#used || (typeof this.#source !== "string" && this.#token === 0)) {
        this.read((bytes) => done(decode(bytes)), fail);
        return;
      }
      this.#used = true;
      if (this.#token !== 0) {
        readIncomingText(this.#token, done, fail);
        return;
      }
      const source = this.#source;
      done(StringPrototypeCharCodeAt(source, 0) === BOM ? decode(encode(source)) : source);
    }

    /** The same as Pieces. */
    readPieces(done, fail) {
      if (this.#used || this.#pieces === undefined || this.#stream !== undefined) {
        this.read((bytes) => done(nano.blobs.piecesFrom(bytes)), fail);
        return;
      }
      this.#used = true;
      done(this.#pieces);
    }

    #ownBytes() {
      const source = this.#source;
      if (typeof source === "string") return encode(source);
      if (this.#pieces !== undefined) return this.#pieces.copy();
      return this.#shared ? new Uint8Array(source) : source;
    }

    #makeStream() {
      const { Reader, createFull } = nano.streams;
      if (this.#used) {
        // Locked for good to whoever read it.
        const stream = createFull(undefined);
        stream.disturbed = true;
        new Reader(stream);
        return stream;
      }
      if (this.#token !== 0) return incomingStream(this.#token);
      if (this.#pieces !== undefined) return this.#pieces.stream();
      const bytes = this.#ownBytes();
      return createFull(getByteLength(bytes) === 0 ? undefined : bytes);
    }
  }

  /** What `ops.request_read` gives is a chunk, undefined after the last, or a promise of either. */
  const isPromise = (read) => read !== undefined && !isUint8Array(read);

  function incomingStream(token) {
    const take = (controller, chunk) => {
      if (chunk === undefined) controller.end();
      else controller.enqueueOwn(chunk);
    };
    const pull = (controller) => {
      const read = ops.request_read(token);
      if (isPromise(read)) return PromisePrototypeThen(read, (chunk) => take(controller, chunk));
      take(controller, read);
      return undefined;
    };
    const stream = nano.streams.createBytes(pull, () => undefined);
    stream.native = {
      __proto__: null,
      pipe: (to) => ops.pipe_request(to, token),
      end: () => stream.controller.end(),
    };
    return stream;
  }

  /** The same as text. */
  function readIncomingText(token, done, fail) {
    let first;
    try {
      first = ops.request_text(token);
    } catch (error) {
      fail(error);
      return;
    }
    if (typeof first === "string") done(withoutBOM(first));
    else readIncoming(token, (bytes) => done(decode(bytes)), fail, () => first);
  }

  /** An untouched incoming body, whole. `readFirst` gives its first chunk, as `ops.request_read` does. */
  function readIncoming(token, done, fail, readFirst = ops.request_read) {
    const chunks = newList();
    let readNext = readFirst;
    const readOn = () => {
      try {
        for (;;) {
          const read = readNext(token);
          readNext = ops.request_read;
          if (isPromise(read)) {
            uponPromise(read, (chunk) => take(chunk) && readOn(), fail);
            return;
          }
          if (!take(read)) return;
        }
      } catch (error) {
        fail(error);
      }
    };
    const take = (chunk) => {
      if (chunk === undefined) finish(chunks, done, fail, true);
      else push(chunks, chunk);
      return chunk !== undefined;
    };
    readOn();
  }

  /** Streams §9.1.1 "read all bytes". */
  function readAll(stream, done, fail) {
    const chunks = newList();
    new nano.streams.Reader(stream).readOn({
      chunk(chunk, next) {
        if (!isUint8Array(chunk)) {
          const error = new TypeError("a body's stream may hold nothing but Uint8Arrays");
          fail(error);
          uponPromise(stream.cancel(error), undefined, () => undefined);
          return;
        }
        push(chunks, chunk);
        next();
      },
      close: () => finish(chunks, done, fail),
      error: fail,
    });
  }

  /** `areOwn` says that nobody else has the chunks. */
  function finish(chunks, done, fail, areOwn = false) {
    try {
      done(areOwn && chunks.length === 1 ? chunks[0] : concat(chunks));
    } catch (error) {
      // There is no room for it.
      fail(error);
    }
  }

  function concat(chunks) {
    let length = 0;
    for (let i = 0; i < chunks.length; i++) length += getByteLength(chunks[i]);
    const whole = new Uint8Array(length);
    for (let i = 0, at = 0; i < chunks.length; i++) {
      TypedArrayPrototypeSet(whole, chunks[i], at);
      at += getByteLength(chunks[i]);
    }
    return whole;
  }

  /** A stream that gives on what `source` gives, and locks it: what piping through an identity transform amounts to. */
  function pipe(source) {
    const reader = new nano.streams.Reader(source);
    source.disturbed = true;
    const pull = (controller) => {
      const { promise, resolve, reject } = newPromise();
      source.read({
        chunk: (chunk) => {
          controller.enqueue(chunk);
          resolve();
        },
        close: () => {
          controller.close();
          resolve();
        },
        error: reject,
      });
      return promise;
    };
    return nano.streams.create(pull, (reason) => reader.stream.cancel(reason), 0);
  }

  /** BodyInit as Web IDL converts it: an object of one of its types as it is, all else as text. */
  function convert(value) {
    // Of `nano`'s members some are made when they are first asked for: texts and bytes need none of them.
    const isOne =
      isObject(value) &&
      (isBufferSource(value) || isSearchParams(value) || nano.streams.isStream(value) || nano.blobs.isBlob(value) ||
        nano.forms.isFormData(value));
    return isOne ? value : DOMString(value);
  }

  /** §5.2 "extract": `{ body, type }` of a BodyInit; `type` undefined where the object implies none. */
  function extract(object) {
    if (typeof object === "string") return { body: fromText(USVString(object)), type: TEXT };
    if (isObject(object)) {
      const bytes = heldBytes(object);
      if (bytes !== undefined) {
        return { body: new Body(new Uint8Array(bytes), 0, undefined), type: undefined };
      }
      if (isSearchParams(object)) {
        return { body: fromText(serializeSearchParams(object)), type: FORM };
      }
      const { streams } = nano;
      if (streams.isStream(object)) {
        const stream = streams.unwrap(object);
        if (stream.disturbed || stream.locked) throw new TypeError("the stream was already read, or is locked");
        return { body: new Body(undefined, 0, stream), type: undefined };
      }
      const { blobs, forms } = nano;
      if (blobs.isBlob(object)) {
        const type = blobs.typeOf(object);
        return { body: fromPieces(blobs.piecesOf(object)), type: type === "" ? undefined : type };
      }
      if (forms.isFormData(object)) {
        const { pieces, type } = forms.encode(object);
        return { body: fromPieces(pieces), type };
      }
    }
    return { body: fromText(USVString(object)), type: TEXT };
  }

  const BOM = 0xfeff;
  const TEXT = "text/plain;charset=UTF-8";
  const FORM = "application/x-www-form-urlencoded;charset=UTF-8";
  /** Of a text without lone surrogates. */
  const fromText = (text) => new Body(text, 0, undefined);
  const fromPieces = (pieces) =>
    pieces.size > ONE_SHOT ? new Body(undefined, 0, undefined, pieces) : new Body(pieces.copy(), 0, undefined);
  const fromBytes = (bytes) => new Body(bytes, 0, undefined);
  const fromStream = (stream) => new Body(undefined, 0, stream);
  const fromIncoming = (token) => new Body(undefined, token, undefined);

  const empty = {
    __proto__: null,
    read: (done) => done(new Uint8Array(0)),
    readText: (done) => done(""),
    readPieces: (done) => done(new nano.blobs.Pieces(newList())),
  };

  const bytes = (body, done, fail) => body.read(done, fail);
  const text = (body, done, fail) => body.readText(done, fail);
  const pieces = (body, done, fail) => body.readPieces(done, fail);
  const unchanged = (content) => content;

  /** Gives a class the members of the Body mixin; `bodyOf(object)` is its body or null, and throws on others. */
  function mixin(Class, bodyOf) {
    /** §5.2 "consume body": a promise for what `convert` makes of the content that `read` gives. */
    const consume = (object, read, convert) => {
      const { promise, resolve, reject } = newPromise();
      const done = (content) => {
        let value;
        try {
          value = convert(content);
        } catch (error) {
          reject(error);
          return;
        }
        resolve(value);
      };
      try {
        read(bodyOf(object) ?? empty, done, reject);
      } catch (error) {
        reject(error);
      }
      return promise;
    };
    // As it is before any app runs.
    const { get: headersOf } = ReflectGetOwnPropertyDescriptor(Class.prototype, "headers");
    const contentTypeOf = (object) => headers.contentTypeOf(ReflectApply(headersOf, object, []));

    const members = {
      get body() {
        const body = bodyOf(this);
        return body === null ? null : nano.streams.wrap(body.stream);
      },

      get bodyUsed() {
        const body = bodyOf(this);
        return body !== null && body.disturbed;
      },

      // Not async functions: those would call the `then` an app may have given to promises.

      arrayBuffer() {
        return consume(this, bytes, TypedArrayPrototypeGetBuffer);
      },

      blob() {
        return consume(this, pieces, (content) => nano.blobs.createBlob(content, nano.forms.typeOf(contentTypeOf(this))));
      },

      bytes() {
        return consume(this, bytes, unchanged);
      },

      formData() {
        return consume(this, bytes, (content) => nano.forms.decode(content, contentTypeOf(this)));
      },

      json() {
        return consume(this, text, (content) => JSONParse(content));
      },

      text() {
        return consume(this, text, unchanged);
      },

      textStream() {
        const body = bodyOf(this);
        if (body !== null && body.unusable) throw new TypeError("the body was already read, or is locked to a reader");
        return nano.decodeStream(body === null ? nano.streams.createFull(undefined) : body.stream);
      },
    };
    const names = ReflectOwnKeys(members);
    for (let i = 0; i < names.length; i++) {
      ObjectDefineProperty(Class.prototype, names[i], ReflectGetOwnPropertyDescriptor(members, names[i]));
    }
  }

  nano.body = { __proto__: null, convert, extract, fromBytes, fromIncoming, fromStream, fromText, mixin };
});
