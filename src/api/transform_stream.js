"use strict";
// How a TransformStream works, seen from inside: Streams Standard §6.4. `Transform` is stream and controller in one; no app
// ever holds one: `transform_stream_classes.js` wraps it. The platform's own transforms are made by `createTransform`.

(function (nano) {
  const { context } = nano;
  const {
    PromisePrototypeThen, PromiseResolve, TypeError, newPromise, uponPromise,
  } = nano.primordials;
  const { one } = nano.queuing;
  const { ByteController, Controller, Stream } = nano.streams;
  const { createWritable } = nano.writable;

  const nothing = () => {};

  class Transform {
    readable = new Stream();
    writable;
    /** The TransformStreamDefaultController an app sees, if there is one. */
    object = undefined;
    #transform;
    #flush;
    #cancel;
    #backpressure = false;
    #backpressureChange = undefined;
    /** Once the end has begun: `close`, `abort` and `cancel` wait for the same. */
    #finish = undefined;
    /** The request whose code the transformer is. */
    #token = context.current();

    /**
     * §6.4.1 InitializeTransformStream. `transform(chunk, this)`, `flush(this)` and `cancel(reason)` are what the
     * transformer does; neither side goes on before `started` has settled. Without `readableSize` the readable side is a
     * byte stream.
     */
    constructor({ transform, flush, cancel }, started, strategies) {
      this.#transform = transform;
      this.#flush = flush;
      this.#cancel = cancel;
      this.#setBackpressure(true);
      this.writable = createWritable(
        {
          write: (chunk) => this.#write(chunk),
          close: () => this.#close(),
          abort: (reason) => this.#abort(reason),
        },
        strategies.writableMark,
        strategies.writableSize,
        started,
      );
      const Kind = strategies.readableSize === undefined ? ByteController : Controller;
      const controller = new Kind(
        this.readable,
        () => this.#pull(),
        (reason) => this.#cancelReadable(reason),
        strategies.readableMark,
        strategies.readableSize,
      );
      controller.start(started);
    }

    // §6.4.2: what a transformer does with its controller.

    get desiredSize() {
      return this.readable.controller.desiredSize;
    }

    enqueue(chunk) {
      const { controller } = this.readable;
      if (!controller.canCloseOrEnqueue) throw new TypeError("the readable side is closed, or failed");
      try {
        controller.enqueue(chunk);
      } catch (error) {
        this.#errorWritable(error);
        throw this.readable.storedError;
      }
      // Not the other way round: that is for `#pull`.
      if (!controller.shouldPull() && !this.#backpressure) this.#setBackpressure(true);
    }

    error(error) {
      this.readable.controller.error(error);
      this.#errorWritable(error);
    }

    terminate() {
      this.readable.controller.close();
      this.#errorWritable(new TypeError("the stream was terminated"));
    }

    /** Whether chunks that are enqueued now wait, and how many do. */
    get waiting() {
      return this.#backpressure ? -this.desiredSize : 0;
    }

    /** A promise for a reader that wants more; rejected if the writable side fails meanwhile. */
    drained() {
      return PromisePrototypeThen(this.#backpressureChange.promise, () => {
        if (this.writable.state === "erroring") throw this.writable.storedError;
      });
    }

    #errorWritable(error) {
      this.#clearAlgorithms();
      this.writable.controller.errorIfNeeded(error);
      this.#unblockWrite();
    }

    #setBackpressure(backpressure) {
      if (this.#backpressureChange !== undefined) this.#backpressureChange.resolve();
      this.#backpressureChange = newPromise();
      this.#backpressure = backpressure;
    }

    #unblockWrite() {
      if (this.#backpressure) this.#setBackpressure(false);
    }

    #clearAlgorithms() {
      this.#transform = this.#flush = this.#cancel = undefined;
    }

    #call(algorithm, args) {
      return context.promiseCallIn(this.#token, algorithm, args);
    }

    // §6.4.3: the writable side's sink.

    #write(chunk) {
      const request = newPromise();
      if (this.#backpressure) {
        // Not by returning one promise from the reaction to another: that would call the `then` an app may have given them.
        uponPromise(this.#backpressureChange.promise, () => {
          const { writable } = this;
          if (writable.state === "erroring") request.reject(writable.storedError);
          else this.#perform(chunk, request);
        });
      } else {
        this.#perform(chunk, request);
      }
      return request.promise;
    }

    /** §6.4.2 TransformStreamDefaultControllerPerformTransform: what comes of it is told to the request. */
    #perform(chunk, { resolve, reject }) {
      uponPromise(
        this.#call(this.#transform, [chunk, this]),
        () => resolve(),
        (error) => {
          this.error(error);
          reject(error);
        },
      );
    }

    #abort(reason) {
      if (this.#finish !== undefined) return this.#finish.promise;
      const { readable } = this;
      return this.#end(
        this.#cancel,
        [reason],
        () => {
          if (readable.state === "errored") throw readable.storedError;
          readable.controller.error(reason);
        },
        (error) => readable.controller.error(error),
      );
    }

    #close() {
      if (this.#finish !== undefined) return this.#finish.promise;
      const { readable } = this;
      return this.#end(
        this.#flush,
        [this],
        () => {
          if (readable.state === "errored") throw readable.storedError;
          readable.controller.end();
        },
        (error) => readable.controller.error(error),
      );
    }

    // §6.4.4: the readable side's source.

    #cancelReadable(reason) {
      if (this.#finish !== undefined) return this.#finish.promise;
      const { writable } = this;
      const fail = (error) => {
        writable.controller.errorIfNeeded(error);
        this.#unblockWrite();
      };
      return this.#end(
        this.#cancel,
        [reason],
        () => {
          if (writable.state === "errored") throw writable.storedError;
          fail(reason);
        },
        fail,
      );
    }

    #pull() {
      this.#setBackpressure(false);
      return this.#backpressureChange.promise;
    }

    /** The transformer's last call, after which `succeed` or `fail` tells the other side. */
    #end(algorithm, args, succeed, fail) {
      this.#finish = newPromise();
      const { promise, resolve, reject } = this.#finish;
      const called = this.#call(algorithm, args);
      this.#clearAlgorithms();
      uponPromise(
        called,
        () => {
          try {
            succeed();
          } catch (error) {
            reject(error);
            return;
          }
          resolve();
        },
        (error) => {
          fail(error);
          reject(error);
        },
      );
      return promise;
    }
  }

  const strategies = { writableMark: 1, writableSize: one, readableMark: 0, readableSize: one };

  /** §9.3.1 "set up" a TransformStream, by functions of the platform's own. */
  function createTransform(transform, flush = nothing, cancel = nothing) {
    return new Transform({ transform, flush, cancel }, PromiseResolve(), strategies);
  }

  nano.transforms = { __proto__: null, Transform, createTransform };
});
