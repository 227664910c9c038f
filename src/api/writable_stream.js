"use strict";
// How a WritableStream works, seen from inside: Streams Standard §5.5. What the standard calls internal slots are the
// fields of `Writable`, `Writer` and `WritableController`, and its abstract operations are their methods. No app ever holds
// one of these: `writable_stream_classes.js` wraps them.

(function (nano) {
  const { abort, context } = nano;
  const {
    PromiseReject, PromiseResolve, TypeError, markHandled, newList, newPromise, push, uponPromise,
  } = nano.primordials;
  const { SizedQueue, one } = nano.queuing;

  const WRITABLE = "writable";
  const ERRORING = "erroring";
  const CLOSED = "closed";
  const ERRORED = "errored";

  /** What stands in the queue for the end. */
  const end = { __proto__: null };

  class Writable {
    state = WRITABLE;
    storedError = undefined;
    backpressure = false;
    controller = undefined;
    /** The writer the stream is locked to. */
    writer = undefined;
    /** The WritableStream an app sees, once it does. */
    object = undefined;
    /** Who is told what becomes of each chunk of the queue that is not under way, the first one at `#first`. */
    #writeRequests = newList();
    #first = 0;
    #closeRequest = undefined;
    #inFlightWrite = undefined;
    #inFlightClose = undefined;
    /** `{ capability, reason, wasAlreadyErroring }` */
    #pendingAbort = undefined;

    get locked() {
      return this.writer !== undefined;
    }

    /** §5.5.1 WritableStreamCloseQueuedOrInFlight. */
    get closeQueuedOrInFlight() {
      return this.#closeRequest !== undefined || this.#inFlightClose !== undefined;
    }

    get writeInFlight() {
      return this.#inFlightWrite !== undefined;
    }

    /** §5.5.1 WritableStreamAbort. */
    abort(reason) {
      if (this.state === CLOSED || this.state === ERRORED) return PromiseResolve();
      this.controller.signalAbort(reason);
      const { state } = this;
      if (state === CLOSED || state === ERRORED) return PromiseResolve();
      if (this.#pendingAbort !== undefined) return this.#pendingAbort.capability.promise;
      const wasAlreadyErroring = state === ERRORING;
      const capability = newPromise();
      this.#pendingAbort = { capability, reason: wasAlreadyErroring ? undefined : reason, wasAlreadyErroring };
      if (!wasAlreadyErroring) this.startErroring(reason);
      return capability.promise;
    }

    /** §5.5.1 WritableStreamClose. */
    close() {
      const { state } = this;
      if (state === CLOSED || state === ERRORED) {
        return PromiseReject(new TypeError("the stream is already closed, or failed"));
      }
      this.#closeRequest = newPromise();
      const { promise } = this.#closeRequest;
      if (this.writer !== undefined && this.backpressure && state === WRITABLE) this.writer.resolveReady();
      this.controller.close();
      return promise;
    }

    // §5.5.2: what the controller tells.

    /** WritableStreamAddWriteRequest. */
    addWriteRequest(request) {
      push(this.#writeRequests, request);
    }

    dealWithRejection(error) {
      if (this.state === WRITABLE) this.startErroring(error);
      else this.finishErroring();
    }

    startErroring(reason) {
      this.state = ERRORING;
      this.storedError = reason;
      if (this.writer !== undefined) this.writer.rejectReady(reason);
      if (!this.#hasInFlight && this.controller.started) this.finishErroring();
    }

    finishErroring() {
      this.state = ERRORED;
      this.controller.errorSteps();
      const { storedError } = this;
      const requests = this.#writeRequests;
      const first = this.#first;
      this.#writeRequests = newList();
      this.#first = 0;
      for (let i = first; i < requests.length; i++) requests[i].reject(storedError);
      const pending = this.#pendingAbort;
      if (pending === undefined) {
        this.#rejectCloseAndClosed();
        return;
      }
      this.#pendingAbort = undefined;
      const { resolve, reject } = pending.capability;
      if (pending.wasAlreadyErroring) {
        reject(storedError);
        this.#rejectCloseAndClosed();
        return;
      }
      uponPromise(
        this.controller.abortSteps(pending.reason),
        () => {
          resolve();
          this.#rejectCloseAndClosed();
        },
        (error) => {
          reject(error);
          this.#rejectCloseAndClosed();
        },
      );
    }

    /** WritableStreamRejectCloseAndClosedPromiseIfNeeded. */
    #rejectCloseAndClosed() {
      if (this.#closeRequest !== undefined) {
        this.#closeRequest.reject(this.storedError);
        this.#closeRequest = undefined;
      }
      if (this.writer !== undefined) this.writer.rejectClosed(this.storedError);
    }

    get #hasInFlight() {
      return this.#inFlightWrite !== undefined || this.#inFlightClose !== undefined;
    }

    markWriteInFlight() {
      this.#inFlightWrite = this.#writeRequests[this.#first];
      this.#writeRequests[this.#first++] = undefined;
      if (this.#first === this.#writeRequests.length) {
        this.#writeRequests = newList();
        this.#first = 0;
      }
    }

    finishWrite() {
      this.#inFlightWrite.resolve();
      this.#inFlightWrite = undefined;
    }

    finishWriteWithError(error) {
      this.#inFlightWrite.reject(error);
      this.#inFlightWrite = undefined;
      this.dealWithRejection(error);
    }

    markCloseInFlight() {
      this.#inFlightClose = this.#closeRequest;
      this.#closeRequest = undefined;
    }

    finishClose() {
      this.#inFlightClose.resolve();
      this.#inFlightClose = undefined;
      if (this.state === ERRORING) {
        // The error was too late to be true.
        this.storedError = undefined;
        if (this.#pendingAbort !== undefined) this.#pendingAbort.capability.resolve();
        this.#pendingAbort = undefined;
      }
      this.state = CLOSED;
      if (this.writer !== undefined) this.writer.resolveClosed();
    }

    finishCloseWithError(error) {
      this.#inFlightClose.reject(error);
      this.#inFlightClose = undefined;
      if (this.#pendingAbort !== undefined) this.#pendingAbort.capability.reject(error);
      this.#pendingAbort = undefined;
      this.dealWithRejection(error);
    }

    updateBackpressure(backpressure) {
      const { writer } = this;
      if (writer !== undefined && backpressure !== this.backpressure) {
        if (backpressure) writer.renewReady();
        else writer.resolveReady();
      }
      this.backpressure = backpressure;
    }
  }

  class Writer {
    stream;
    /** What settles when the stream closes or fails, or the writer lets go. */
    closed = newPromise();
    #closedSettled = false;
    /** The promise `ready`, once an app has asked for it; whether it is settled, and `{ error }` if it is rejected. */
    #ready = undefined;
    #readySettled = false;
    #readyFailure = undefined;
    /** What a pipe does when it is fulfilled. */
    #whenReady = undefined;

    /** §5.5.1 SetUpWritableStreamDefaultWriter. */
    constructor(stream) {
      if (stream.writer !== undefined) throw new TypeError("the stream is locked to a writer");
      this.stream = stream;
      stream.writer = this;
      switch (stream.state) {
        case WRITABLE:
          if (stream.closeQueuedOrInFlight || !stream.backpressure) this.resolveReady();
          break;
        case ERRORING:
          this.rejectReady(stream.storedError);
          break;
        case CLOSED:
          this.resolveReady();
          this.resolveClosed();
          break;
        default:
          this.rejectReady(stream.storedError);
          this.rejectClosed(stream.storedError);
      }
    }

    resolveClosed() {
      this.#closedSettled = true;
      this.closed.resolve();
    }

    rejectClosed(error) {
      this.#closedSettled = true;
      this.closed.reject(error);
      markHandled(this.closed.promise);
    }

    /** What is pending as long as the stream would rather not be written to. */
    get ready() {
      if (this.#ready === undefined) {
        this.#ready = newPromise();
        if (this.#readySettled) this.#settleReady();
      }
      return this.#ready.promise;
    }

    /** Calls `steps` when `ready` is fulfilled, as a reaction to it would be. */
    whenReady(steps) {
      if (!this.#readySettled) this.#whenReady = steps;
      else if (this.#readyFailure === undefined) uponPromise(context.done, steps);
    }

    renewReady() {
      this.#readySettled = false;
      this.#ready = this.#readyFailure = undefined;
    }

    resolveReady() {
      if (this.#readySettled) return;
      this.#readySettled = true;
      if (this.#ready !== undefined) this.#settleReady();
      if (this.#whenReady === undefined) return;
      uponPromise(context.done, this.#whenReady);
      this.#whenReady = undefined;
    }

    /** §5.5.3 WritableStreamDefaultWriterEnsureReadyPromiseRejected. */
    rejectReady(error) {
      if (this.#readySettled) this.renewReady();
      this.#readySettled = true;
      this.#readyFailure = { error };
      this.#whenReady = undefined;
      if (this.#ready !== undefined) this.#settleReady();
    }

    #settleReady() {
      const { promise, resolve, reject } = this.#ready;
      if (this.#readyFailure === undefined) {
        resolve();
      } else {
        reject(this.#readyFailure.error);
        markHandled(promise);
      }
    }

    get desiredSize() {
      const { state, controller } = this.stream;
      if (state === ERRORED || state === ERRORING) return null;
      return state === CLOSED ? 0 : controller.desiredSize;
    }

    /** §5.5.3 WritableStreamDefaultWriterWrite: what becomes of the chunk is told to the request's `resolve` or `reject`. */
    write(chunk, request) {
      const { stream } = this;
      const { controller } = stream;
      const size = controller.sizeOf(chunk);
      const { state } = stream;
      if (stream !== this.stream) {
        request.reject(new TypeError("the writer was released"));
      } else if (state === ERRORED) {
        request.reject(stream.storedError);
      } else if (stream.closeQueuedOrInFlight || state === CLOSED) {
        request.reject(new TypeError("the stream is closed, or about to be"));
      } else if (state === ERRORING) {
        request.reject(stream.storedError);
      } else {
        stream.addWriteRequest(request);
        controller.write(chunk, size);
      }
    }

    /** §5.5.3 WritableStreamDefaultWriterCloseWithErrorPropagation. */
    closeWithErrorPropagation() {
      const { stream } = this;
      if (stream.closeQueuedOrInFlight || stream.state === CLOSED) return PromiseResolve();
      return stream.state === ERRORED ? PromiseReject(stream.storedError) : stream.close();
    }

    /** §5.5.3 WritableStreamDefaultWriterRelease. */
    release() {
      const { stream } = this;
      const error = new TypeError("the writer was released");
      this.rejectReady(error);
      // One that is settled cannot be rejected: it takes another.
      if (this.#closedSettled) this.closed = newPromise();
      this.rejectClosed(error);
      stream.writer = undefined;
      this.stream = undefined;
    }
  }

  class WritableController {
    stream;
    /** The WritableStreamDefaultController an app sees, if there is one. */
    object = undefined;
    started = false;
    #write;
    #close;
    #abort;
    #size;
    #highWaterMark;
    #queue = new SizedQueue();
    /** The AbortSignal, once somebody has asked for it; that it was signalled, and why. */
    #signal = undefined;
    #aborted = false;
    #reason = undefined;
    /** The request whose code the sink is: it is called there, whoever writes. */
    #token = context.current();

    /** `write(chunk, controller)`, `close()` and `abort(reason)` are what the sink does. */
    constructor(stream, { write, close, abort }, highWaterMark, size) {
      this.stream = stream;
      this.#write = write;
      this.#close = close;
      this.#abort = abort;
      this.#highWaterMark = highWaterMark;
      this.#size = size;
      stream.controller = this;
      stream.updateBackpressure(this.#backpressure);
    }

    /** §5.5.4 SetUpWritableStreamDefaultController, from the start algorithm's result on. */
    start(result) {
      uponPromise(
        PromiseResolve(result),
        () => {
          this.started = true;
          this.#advance();
        },
        (error) => {
          this.started = true;
          this.stream.dealWithRejection(error);
        },
      );
    }

    get signal() {
      if (this.#signal === undefined) {
        this.#signal = abort.createSignal();
        if (this.#aborted) abort.signalAbort(this.#signal, this.#reason);
      }
      return this.#signal;
    }

    signalAbort(reason) {
      if (this.#aborted) return;
      this.#aborted = true;
      this.#reason = reason;
      if (this.#signal !== undefined) abort.signalAbort(this.#signal, reason);
    }

    get desiredSize() {
      return this.#highWaterMark - this.#queue.total;
    }

    get #backpressure() {
      return this.desiredSize <= 0;
    }

    /** WritableStreamDefaultControllerGetChunkSize. */
    sizeOf(chunk) {
      if (this.#size === undefined || this.#size === one) return 1;
      try {
        return context.callIn(this.#token, this.#size, undefined, [chunk]);
      } catch (error) {
        this.errorIfNeeded(error);
        return 1;
      }
    }

    write(chunk, size) {
      try {
        this.#queue.enqueue(chunk, size);
      } catch (error) {
        this.errorIfNeeded(error);
        return;
      }
      const { stream } = this;
      if (!stream.closeQueuedOrInFlight && stream.state === WRITABLE) stream.updateBackpressure(this.#backpressure);
      this.#advance();
    }

    close() {
      this.#queue.enqueue(end, 0);
      this.#advance();
    }

    errorIfNeeded(error) {
      if (this.stream.state !== WRITABLE) return;
      this.#clearAlgorithms();
      this.stream.startErroring(error);
    }

    abortSteps(reason) {
      const aborted = context.promiseCallIn(this.#token, this.#abort, [reason]);
      this.#clearAlgorithms();
      return aborted;
    }

    errorSteps() {
      this.#queue.reset();
    }

    #clearAlgorithms() {
      this.#write = this.#close = this.#abort = this.#size = undefined;
    }

    /** WritableStreamDefaultControllerAdvanceQueueIfNeeded. */
    #advance() {
      const { stream } = this;
      if (!this.started || stream.writeInFlight) return;
      if (stream.state === ERRORING) {
        stream.finishErroring();
        return;
      }
      if (this.#queue.empty) return;
      const chunk = this.#queue.first;
      if (chunk === end) this.#processClose();
      else this.#processWrite(chunk);
    }

    #processClose() {
      const { stream } = this;
      stream.markCloseInFlight();
      this.#queue.dequeue();
      const closed = context.promiseCallIn(this.#token, this.#close, []);
      this.#clearAlgorithms();
      uponPromise(closed, () => stream.finishClose(), (error) => stream.finishCloseWithError(error));
    }

    #processWrite(chunk) {
      const { stream } = this;
      stream.markWriteInFlight();
      uponPromise(
        context.promiseCallIn(this.#token, this.#write, [chunk, this]),
        () => {
          stream.finishWrite();
          this.#queue.dequeue();
          if (!stream.closeQueuedOrInFlight && stream.state === WRITABLE) stream.updateBackpressure(this.#backpressure);
          this.#advance();
        },
        (error) => {
          if (stream.state === WRITABLE) this.#clearAlgorithms();
          stream.finishWriteWithError(error);
        },
      );
    }
  }

  /** §5.5.1 CreateWritableStream: what `sink` has are the platform's own functions. */
  function createWritable(sink, highWaterMark, size = one, started = undefined) {
    const stream = new Writable();
    new WritableController(stream, sink, highWaterMark, size).start(started);
    return stream;
  }

  nano.writable = {
    __proto__: null, Writable, Writer, WritableController, createWritable,
    // Set by writable_stream_classes.js.
    WritableStream: undefined, isWritable: undefined, wrap: undefined, unwrap: undefined,
  };
});
