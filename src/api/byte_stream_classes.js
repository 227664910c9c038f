"use strict";
// What an app sees of byte streams: Streams Standard §4.5, §4.7 and §4.8.

(function (nano) {
  const { streams } = nano;
  const {
    ArrayBufferIsView, ArrayBufferPrototypeGetByteLength, ArrayBufferPrototypeGetDetached, PromiseReject, RangeError,
    TypeError, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetLength,
    TypedArrayPrototypeGetSymbolToStringTag: getKind, isObject, newPromise,
  } = nano.primordials;
  const {
    bufferSource, bytesOf, defineInterface, dictionary, enforceRange, getByteLength, heldBytes, requireArguments,
  } = nano.webidl;
  const { Reader } = streams;

  const internal = { __proto__: null };
  const illegal = () => PromiseReject(new TypeError("Illegal invocation"));

  /** Web IDL §3.2.25, for an ArrayBufferView. */
  function arrayBufferView(value, what) {
    if (!ArrayBufferIsView(value)) throw new TypeError(`${what} is not a view of an ArrayBuffer`);
    return bufferSource(value, what);
  }

  const hasDetached = (bytes) => ArrayBufferPrototypeGetDetached(TypedArrayPrototypeGetBuffer(bytes));
  const isEmptyBuffer = (bytes) => ArrayBufferPrototypeGetByteLength(TypedArrayPrototypeGetBuffer(bytes)) === 0;

  /** The Uint8Array over what a view is of, which must be something. */
  function someBytes(view, what) {
    const bytes = heldBytes(view);
    if (getByteLength(bytes) === 0) throw new TypeError(`${what} has no bytes`);
    return bytes;
  }

  class ReadableByteStreamController {
    #controller;

    constructor(key = undefined, controller = undefined) {
      if (key !== internal) throw new TypeError("Illegal constructor");
      this.#controller = controller;
    }

    get byobRequest() {
      const request = this.#controller.byobRequest;
      if (request === undefined) return null;
      request.object ??= new ReadableStreamBYOBRequest(internal, request);
      return request.object;
    }

    get desiredSize() {
      return this.#controller.desiredSize;
    }

    close() {
      const controller = this.#controller;
      if (!controller.canCloseOrEnqueue) throw new TypeError("the stream is already closed, or failed");
      controller.close();
    }

    enqueue(chunk) {
      const controller = this.#controller;
      requireArguments(arguments.length, 1, "ReadableByteStreamController.enqueue");
      someBytes(arrayBufferView(chunk, "the chunk"), "the chunk");
      if (!controller.canCloseOrEnqueue) throw new TypeError("the stream is already closed, or failed");
      controller.enqueue(chunk);
    }

    error(error = undefined) {
      this.#controller.error(error);
    }
  }

  class ReadableStreamBYOBRequest {
    #request;

    constructor(key = undefined, request = undefined) {
      if (key !== internal) throw new TypeError("Illegal constructor");
      this.#request = request;
    }

    get view() {
      return this.#request.view;
    }

    respond(bytesWritten) {
      const request = this.#request;
      requireArguments(arguments.length, 1, "ReadableStreamBYOBRequest.respond");
      const written = enforceRange(bytesWritten, "bytesWritten");
      const controller = controllerOf(request);
      if (hasDetached(request.view)) throw new TypeError("the request's buffer is detached");
      controller.respond(written);
    }

    respondWithNewView(view) {
      const request = this.#request;
      requireArguments(arguments.length, 1, "ReadableStreamBYOBRequest.respondWithNewView");
      arrayBufferView(view, "the view");
      const controller = controllerOf(request);
      // A detached one throws.
      controller.respondWithNewView(bytesOf(view));
    }
  }

  function controllerOf({ controller }) {
    if (controller === undefined) throw new TypeError("the request was already responded to, or is no longer wanted");
    return controller;
  }

  class ReadableStreamBYOBReader {
    #reader;

    constructor(stream, reader = undefined) {
      if (stream === internal) {
        this.#reader = reader;
        return;
      }
      requireArguments(arguments.length, 1, "new ReadableStreamBYOBReader");
      if (!streams.isStream(stream)) throw new TypeError("ReadableStreamBYOBReader: not a ReadableStream");
      this.#reader = new Reader(streams.unwrap(stream), true);
    }

    get closed() {
      if (!isObject(this) || !(#reader in this)) return illegal();
      return this.#reader.watch();
    }

    cancel(reason = undefined) {
      if (!isObject(this) || !(#reader in this)) return illegal();
      const { stream } = this.#reader;
      return stream === undefined ? released() : stream.cancel(reason);
    }

    read(view, options = undefined) {
      if (!isObject(this) || !(#reader in this)) return illegal();
      const { promise, resolve, reject } = newPromise();
      try {
        requireArguments(arguments.length, 1, "ReadableStreamBYOBReader.read");
        arrayBufferView(view, "the view");
        const given = dictionary(options, "read's options")?.min;
        const min = given === undefined ? 1 : enforceRange(given, "min");
        const bytes = someBytes(view, "the view");
        if (isEmptyBuffer(bytes)) throw new TypeError("the view's buffer is empty");
        if (min === 0) throw new TypeError("min is 0");
        const length = getKind(view) === undefined ? getByteLength(bytes) : TypedArrayPrototypeGetLength(view);
        if (min > length) throw new RangeError("min is more than the view holds");
        const { stream } = this.#reader;
        if (stream === undefined) return released();
        stream.readInto(view, min, {
          chunk: (value) => resolve({ value, done: false }),
          close: (value) => resolve({ value, done: true }),
          error: reject,
        });
      } catch (error) {
        reject(error);
      }
      return promise;
    }

    releaseLock() {
      const reader = this.#reader;
      if (reader.stream !== undefined) reader.release();
    }
  }

  const released = () => PromiseReject(new TypeError("the reader was released"));

  defineInterface(ReadableByteStreamController);
  defineInterface(ReadableStreamBYOBRequest);
  defineInterface(ReadableStreamBYOBReader);

  streams.createByobReader = (stream) => new ReadableStreamBYOBReader(internal, new Reader(stream, true));
  streams.outsideByte = (controller) => new ReadableByteStreamController(internal, controller);

  nano.expose("ReadableByteStreamController", ReadableByteStreamController);
  nano.expose("ReadableStreamBYOBRequest", ReadableStreamBYOBRequest);
  nano.expose("ReadableStreamBYOBReader", ReadableStreamBYOBReader);
});
