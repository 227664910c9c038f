"use strict";
// ReadableStream, its default reader and controller as an app sees them: Streams Standard §4.2, §4.4, §4.6.

(function (nano) {
  const { streams } = nano;
  const {
    AsyncIteratorPrototype, Boolean, ObjectDefineProperty, ObjectSetPrototypeOf, PromisePrototypeThen, PromiseReject,
    PromiseResolve, RangeError, ReflectApply, SymbolAsyncIterator, SymbolIterator, TypeError, isObject, markHandled,
    newPromise, uponPromise,
  } = nano.primordials;
  const {
    callback, defineInterface, dictionary, enforceRange, enumeration, makeEnumerable, requireArguments,
  } = nano.webidl;
  const { ByteController, Controller, Reader, Stream, create } = streams;
  const { extractHighWaterMark, extractSizeAlgorithm, toStrategy } = nano.queuing;

  const internal = { __proto__: null };
  const illegal = () => PromiseReject(new TypeError("Illegal invocation"));

  class ReadableStream {
    #stream;

    constructor(underlyingSource = undefined, strategy = undefined) {
      if (underlyingSource === internal) {
        this.#stream = strategy;
        return;
      }
      if (underlyingSource !== undefined && !isObject(underlyingSource)) {
        throw new TypeError("ReadableStream: the underlying source is not an object");
      }
      const options = toStrategy(strategy);
      const source = toSource(underlyingSource);
      const stream = new Stream();
      const call = (method, argument) =>
        method === undefined ? undefined : ReflectApply(method, underlyingSource, [argument]);
      const cancel = (reason) => call(source.cancel, reason);
      const pull = (controller) => call(source.pull, outside(controller));
      let controller;
      if (source.isByte) {
        if (options.size !== undefined) throw new RangeError("ReadableStream: a byte stream's strategy has no size");
        const highWaterMark = extractHighWaterMark(options, 0);
        if (source.autoAllocateChunkSize === 0) throw new TypeError("ReadableStream: autoAllocateChunkSize is 0");
        controller = new ByteController(stream, pull, cancel, highWaterMark, source.autoAllocateChunkSize);
      } else {
        const size = extractSizeAlgorithm(options);
        controller = new Controller(stream, pull, cancel, extractHighWaterMark(options, 1), size);
      }
      this.#stream = stream;
      stream.object = this;
      controller.start(
        source.start === undefined ? undefined : ReflectApply(source.start, underlyingSource, [outside(controller)]),
      );
    }

    static from(asyncIterable) {
      requireArguments(arguments.length, 1, "ReadableStream.from");
      return streams.wrap(fromIterable(asyncIterable));
    }

    get locked() {
      return this.#stream.locked;
    }

    cancel(reason = undefined) {
      if (!isObject(this) || !(#stream in this)) return illegal();
      if (this.#stream.locked) return PromiseReject(new TypeError("the stream is locked to a reader"));
      return this.#stream.cancel(reason);
    }

    getReader(options = undefined) {
      const stream = this.#stream;
      const mode = dictionary(options, "getReader's options")?.mode;
      if (mode !== undefined) {
        enumeration(mode, ["byob"], "getReader's mode");
        return streams.createByobReader(stream);
      }
      return new ReadableStreamDefaultReader(internal, new Reader(stream));
    }

    pipeThrough(transform, options = undefined) {
      const stream = this.#stream;
      requireArguments(arguments.length, 1, "ReadableStream.pipeThrough");
      const { readable, writable: given } = toPair(transform);
      const pipeOptions = toPipeOptions(options, "pipeThrough's options");
      const dest = nano.writable.unwrap(given);
      if (stream.locked) throw new TypeError("pipeThrough: the stream is locked to a reader");
      if (dest.locked) throw new TypeError("pipeThrough: the writable stream is locked to a writer");
      markHandled(nano.pipeTo(stream, dest, pipeOptions));
      return readable;
    }

    pipeTo(destination, options = undefined) {
      if (!isObject(this) || !(#stream in this)) return illegal();
      try {
        const stream = this.#stream;
        requireArguments(arguments.length, 1, "ReadableStream.pipeTo");
        const { writable } = nano;
        if (!writable.isWritable(destination)) throw new TypeError("pipeTo: the destination is not a WritableStream");
        const pipeOptions = toPipeOptions(options, "pipeTo's options");
        const dest = writable.unwrap(destination);
        if (stream.locked) throw new TypeError("pipeTo: the stream is locked to a reader");
        if (dest.locked) throw new TypeError("pipeTo: the destination is locked to a writer");
        return nano.pipeTo(stream, dest, pipeOptions);
      } catch (error) {
        return PromiseReject(error);
      }
    }

    tee() {
      const branches = streams.tee(this.#stream, false);
      return [streams.wrap(branches[0]), streams.wrap(branches[1])];
    }

    values(options = undefined) {
      const stream = this.#stream;
      const preventCancel = Boolean(dictionary(options, "values' options")?.preventCancel);
      return new ReadableStreamAsyncIterator(new Reader(stream), preventCancel);
    }

    static {
      streams.isStream = (value) => isObject(value) && #stream in value;
      streams.unwrap = (object) => object.#stream;
      streams.wrap = (stream) => {
        stream.object ??= new ReadableStream(internal, stream);
        return stream.object;
      };
    }
  }

  /** §4.2.3: the underlying source's members, in Web IDL's order. */
  function toSource(object) {
    const source = {
      autoAllocateChunkSize: undefined, cancel: undefined, pull: undefined, start: undefined, isByte: false,
    };
    if (object === undefined) return source;
    const { autoAllocateChunkSize } = object;
    if (autoAllocateChunkSize !== undefined) {
      source.autoAllocateChunkSize = enforceRange(autoAllocateChunkSize, "autoAllocateChunkSize");
    }
    const { cancel } = object;
    if (cancel !== undefined) source.cancel = callback(cancel, "the underlying source's cancel");
    const { pull } = object;
    if (pull !== undefined) source.pull = callback(pull, "the underlying source's pull");
    const { start } = object;
    if (start !== undefined) source.start = callback(start, "the underlying source's start");
    const { type } = object;
    if (type !== undefined) {
      enumeration(type, ["bytes"], "the underlying source's type");
      source.isByte = true;
    }
    return source;
  }

  /** §4.2.1 ReadableWritablePair. */
  function toPair(value) {
    const members = dictionary(value, "pipeThrough's transform");
    const readable = members?.readable;
    if (!streams.isStream(readable)) throw new TypeError("pipeThrough: the transform's readable is not a ReadableStream");
    const given = members.writable;
    if (!nano.writable.isWritable(given)) throw new TypeError("pipeThrough: the transform's writable is not a WritableStream");
    return { readable, writable: given };
  }

  /** §4.2.1 StreamPipeOptions. */
  function toPipeOptions(value, what) {
    const options = { preventAbort: false, preventCancel: false, preventClose: false, signal: undefined };
    const members = dictionary(value, what);
    if (members === undefined) return options;
    options.preventAbort = Boolean(members.preventAbort);
    options.preventCancel = Boolean(members.preventCancel);
    options.preventClose = Boolean(members.preventClose);
    const { signal } = members;
    if (signal !== undefined && !nano.abort.isAbortSignal(signal)) throw new TypeError(`${what}: signal is not an AbortSignal`);
    options.signal = signal;
    return options;
  }

  const outside = (controller) => {
    controller.object ??= controller.isByte
      ? streams.outsideByte(controller)
      : new ReadableStreamDefaultController(internal, controller);
    return controller.object;
  };

  class ReadableStreamDefaultController {
    #controller;

    constructor(key = undefined, controller = undefined) {
      if (key !== internal) throw new TypeError("Illegal constructor");
      this.#controller = controller;
    }

    get desiredSize() {
      return this.#controller.desiredSize;
    }

    close() {
      const controller = this.#controller;
      if (!controller.canCloseOrEnqueue) throw new TypeError("the stream is already closed, or failed");
      controller.close();
    }

    enqueue(chunk = undefined) {
      const controller = this.#controller;
      if (!controller.canCloseOrEnqueue) throw new TypeError("the stream is already closed, or failed");
      controller.enqueue(chunk);
    }

    error(error = undefined) {
      this.#controller.error(error);
    }
  }

  class ReadableStreamDefaultReader {
    #reader;

    constructor(stream, reader = undefined) {
      if (stream === internal) {
        this.#reader = reader;
        return;
      }
      requireArguments(arguments.length, 1, "new ReadableStreamDefaultReader");
      if (!streams.isStream(stream)) throw new TypeError("ReadableStreamDefaultReader: not a ReadableStream");
      this.#reader = new Reader(streams.unwrap(stream));
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

    read() {
      if (!isObject(this) || !(#reader in this)) return illegal();
      const { stream } = this.#reader;
      if (stream === undefined) return released();
      const request = new ReadRequest();
      stream.read(request);
      return request.promise;
    }

    releaseLock() {
      const reader = this.#reader;
      if (reader.stream !== undefined) reader.release();
    }
  }

  /** §4.4.3 "read request": that of `read()`. */
  class ReadRequest {
    #capability = newPromise();

    get promise() {
      return this.#capability.promise;
    }

    chunk(value) {
      this.#capability.resolve({ value, done: false });
    }

    close() {
      this.#capability.resolve({ value: undefined, done: true });
    }

    error(error) {
      this.#capability.reject(error);
    }
  }

  const released = () => PromiseReject(new TypeError("the reader was released"));

  /** §4.2.5 with Web IDL §3.7.10: each call waits for the one before. */
  class ReadableStreamAsyncIterator {
    #reader;
    #preventCancel;
    #ongoing = undefined;
    #finished = false;

    constructor(reader, preventCancel) {
      this.#reader = reader;
      this.#preventCancel = preventCancel;
    }

    next() {
      if (!isObject(this) || !(#reader in this)) return illegal();
      return this.#after(() => this.#next());
    }

    return(value) {
      if (!isObject(this) || !(#reader in this)) return illegal();
      return PromisePrototypeThen(
        this.#after(() => this.#return(value)),
        () => ({ value, done: true }),
      );
    }

    #after(steps) {
      const before = this.#ongoing;
      if (before === undefined) {
        this.#ongoing = steps();
      } else {
        const { promise, resolve, reject } = newPromise();
        const goOn = () => uponPromise(steps(), resolve, reject);
        this.#ongoing = promise;
        uponPromise(before, goOn, goOn);
      }
      return this.#ongoing;
    }

    #next() {
      if (this.#finished) return PromiseResolve({ value: undefined, done: true });
      const { promise, resolve, reject } = newPromise();
      let done = false;
      this.#reader.stream.read({
        chunk: resolve,
        close: () => {
          this.#finish();
          done = true;
          resolve();
        },
        error: (error) => {
          this.#finish();
          reject(error);
        },
      });
      const next = PromisePrototypeThen(promise, (value) => {
        if (this.#ongoing === next) this.#ongoing = undefined;
        return { value, done };
      });
      return next;
    }

    #return(value) {
      if (this.#finished) return PromiseResolve();
      const { stream } = this.#reader;
      const result = this.#preventCancel ? PromiseResolve() : stream.cancel(value);
      this.#finish();
      return result;
    }

    #finish() {
      this.#finished = true;
      this.#reader.release();
    }
  }

  // ReadableStream.from: §4.9.1 ReadableStreamFromIterable.

  function fromIterable(iterable) {
    const { iterator, next, sync } = getIterator(iterable);

    function pull(controller) {
      const { promise, resolve, reject } = newPromise();
      const step = sync ? nextOf(iterator, next) : PromiseResolve(ReflectApply(next, iterator, []));
      uponPromise(step, (result) => {
        try {
          if (toResult(result).done) controller.close();
          else controller.enqueue(result.value);
          resolve();
        } catch (error) {
          reject(error);
        }
      }, reject);
      return promise;
    }

    function cancel(reason) {
      const method = iterator.return;
      if (method === undefined || method === null) return undefined;
      const result = ReflectApply(method, iterator, [reason]);
      if (sync) return PromisePrototypeThen(PromiseResolve(toResult(result).value), () => undefined);
      return PromisePrototypeThen(PromiseResolve(result), (settled) => {
        toResult(settled);
      });
    }

    return create(pull, cancel, 0);
  }

  function toResult(result) {
    if (!isObject(result)) throw new TypeError("ReadableStream.from: the iterator's result is not an object");
    return result;
  }

  /** What `for await` makes of the next result of an iterator that is not asynchronous (ECMAScript §27.1.6.4). */
  function nextOf(iterator, next) {
    const { done, value } = toResult(ReflectApply(next, iterator, []));
    const give = (settled) => ({ __proto__: null, done, value: settled });
    const close = (error) => {
      if (!done) {
        try {
          const method = iterator.return;
          if (method !== undefined && method !== null) ReflectApply(method, iterator, []);
        } catch {
          // What the value was rejected with goes first.
        }
      }
      throw error;
    };
    return PromisePrototypeThen(PromiseResolve(value), give, close);
  }

  function getIterator(iterable) {
    if (iterable === undefined || iterable === null) throw new TypeError("ReadableStream.from: not iterable");
    let method = iterable[SymbolAsyncIterator];
    const sync = method === undefined || method === null;
    if (sync) method = iterable[SymbolIterator];
    if (typeof method !== "function") throw new TypeError("ReadableStream.from: not iterable");
    const iterator = ReflectApply(method, iterable, []);
    if (!isObject(iterator)) throw new TypeError("ReadableStream.from: the iterator is not an object");
    return { iterator, next: iterator.next, sync };
  }

  defineInterface(ReadableStream);
  ObjectDefineProperty(ReadableStream.prototype, SymbolAsyncIterator, {
    __proto__: null, value: ReadableStream.prototype.values, writable: true, configurable: true,
  });
  defineInterface(ReadableStreamDefaultController);
  defineInterface(ReadableStreamDefaultReader);
  delete ReadableStreamAsyncIterator.prototype.constructor;
  ObjectSetPrototypeOf(ReadableStreamAsyncIterator.prototype, AsyncIteratorPrototype);
  makeEnumerable(ReadableStreamAsyncIterator.prototype);

  nano.expose("ReadableStream", ReadableStream);
  nano.expose("ReadableStreamDefaultController", ReadableStreamDefaultController);
  nano.expose("ReadableStreamDefaultReader", ReadableStreamDefaultReader);
});
