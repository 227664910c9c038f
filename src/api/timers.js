"use strict";
// setTimeout, setInterval and queueMicrotask: HTML §8.6 and §8.7. The clock is the worker's; it calls
// `entry.timer(id)` in the context of the request that set the timer.

(function (nano) {
  const { ops, context, entry } = nano;
  const {
    Map, MapPrototypeDelete, MapPrototypeGet, MapPrototypeSet, PromisePrototypeThen, PromiseResolve, ReflectApply, Set,
    SetPrototypeAdd, SetPrototypeDelete, SetPrototypeForEach, SetPrototypeGetSize,
  } = nano.primordials;
  const { callback: toCallback, long, requireArguments, requireGlobal } = nano.webidl;

  /** Live timers by the id their clock goes by now, and repeating ones by the id the app knows as well. */
  const timers = new Map();
  /** The timers of each request, to be cancelled when it ends. */
  const byRequest = new Map();
  /** §8.6: how deep the running callback is nested in other timers' callbacks. */
  let nesting = 0;

  class Timer {
    #callback;
    #args;
    #delay;
    #repeat;
    #nesting = nesting + 1;
    #token = context.current();
    #handle = 0;
    #clock = 0;

    constructor(callback, args, delay, repeat) {
      this.#callback = callback;
      this.#args = args;
      this.#delay = delay;
      this.#repeat = repeat;
      this.#handle = this.#wind();
      let siblings = MapPrototypeGet(byRequest, this.#token);
      if (siblings === undefined) MapPrototypeSet(byRequest, this.#token, (siblings = new Set()));
      SetPrototypeAdd(siblings, this);
    }

    get handle() {
      return this.#handle;
    }

    /** Starts the clock: at least 4 ms once timers nest deeper than five levels. */
    #wind() {
      this.#clock = ops.timer_start(this.#nesting > 5 && this.#delay < 4 ? 4 : this.#delay);
      MapPrototypeSet(timers, this.#clock, this);
      return this.#clock;
    }

    fire() {
      if (this.#clock !== this.#handle) MapPrototypeDelete(timers, this.#clock);
      if (!this.#repeat) this.#forget();
      const outer = nesting;
      nesting = this.#nesting;
      try {
        ReflectApply(this.#callback, nano.global, this.#args);
      } catch (error) {
        context.reportException(error);
      }
      nesting = outer;
      if (this.#repeat && this.#clock !== 0) {
        this.#nesting++;
        this.#wind();
      }
    }

    cancel() {
      ops.timer_cancel(this.#clock);
      this.#forget();
    }

    #forget() {
      MapPrototypeDelete(timers, this.#clock);
      MapPrototypeDelete(timers, this.#handle);
      this.#clock = 0;
      const siblings = MapPrototypeGet(byRequest, this.#token);
      if (siblings === undefined) return;
      SetPrototypeDelete(siblings, this);
      if (SetPrototypeGetSize(siblings) === 0) MapPrototypeDelete(byRequest, this.#token);
    }
  }

  const start = (callback, delay) => new Timer(callback, [], delay, false);

  function set(what, given, callback, delay, args, repeat) {
    requireArguments(given, 1, what);
    const run = toCallback(callback, `${what}: the handler`);
    const milliseconds = long(delay);
    return new Timer(run, args, milliseconds > 0 ? milliseconds : 0, repeat).handle;
  }

  function clear(id) {
    const handle = long(id);
    const timer = MapPrototypeGet(timers, handle);
    if (timer !== undefined && timer.handle === handle) timer.cancel();
  }

  const operations = {
    setTimeout(handler, timeout = 0, ...args) {
      requireGlobal(this);
      return set("setTimeout", arguments.length, handler, timeout, args, false);
    },

    setInterval(handler, timeout = 0, ...args) {
      requireGlobal(this);
      return set("setInterval", arguments.length, handler, timeout, args, true);
    },

    clearTimeout(id = 0) {
      requireGlobal(this);
      clear(id);
    },

    clearInterval(id = 0) {
      requireGlobal(this);
      clear(id);
    },

    queueMicrotask(callback) {
      requireGlobal(this);
      requireArguments(arguments.length, 1, "queueMicrotask");
      const run = toCallback(callback, "queueMicrotask: the callback");
      PromisePrototypeThen(PromiseResolve(), () => {
        try {
          ReflectApply(run, undefined, []);
        } catch (error) {
          context.reportException(error);
        }
      });
    },
  };

  entry.timer = (id) => {
    const timer = MapPrototypeGet(timers, id);
    if (timer !== undefined) timer.fire();
  };

  // What is left of the timers a request set goes with it.
  context.onEnd((token) => {
    const siblings = MapPrototypeGet(byRequest, token);
    if (siblings !== undefined) SetPrototypeForEach(siblings, (timer) => timer.cancel());
  });

  nano.timers = { __proto__: null, start };
  nano.exposeOperation("setTimeout", operations.setTimeout);
  nano.exposeOperation("setInterval", operations.setInterval);
  nano.exposeOperation("clearTimeout", operations.clearTimeout);
  nano.exposeOperation("clearInterval", operations.clearInterval);
  nano.exposeOperation("queueMicrotask", operations.queueMicrotask);
});
