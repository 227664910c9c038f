"use strict";
// The doors through which Rust calls in: `entry.install` once an app's module is evaluated, `entry.fetch` for each
// request, `entry.abort` when its client left, `entry.drop` when nothing more is wanted of it. (`entry.timer` is in
// timers.js.) Here a response leaves, and here a request ends: when the response is out and every promise given to
// `waitUntil` has settled.

(function (nano) {
  const { ops, entry, fetch, context, DOMException } = nano;
  const {
    Map, MapPrototypeDelete, MapPrototypeGet, MapPrototypeSet, PromiseResolve, ReflectApply, TypeError,
    isObject, uponPromise,
  } = nano.primordials;
  const { defineInterface, isUint8Array, requireArguments } = nano.webidl;
  const { withFields } = nano.headers;

  /** What the app exports, or null for one that listens to "fetch" events. */
  let handler = null;
  let env;

  /** Requests that are still under way when their handler has been called, by token. */
  const exchanges = new Map();

  /** One request, from the handler's call to the last promise of `waitUntil`. */
  class Exchange {
    request;
    #token;
    /** The response, and each `waitUntil`. */
    #pending = 1;
    #clientLeft = false;
    #stream = undefined;

    constructor(token) {
      this.#token = token;
      this.request = fetch.fromInternal(token);
    }

    /** The handler's result, whatever it is. */
    settle(result) {
      if (fetch.isResponse(result)) this.#respond(result);
      else if (isObject(result)) {
        try {
          uponPromise(
            PromiseResolve(result),
            (response) => this.#settled(response),
            (error) => this.fail(error),
          );
        } catch (error) {
          // A frozen promise whose `constructor` throws.
          this.fail(error);
        }
      } else this.#settled(result);
    }

    #settled(result) {
      if (fetch.isResponse(result)) {
        this.#respond(result);
        return;
      }
      ops.fail(this.#token, "the fetch handler returned no Response");
      this.done();
    }

    /** The handler threw or rejected. */
    fail(error) {
      ops.fail_exception(this.#token, error);
      this.done();
    }

    #respond(response) {
      let stream;
      let wanted = true;
      try {
        const parts = fetch.responseParts(response);
        stream = parts.stream;
        const { status, headers } = parts;
        if (stream === null || this.#clientLeft) send(ops.respond, this.#token, status, parts.body, headers);
        else wanted = send(ops.respond_stream, this.#token, status, parts.length, headers);
      } catch (error) {
        this.fail(error);
        return;
      }
      if (stream === null) {
        this.done();
      } else if (this.#clientLeft) {
        cancel(stream, clientLeft());
        this.done();
      } else if (!wanted) {
        cancel(stream, new DOMException("This response has no body", "AbortError"));
        this.done();
      } else {
        this.#pump(stream);
      }
    }

    /** Chunk by chunk, each as soon as the client has room for it; without us, where it comes from no script. */
    #pump(stream) {
      const token = this.#token;
      this.#stream = stream;
      const end = () => {
        this.#stream = undefined;
        this.done();
      };
      const leave = () => {
        cancel(stream, clientLeft());
        end();
      };
      const close = () => {
        // Cancelling closes it too, but then it is not complete.
        if (!this.#clientLeft) ops.stream_close(token);
        end();
      };
      const fail = (error) => {
        if (!this.#clientLeft) ops.stream_error(token, error);
        end();
      };
      if (nano.pipe(stream, token, { __proto__: null, close, leave, error: fail })) return;
      new nano.streams.Reader(stream).readOn({
        chunk(chunk, next) {
          if (!isUint8Array(chunk)) {
            const error = new TypeError("a response's stream may hold nothing but Uint8Arrays");
            ops.stream_error(token, error);
            cancel(stream, error);
            end();
            return;
          }
          const written = ops.stream_write(token, chunk);
          if (written === true) next();
          else if (written === false) leave();
          else uponPromise(written, (taken) => (taken ? next() : leave()), leave);
        },
        close,
        error: fail,
      });
    }

    waitUntil(promise) {
      if (this.#pending === 0) throw new DOMException("waitUntil: the request is over", "InvalidStateError");
      this.#pending++;
      ops.wait_until(this.#token);
      uponPromise(
        PromiseResolve(promise),
        () => this.done(),
        (error) => {
          context.reportException(error);
          this.done();
        },
      );
    }

    get isOver() {
      return this.#pending === 0;
    }

    clientLeft() {
      this.#clientLeft = true;
      const reason = clientLeft();
      fetch.abortRequest(this.request, reason);
      if (this.#stream !== undefined) cancel(this.#stream, reason);
    }

    /** One of the things waited for has happened. */
    done() {
      if (--this.#pending !== 0) return;
      this.forget();
      ops.finished(this.#token);
    }

    /** Ends it here and now; what still settles finds it over. */
    drop() {
      this.#pending = Infinity;
      this.#clientLeft = true;
      if (this.#stream !== undefined) cancel(this.#stream, clientLeft());
      this.forget();
    }

    /** What the platform keeps for the request goes. */
    forget() {
      context.end(this.#token);
      MapPrototypeDelete(exchanges, this.#token);
    }
  }

  /** Sends a head; one of few fields without a list of all that is said. */
  function send(op, token, status, body, list) {
    switch (list.length) {
      case 0:
        return op(token, status, body);
      case 2:
        return op(token, status, body, list[0], list[1]);
      case 4:
        return op(token, status, body, list[0], list[1], list[2], list[3]);
      default:
        return ReflectApply(op, undefined, withFields([token, status, body], list));
    }
  }

  const clientLeft = () => new DOMException("The client has gone away", "AbortError");
  const cancel = (stream, reason) => uponPromise(stream.cancel(reason), undefined, context.reportException);

  const internal = { __proto__: null };

  /** What a handler gets as `ctx`. */
  class ExecutionContext {
    #exchange;

    constructor(key = undefined, exchange = undefined) {
      if (key !== internal) throw new TypeError("Illegal constructor");
      this.#exchange = exchange;
    }

    waitUntil(promise) {
      const exchange = this.#exchange;
      requireArguments(arguments.length, 1, "waitUntil");
      exchange.waitUntil(promise);
    }
  }
  defineInterface(ExecutionContext);

  function callHandler(exchange) {
    const { request } = exchange;
    if (handler !== null) {
      return ReflectApply(handler.fetch, handler.object, [request, env, new ExecutionContext(internal, exchange)]);
    }
    return nano.fetchEvents.dispatch(request, exchange);
  }

  /** Remembers the app's handler; what it says otherwise is why there is none. */
  entry.install = (namespace, values) => {
    env = values;
    const object = namespace.default;
    if (isObject(object) && typeof object.fetch === "function") {
      handler = { __proto__: null, object, fetch: object.fetch };
      return undefined;
    }
    return nano.fetchEvents.hasListener() ? undefined : "the entry exports no fetch handler";
  };

  function begin(exchange) {
    let result;
    try {
      result = callHandler(exchange);
    } catch (error) {
      exchange.fail(error);
      return;
    }
    exchange.settle(result);
  }

  entry.fetch = (token) => {
    const exchange = new Exchange(token);
    begin(exchange);
    // Many are over by now, and nobody will ask for them.
    if (!exchange.isOver) MapPrototypeSet(exchanges, token, exchange);
  };

  entry.abort = (token) => {
    const exchange = MapPrototypeGet(exchanges, token);
    if (exchange !== undefined) exchange.clientLeft();
  };

  /** Lets go of a request that Rust has ended by itself; `ops.finished` is not called for it any more. */
  entry.drop = (token) => {
    const exchange = MapPrototypeGet(exchanges, token);
    if (exchange !== undefined) exchange.drop();
  };
});
