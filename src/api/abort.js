"use strict";
// AbortController and AbortSignal: DOM Standard §3.

(function (nano) {
  const { context, DOMException } = nano;
  const { Event, EventTarget, createTrusted, defineHandler, fire, hasListener } = nano.events;
  const {
    MathMax, Set, SetPrototypeAdd, SetPrototypeDelete, SetPrototypeForEach, SetPrototypeGetSize, TypeError, WeakRef,
    WeakRefPrototypeDeref, isObject, newList, push,
  } = nano.primordials;
  const { defineInterface, enforceRange, requireArguments, sequence } = nano.webidl;

  /** Only the platform makes signals: the constructor wants this. */
  const internal = { __proto__: null };

  let signalAbort;
  let dependentSignal;
  let isAbortSignal;
  let isAborted;
  let reasonOf;
  let addAlgorithm;
  let removeAlgorithm;
  let keep;

  /** So many followers are noted before it is worth a look which of them are gone. */
  const FEW = 64;

  class AbortSignal extends EventTarget {
    #aborted = false;
    #reason = undefined;
    /** Abort algorithms with the request each belongs to. */
    #algorithms = null;
    /** The signals this one follows, if it is dependent. */
    #sources = null;
    #dependent = false;
    /**
     * Those that follow this one, if it is a source: weakly, for it may last as long as the isolate and they a request
     * each; and as long as somebody waits for them, firmly.
     */
    #dependents = null;
    #awaited = null;
    #prune = FEW;

    constructor(key = undefined) {
      if (key !== internal) throw new TypeError("Illegal constructor");
      super();
    }

    static abort(reason = undefined) {
      const signal = new AbortSignal(internal);
      signal.#aborted = true;
      signal.#reason = reason === undefined ? abortError() : reason;
      return signal;
    }

    static timeout(milliseconds) {
      requireArguments(arguments.length, 1, "AbortSignal.timeout");
      const delay = enforceRange(milliseconds, "the timeout");
      const signal = new AbortSignal(internal);
      nano.timers.start(() => {
        signalAbort(signal, new DOMException("The operation timed out", "TimeoutError"));
      }, delay);
      return signal;
    }

    static any(signals) {
      requireArguments(arguments.length, 1, "AbortSignal.any");
      return dependentSignal(sequence(signals, toSignal, "the list of signals"));
    }

    get aborted() {
      return this.#aborted;
    }

    get reason() {
      return this.#reason;
    }

    throwIfAborted() {
      if (this.#aborted) throw this.#reason;
    }

    // §3.2 "run the abort steps".
    #runAbortSteps() {
      const algorithms = this.#algorithms;
      this.#algorithms = null;
      if (algorithms !== null) {
        SetPrototypeForEach(algorithms, ({ token, run }) => {
          try {
            context.callIn(token, run, undefined, [this.#reason]);
          } catch (error) {
            context.reportException(error);
          }
        });
      }
      fire(this, createTrusted(Event, "abort"));
    }

    static {
      // §3.2 "signal abort".
      signalAbort = (signal, reason) => {
        if (signal.#aborted) return;
        signal.#aborted = true;
        signal.#reason = reason === undefined ? abortError() : reason;
        const following = newList();
        for (let i = 0; i < signal.#dependents?.length; i++) {
          const dependent = WeakRefPrototypeDeref(signal.#dependents[i]);
          if (dependent === undefined || dependent.#aborted) continue;
          dependent.#aborted = true;
          dependent.#reason = signal.#reason;
          push(following, dependent);
        }
        signal.#dependents = signal.#awaited = null;
        signal.#runAbortSteps();
        for (let i = 0; i < following.length; i++) {
          following[i].#unlink();
          following[i].#runAbortSteps();
        }
      };

      // §3.2 "create a dependent abort signal".
      dependentSignal = (signals) => {
        const result = new AbortSignal(internal);
        for (let i = 0; i < signals.length; i++) {
          if (!signals[i].#aborted) continue;
          result.#aborted = true;
          result.#reason = signals[i].#reason;
          return result;
        }
        result.#dependent = true;
        result.#sources = new Set();
        for (let i = 0; i < signals.length; i++) {
          const signal = signals[i];
          if (signal.#dependent) SetPrototypeForEach(signal.#sources, (source) => result.#follow(source));
          else result.#follow(signal);
        }
        return result;
      };

      isAbortSignal = (value) => isObject(value) && #aborted in value;
      isAborted = (signal) => signal.#aborted;
      reasonOf = (signal) => signal.#reason;

      addAlgorithm = (signal, run) => {
        if (signal.#aborted) return undefined;
        const algorithm = { token: context.current(), run };
        signal.#algorithms ??= new Set();
        SetPrototypeAdd(signal.#algorithms, algorithm);
        keep(signal);
        return algorithm;
      };

      // §3.2.2 "garbage collection": somebody waits for the signal.
      keep = (signal) => {
        if (!signal.#dependent) return;
        SetPrototypeForEach(signal.#sources, (source) => {
          source.#awaited ??= new Set();
          SetPrototypeAdd(source.#awaited, signal);
        });
      };

      removeAlgorithm = (signal, algorithm) => {
        if (signal.#algorithms !== null) SetPrototypeDelete(signal.#algorithms, algorithm);
      };
    }

    #follow(source) {
      SetPrototypeAdd(this.#sources, source);
      source.#dependents ??= newList();
      push(source.#dependents, new WeakRef(this));
      if (source.#dependents.length >= source.#prune) source.#forget();
    }

    /** Drops followers that are gone, and the hold on those nobody waits for any more. */
    #forget() {
      const dependents = this.#dependents;
      let kept = 0;
      for (let i = 0; i < dependents.length; i++) {
        if (WeakRefPrototypeDeref(dependents[i]) !== undefined) dependents[kept++] = dependents[i];
      }
      dependents.length = kept;
      this.#prune = MathMax(FEW, 2 * kept);
      if (this.#awaited === null) return;
      SetPrototypeForEach(this.#awaited, (signal) => {
        if (!signal.#isAwaited) SetPrototypeDelete(this.#awaited, signal);
      });
    }

    get #isAwaited() {
      const algorithms = this.#algorithms;
      return (algorithms !== null && SetPrototypeGetSize(algorithms) !== 0) || hasListener(this, "abort");
    }

    /** An aborted signal needs nothing more from its sources. */
    #unlink() {
      SetPrototypeForEach(this.#sources, (source) => {
        if (source.#awaited !== null) SetPrototypeDelete(source.#awaited, this);
      });
      this.#sources = null;
      this.#dependent = false;
    }
  }

  const abortError = () => new DOMException("This operation was aborted", "AbortError");

  function toSignal(value) {
    if (!isAbortSignal(value)) throw new TypeError("not an AbortSignal");
    return value;
  }

  class AbortController {
    #signal = new AbortSignal(internal);

    get signal() {
      return this.#signal;
    }

    abort(reason = undefined) {
      signalAbort(this.#signal, reason);
    }
  }

  defineHandler(AbortSignal.prototype, "abort", toSignal);

  nano.abort = {
    __proto__: null,
    createSignal: () => new AbortSignal(internal),
    signalAbort, dependentSignal, isAbortSignal, isAborted, reasonOf, addAlgorithm, removeAlgorithm, keep,
  };
  nano.expose("AbortSignal", defineInterface(AbortSignal));
  nano.expose("AbortController", defineInterface(AbortController));
});
