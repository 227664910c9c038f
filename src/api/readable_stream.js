"use strict";
// How a ReadableStream works, seen from inside: Streams Standard §4, with default controllers. What the standard calls
// internal slots are the fields of `Stream`, `Reader` and `Controller`, and its abstract operations are their methods. No
// app ever holds one of these: `readable_stream_classes.js` wraps them. Byte streams are in byte_stream.js.

(function (nano) {
  const { context } = nano;
  const {
    PromisePrototypeThen, PromiseReject, PromiseResolve, TypeError, markHandled, newList, newPromise, push,
    uponPromise,
  } = nano.primordials;
  const { SizedQueue, one } = nano.queuing;

  const READABLE = "readable";
  const CLOSED = "closed";
  const ERRORED = "errored";

  const nothing = () => {};

  class Stream {
    state = READABLE;
    storedError = undefined;
    disturbed = false;
    /** The reader the stream is locked to. */
    reader = undefined;
    controller = undefined;
    /** How many bytes it has from its first chunk to its last, where that is known. */
    length = undefined;
    /** `{ pipe, end }` where the chunks come from no script (pipe.js). */
    native = undefined;
    /** The ReadableStream an app sees, once it does. */
    object = undefined;

    get locked() {
      return this.reader !== undefined;
    }

    /** §4.9.2 ReadableStreamCancel. */
    cancel(reason) {
      this.disturbed = true;
      if (this.state === CLOSED) return PromiseResolve();
      if (this.state === ERRORED) return PromiseReject(this.storedError);
      this.close();
      if (this.reader !== undefined && this.reader.byob) {
        const requests = this.reader.takeRequests();
        for (let i = 0; i < requests.length; i++) requests[i].close(undefined);
      }
      return PromisePrototypeThen(this.controller.cancelSteps(reason), nothing);
    }

    /** §4.9.2 ReadableStreamClose. */
    close() {
      this.state = CLOSED;
      if (this.reader === undefined) return;
      this.reader.closed.resolve();
      // Those that brought a buffer wait for the source to give it back.
      if (this.reader.byob) return;
      const requests = this.reader.takeRequests();
      for (let i = 0; i < requests.length; i++) requests[i].close();
    }

    /** §4.9.2 ReadableStreamError. */
    error(error) {
      this.state = ERRORED;
      this.storedError = error;
      if (this.reader === undefined) return;
      this.reader.closed.reject(error);
      markHandled(this.reader.closed.promise);
      this.reader.failRequests(error);
    }

    /** §4.9.3 ReadableStreamDefaultReaderRead. A request has the steps `chunk(value)`, `close()` and `error(e)`. */
    read(request) {
      this.disturbed = true;
      if (this.state === CLOSED) request.close();
      else if (this.state === ERRORED) request.error(this.storedError);
      else this.controller.pullSteps(request);
    }

    /** §4.9.3 ReadableStreamBYOBReaderRead: a request's `chunk` and `close` get what became of `view`. */
    readInto(view, min, request) {
      this.disturbed = true;
      if (this.state === ERRORED) request.error(this.storedError);
      else this.controller.pullInto(view, min, request);
    }
  }

  class Reader {
    stream;
    /** Whether its requests bring buffers of their own: a ReadableStreamBYOBReader. */
    byob;
    /** What settles when the stream closes or fails, or the reader lets go. */
    closed = newPromise();
    #requests = newList();
    #first = 0;

    /** §4.9.3 ReadableStreamReaderGenericInitialize. */
    constructor(stream, byob = false) {
      if (stream.reader !== undefined) throw new TypeError("the stream is locked to a reader");
      if (byob && !stream.controller.isByte) throw new TypeError("the stream is not a byte stream");
      this.byob = byob;
      this.stream = stream;
      stream.reader = this;
      if (stream.state === CLOSED) {
        this.closed.resolve();
      } else if (stream.state === ERRORED) {
        this.closed.reject(stream.storedError);
        markHandled(this.closed.promise);
      }
    }

    /** `closed` for an app, which is to hear of a body's end even if it reads no further. */
    watch() {
      const { stream } = this;
      if (stream !== undefined && stream.native !== undefined) {
        // Rust would not know of what is queued here.
        stream.native = undefined;
        stream.controller.readAhead();
      }
      return this.closed.promise;
    }

    /** §4.9.3 ReadableStreamDefaultReaderRelease, ReadableStreamBYOBReaderRelease. */
    release() {
      const { stream } = this;
      const error = new TypeError("the reader was released");
      if (stream.state !== READABLE) this.closed = newPromise();
      this.closed.reject(error);
      markHandled(this.closed.promise);
      stream.controller.releaseSteps();
      stream.reader = undefined;
      this.stream = undefined;
      this.failRequests(error);
    }

    /** Reads chunk after chunk: `steps.chunk(value, next)` calls `next` for another. A loop, however long the queue. */
    readOn({ chunk, close, error }) {
      const { stream } = this;
      let reading = false;
      let wanted = false;
      const next = () => {
        wanted = true;
        if (reading) return;
        reading = true;
        while (wanted) {
          wanted = false;
          stream.read(request);
        }
        reading = false;
      };
      const request = { chunk: (value) => chunk(value, next), close, error };
      next();
    }

    get waiting() {
      return this.#requests.length - this.#first;
    }

    addRequest(request) {
      push(this.#requests, request);
    }

    shiftRequest() {
      const request = this.#requests[this.#first];
      this.#requests[this.#first++] = undefined;
      if (this.#first === this.#requests.length) {
        this.#requests = newList();
        this.#first = 0;
      }
      return request;
    }

    /** All that wait, none of them waiting any longer. */
    takeRequests() {
      const requests = newList();
      for (let i = this.#first; i < this.#requests.length; i++) push(requests, this.#requests[i]);
      this.#requests = newList();
      this.#first = 0;
      return requests;
    }

    failRequests(error) {
      const requests = this.takeRequests();
      for (let i = 0; i < requests.length; i++) requests[i].error(error);
    }
  }

  /** What controllers of both kinds do: ask the source for more in time. */
  class SourceController {
    stream;
    /** The controller an app sees, if there is one. */
    object = undefined;
    pullAlgorithm;
    cancelAlgorithm;
    highWaterMark;
    started = false;
    closeRequested = false;
    pulling = false;
    pullAgain = false;
    /** The request whose code the source is: it is called there, whoever reads. */
    token = context.current();
    /** What happens after a pull: the same functions each time. */
    #pulled = () => {
      this.pulling = false;
      if (!this.pullAgain) return;
      this.pullAgain = false;
      this.callPullIfNeeded();
    };
    #failed = (error) => this.error(error);

    constructor(stream, pull, cancel, highWaterMark) {
      this.stream = stream;
      this.pullAlgorithm = pull;
      this.cancelAlgorithm = cancel;
      this.highWaterMark = highWaterMark;
      stream.controller = this;
    }

    /** §4.9.4 SetUpReadableStreamDefaultController, §4.9.5, from the start algorithm's result on. */
    start(result) {
      uponPromise(
        PromiseResolve(result),
        () => {
          this.started = true;
          this.callPullIfNeeded();
        },
        (error) => this.error(error),
      );
    }

    get canCloseOrEnqueue() {
      return !this.closeRequested && this.stream.state === READABLE;
    }

    get desiredSize() {
      const { state } = this.stream;
      if (state === ERRORED) return null;
      return state === CLOSED ? 0 : this.highWaterMark - this.queuedSize;
    }

    cancelSteps(reason) {
      this.resetQueue();
      const cancel = this.cancelAlgorithm;
      const canceled = context.promiseCallIn(this.token, cancel, [reason]);
      this.clearAlgorithms();
      return canceled;
    }

    clearAlgorithms() {
      this.pullAlgorithm = this.cancelAlgorithm = undefined;
    }

    /** From now on, a chunk is asked for before anybody wants it. */
    readAhead() {
      this.highWaterMark = 1;
      this.callPullIfNeeded();
    }

    shouldPull() {
      if (!this.started || !this.canCloseOrEnqueue) return false;
      const { reader } = this.stream;
      return (reader !== undefined && reader.waiting > 0) || this.desiredSize > 0;
    }

    callPullIfNeeded() {
      if (!this.shouldPull()) return;
      if (this.pulling) {
        this.pullAgain = true;
        return;
      }
      this.pulling = true;
      uponPromise(context.promiseCallIn(this.token, this.pullAlgorithm, [this]), this.#pulled, this.#failed);
    }
  }

  class Controller extends SourceController {
    #size;
    #queue = new SizedQueue();

    constructor(stream, pull, cancel, highWaterMark, size) {
      super(stream, pull, cancel, highWaterMark);
      this.#size = size;
    }

    get isByte() {
      return false;
    }

    get queuedSize() {
      return this.#queue.total;
    }

    close() {
      if (!this.canCloseOrEnqueue) return;
      this.closeRequested = true;
      if (!this.#queue.empty) return;
      this.clearAlgorithms();
      this.stream.close();
    }

    /** §9.1.1 "close" a ReadableStream, for sources of our own. */
    end() {
      this.close();
    }

    enqueue(chunk) {
      if (!this.canCloseOrEnqueue) return;
      const { reader } = this.stream;
      if (reader !== undefined && reader.waiting > 0) {
        reader.shiftRequest().chunk(chunk);
      } else {
        try {
          const size = this.#size === one ? 1 : context.callIn(this.token, this.#size, undefined, [chunk]);
          this.#queue.enqueue(chunk, size);
        } catch (error) {
          this.error(error);
          throw error;
        }
      }
      this.callPullIfNeeded();
    }

    error(error) {
      if (this.stream.state !== READABLE) return;
      this.#queue.reset();
      this.clearAlgorithms();
      this.stream.error(error);
    }

    pullSteps(request) {
      if (this.#queue.empty) {
        this.stream.reader.addRequest(request);
        this.callPullIfNeeded();
        return;
      }
      const chunk = this.#queue.dequeue();
      if (this.closeRequested && this.#queue.empty) {
        this.clearAlgorithms();
        this.stream.close();
      } else {
        this.callPullIfNeeded();
      }
      request.chunk(chunk);
    }

    releaseSteps() {}

    resetQueue() {
      this.#queue.reset();
    }

    clearAlgorithms() {
      super.clearAlgorithms();
      this.#size = undefined;
    }
  }

  /** §4.9.1 CreateReadableStream: `pull(controller)` and `cancel(reason)` are the platform's own functions. */
  function create(pull, cancel, highWaterMark) {
    const stream = new Stream();
    new Controller(stream, pull, cancel, highWaterMark, one).start();
    return stream;
  }

  nano.streams = {
    __proto__: null, Stream, Reader, SourceController, Controller, create,
    // Set by byte_stream.js, tee.js and readable_stream_classes.js.
    ByteController: undefined, createBytes: undefined, createFull: undefined, tee: undefined,
    isStream: undefined, wrap: undefined, unwrap: undefined, outside: undefined,
  };
});
