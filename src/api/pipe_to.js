"use strict";
// From a readable stream into a writable one: Streams Standard §4.9.1, ReadableStreamPipeTo. No app's code takes part in it
// but source and sink: the pipe is the reader and the writer.

(function (nano) {
  const { abort, context, streams, writable } = nano;
  const {
    PromiseResolve, TypeError, newPromise, uponPromise,
  } = nano.primordials;
  const { Reader } = streams;
  const { Writer } = writable;

  const nothing = () => {};

  class Pipe {
    #source;
    #dest;
    #reader;
    #writer;
    #options;
    #capability = newPromise();
    #shuttingDown = false;
    /** How many chunks have been read of which nobody knows yet what became; what is to be done when there are none. */
    #unwritten = 0;
    #whenWritten = undefined;
    /** Whether a chunk is asked for; whether it came before `read` returned, and which. */
    #reading = false;
    #inRead = false;
    #taken = undefined;
    #algorithm = undefined;
    #runAgain = () => this.#run();
    #request = {
      chunk: (chunk) => this.#take(chunk),
      close: nothing,
      error: nothing,
    };
    #writeRequest = {
      resolve: () => this.#written(),
      reject: () => this.#written(),
    };

    constructor(source, dest, options) {
      this.#source = source;
      this.#dest = dest;
      this.#options = options;
      this.#reader = new Reader(source);
      this.#writer = new Writer(dest);
    }

    get promise() {
      return this.#capability.promise;
    }

    start() {
      const { preventAbort, preventCancel, preventClose, signal } = this.#options;
      const source = this.#source;
      const dest = this.#dest;
      const writer = this.#writer;
      source.disturbed = true;
      if (signal !== undefined) {
        if (abort.isAborted(signal)) {
          this.#abort(abort.reasonOf(signal));
          return;
        }
        this.#algorithm = abort.addAlgorithm(signal, (reason) => this.#abort(reason));
      }
      const abortDest = (error) =>
        this.#shutDown(preventAbort ? undefined : () => dest.abort(error), true, error);
      const cancelSource = (error) =>
        this.#shutDown(preventCancel ? undefined : () => source.cancel(error), true, error);
      const closeDest = () =>
        this.#shutDown(preventClose ? undefined : () => writer.closeWithErrorPropagation(), false, undefined);

      // Errors go forward and backward, closing too: in this order, where several are true already.
      if (source.state === "errored") abortDest(source.storedError);
      if (dest.state === "errored") cancelSource(dest.storedError);
      if (source.state === "closed") closeDest();
      if (dest.closeQueuedOrInFlight || dest.state === "closed") {
        cancelSource(new TypeError("the destination is closed, or about to be"));
      }
      if (this.#shuttingDown) return;
      uponPromise(this.#reader.closed.promise, closeDest, abortDest);
      uponPromise(writer.closed.promise, undefined, cancelSource);
      this.#whenReady();
    }

    /** A destination that fails instead is for the shutdown to see to. */
    #whenReady() {
      this.#writer.whenReady(this.#runAgain);
    }

    /** Reads for as long as the destination wants more. What is there already comes at once: a loop, then. */
    #run() {
      const dest = this.#dest;
      while (!this.#shuttingDown && !this.#reading && this.#source.state === "readable") {
        if (dest.state !== "writable" || !(this.#writer.desiredSize > 0)) {
          this.#whenReady();
          return;
        }
        this.#reading = this.#inRead = true;
        this.#source.read(this.#request);
        this.#inRead = false;
        if (this.#reading) return;
        const chunk = this.#taken;
        this.#taken = undefined;
        this.#unwritten++;
        this.#writer.write(chunk, this.#writeRequest);
      }
    }

    #take(chunk) {
      if (this.#inRead) {
        this.#reading = false;
        this.#taken = chunk;
        return;
      }
      // A microtask later: the sink's code is not called within the source's `enqueue`.
      this.#unwritten++;
      uponPromise(context.done, () => {
        this.#reading = false;
        if (this.#writer.stream === undefined) {
          this.#written();
          return;
        }
        this.#writer.write(chunk, this.#writeRequest);
        this.#run();
      });
    }

    #written() {
      if (--this.#unwritten !== 0 || this.#whenWritten === undefined) return;
      const goOn = this.#whenWritten;
      this.#whenWritten = undefined;
      this.#afterWrites(goOn);
    }

    #abort(error) {
      const { preventAbort, preventCancel } = this.#options;
      const source = this.#source;
      const dest = this.#dest;
      this.#shutDown(() => {
        const aborted = !preventAbort && dest.state === "writable" ? dest.abort(error) : PromiseResolve();
        const canceled = !preventCancel && source.state === "readable" ? source.cancel(error) : PromiseResolve();
        return both(aborted, canceled);
      }, true, error);
    }

    /** "Shutdown with an action", or without one. */
    #shutDown(action, isError, error) {
      if (this.#shuttingDown) return;
      this.#shuttingDown = true;
      const goOn = () => {
        if (action === undefined) this.#finalize(isError, error);
        else uponPromise(action(), () => this.#finalize(isError, error), (reason) => this.#finalize(true, reason));
      };
      const dest = this.#dest;
      if (dest.state === "writable" && !dest.closeQueuedOrInFlight) this.#afterWrites(goOn);
      else goOn();
    }

    /** Waits for all that was read to be written. */
    #afterWrites(goOn) {
      uponPromise(context.done, () => {
        if (this.#unwritten === 0) goOn();
        else this.#whenWritten = goOn;
      });
    }

    #finalize(isError, error) {
      this.#writer.release();
      this.#reader.release();
      if (this.#algorithm !== undefined) abort.removeAlgorithm(this.#options.signal, this.#algorithm);
      if (isError) this.#capability.reject(error);
      else this.#capability.resolve();
    }
  }

  /** Settles as `Promise.all` would. */
  function both(first, second) {
    const { promise, resolve, reject } = newPromise();
    let left = 2;
    const done = () => {
      if (--left === 0) resolve();
    };
    uponPromise(first, done, reject);
    uponPromise(second, done, reject);
    return promise;
  }

  /** `options` are StreamPipeOptions; neither of the two may be locked. */
  nano.pipeTo = (source, dest, options) => {
    const pipe = new Pipe(source, dest, options);
    pipe.start();
    return pipe.promise;
  };
});
