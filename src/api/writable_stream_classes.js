"use strict";
// WritableStream, its writer and controller as an app sees them: Streams Standard §5.2, §5.3, §5.4.

(function (nano) {
  const { writable } = nano;
  const { PromiseReject, RangeError, ReflectApply, TypeError, isObject, newPromise } = nano.primordials;
  const { callback, defineInterface, requireArguments } = nano.webidl;
  const { Writable, WritableController, Writer } = writable;
  const { extractHighWaterMark, extractSizeAlgorithm, toStrategy } = nano.queuing;

  const internal = { __proto__: null };
  const illegal = () => PromiseReject(new TypeError("Illegal invocation"));
  const refuse = (message) => PromiseReject(new TypeError(message));

  class WritableStream {
    #stream;

    constructor(underlyingSink = undefined, strategy = undefined) {
      if (underlyingSink === internal) {
        this.#stream = strategy;
        return;
      }
      if (underlyingSink !== undefined && !isObject(underlyingSink)) {
        throw new TypeError("WritableStream: the underlying sink is not an object");
      }
      const options = toStrategy(strategy);
      const sink = toSink(underlyingSink);
      const size = extractSizeAlgorithm(options);
      const highWaterMark = extractHighWaterMark(options, 1);
      const stream = new Writable();
      const call = (method, args) => (method === undefined ? undefined : ReflectApply(method, underlyingSink, args));
      const controller = new WritableController(
        stream,
        {
          write: (chunk) => call(sink.write, [chunk, outside(controller)]),
          close: () => call(sink.close, []),
          abort: (reason) => call(sink.abort, [reason]),
        },
        highWaterMark,
        size,
      );
      this.#stream = stream;
      stream.object = this;
      controller.start(sink.start === undefined ? undefined : call(sink.start, [outside(controller)]));
    }

    get locked() {
      return this.#stream.locked;
    }

    abort(reason = undefined) {
      if (!isObject(this) || !(#stream in this)) return illegal();
      return this.#stream.locked ? refuse("the stream is locked to a writer") : this.#stream.abort(reason);
    }

    close() {
      if (!isObject(this) || !(#stream in this)) return illegal();
      if (this.#stream.locked) return refuse("the stream is locked to a writer");
      return this.#stream.closeQueuedOrInFlight ? refuse("the stream is about to be closed") : this.#stream.close();
    }

    getWriter() {
      return new WritableStreamDefaultWriter(internal, new Writer(this.#stream));
    }

    static {
      writable.WritableStream = WritableStream;
      writable.isWritable = (value) => isObject(value) && #stream in value;
      writable.unwrap = (object) => object.#stream;
      writable.wrap = (stream) => {
        stream.object ??= new WritableStream(internal, stream);
        return stream.object;
      };
    }
  }

  /** §5.2.3: the underlying sink's members, in Web IDL's order. */
  function toSink(object) {
    const sink = { abort: undefined, close: undefined, start: undefined, write: undefined };
    if (object === undefined) return sink;
    const { abort } = object;
    if (abort !== undefined) sink.abort = callback(abort, "the underlying sink's abort");
    const { close } = object;
    if (close !== undefined) sink.close = callback(close, "the underlying sink's close");
    const { start } = object;
    if (start !== undefined) sink.start = callback(start, "the underlying sink's start");
    const { type } = object;
    const { write } = object;
    if (write !== undefined) sink.write = callback(write, "the underlying sink's write");
    if (type !== undefined) throw new RangeError("WritableStream: the underlying sink has a type, and none is known");
    return sink;
  }

  const outside = (controller) => {
    controller.object ??= new WritableStreamDefaultController(internal, controller);
    return controller.object;
  };

  class WritableStreamDefaultController {
    #controller;

    constructor(key = undefined, controller = undefined) {
      if (key !== internal) throw new TypeError("Illegal constructor");
      this.#controller = controller;
    }

    get signal() {
      return this.#controller.signal;
    }

    error(error = undefined) {
      this.#controller.errorIfNeeded(error);
    }
  }

  class WritableStreamDefaultWriter {
    #writer;

    constructor(stream, writer = undefined) {
      if (stream === internal) {
        this.#writer = writer;
        return;
      }
      requireArguments(arguments.length, 1, "new WritableStreamDefaultWriter");
      if (!writable.isWritable(stream)) throw new TypeError("WritableStreamDefaultWriter: not a WritableStream");
      this.#writer = new Writer(writable.unwrap(stream));
    }

    get closed() {
      if (!isObject(this) || !(#writer in this)) return illegal();
      return this.#writer.closed.promise;
    }

    get desiredSize() {
      const writer = this.#writer;
      if (writer.stream === undefined) throw new TypeError("the writer was released");
      return writer.desiredSize;
    }

    get ready() {
      if (!isObject(this) || !(#writer in this)) return illegal();
      return this.#writer.ready;
    }

    abort(reason = undefined) {
      if (!isObject(this) || !(#writer in this)) return illegal();
      const { stream } = this.#writer;
      return stream === undefined ? released() : stream.abort(reason);
    }

    close() {
      if (!isObject(this) || !(#writer in this)) return illegal();
      const { stream } = this.#writer;
      if (stream === undefined) return released();
      return stream.closeQueuedOrInFlight ? refuse("the stream is about to be closed") : stream.close();
    }

    releaseLock() {
      const writer = this.#writer;
      if (writer.stream !== undefined) writer.release();
    }

    write(chunk = undefined) {
      if (!isObject(this) || !(#writer in this)) return illegal();
      const writer = this.#writer;
      if (writer.stream === undefined) return released();
      const request = newPromise();
      writer.write(chunk, request);
      return request.promise;
    }
  }

  const released = () => refuse("the writer was released");

  defineInterface(WritableStream);
  defineInterface(WritableStreamDefaultController);
  defineInterface(WritableStreamDefaultWriter);

  nano.expose("WritableStream", WritableStream);
  nano.expose("WritableStreamDefaultController", WritableStreamDefaultController);
  nano.expose("WritableStreamDefaultWriter", WritableStreamDefaultWriter);
});
