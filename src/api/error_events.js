"use strict";
// Exceptions and rejections that nobody handles, as events of the global scope: HTML §8.1.4.6 (runtime script errors),
// §8.1.4.7 (unhandled promise rejections) and reportError(). What no listener prevents is logged.

(function (nano) {
  const { ops, context } = nano;
  const { Event, createTrusted, fire, getHandler, globalTarget, hasListener, setHandler } = nano.events;
  const { TypeError, WeakSet, WeakSetPrototypeAdd, WeakSetPrototypeDelete, isObject } = nano.primordials;
  const {
    DOMString, USVString, defineInterface, dictionaryOf, requireArguments, requireGlobal, unsignedLong,
  } = nano.webidl;

  const any = (value) => value;
  const ErrorEventInit = [
    { __proto__: null, key: "colno", convert: unsignedLong }, { __proto__: null, key: "error", convert: any },
    { __proto__: null, key: "filename", convert: USVString }, { __proto__: null, key: "lineno", convert: unsignedLong },
    { __proto__: null, key: "message", convert: DOMString },
  ];

  let isErrorEvent;
  let errorInfo;

  class ErrorEvent extends Event {
    #info;

    constructor(type, eventInitDict = undefined) {
      requireArguments(arguments.length, 1, "new ErrorEvent");
      super(type, eventInitDict);
      const { message = "", filename = "", lineno = 0, colno = 0, error } =
        dictionaryOf(eventInitDict, ErrorEventInit, "ErrorEvent's options");
      this.#info = { message, filename, lineno, colno, error };
    }

    get message() {
      return this.#info.message;
    }

    get filename() {
      return this.#info.filename;
    }

    get lineno() {
      return this.#info.lineno;
    }

    get colno() {
      return this.#info.colno;
    }

    get error() {
      return this.#info.error;
    }

    static {
      isErrorEvent = (value) => #info in value;
      errorInfo = (event) => event.#info;
    }
  }

  function object(value, what) {
    if (!isObject(value)) throw new TypeError(`${what} is not an object`);
    return value;
  }

  const PromiseRejectionEventInit = [
    { __proto__: null, key: "promise", convert: object, required: true },
    { __proto__: null, key: "reason", convert: any },
  ];

  class PromiseRejectionEvent extends Event {
    #promise;
    #reason;

    constructor(type, eventInitDict) {
      requireArguments(arguments.length, 2, "new PromiseRejectionEvent");
      super(type, eventInitDict);
      const { promise, reason } =
        dictionaryOf(eventInitDict, PromiseRejectionEventInit, "PromiseRejectionEvent's options");
      this.#promise = promise;
      this.#reason = reason;
    }

    get promise() {
      return this.#promise;
    }

    get reason() {
      return this.#reason;
    }
  }

  /** "In error reporting mode": an exception of a listener to exceptions is told to no listener. */
  let isReporting = false;

  /** "Report an exception". */
  function reportException(error) {
    if (!isReporting && hasListener(globalTarget, "error")) {
      isReporting = true;
      try {
        const place = ops.error_place(error);
        const init = {
          __proto__: null, cancelable: true, message: place[0], filename: place[1], lineno: place[2], colno: place[3],
          error,
        };
        if (!fire(globalTarget, createTrusted(ErrorEvent, "error", init))) return;
      } finally {
        isReporting = false;
      }
    }
    ops.report_exception(error);
  }

  const { reportError } = {
    reportError(e) {
      requireGlobal(this);
      requireArguments(arguments.length, 1, "reportError");
      reportException(e);
    },
  };

  /** "Outstanding rejected promises weak set". */
  const outstanding = new WeakSet();

  /** A promise was left rejected, or one that was is handled now; true where that is to be logged. */
  context.reportRejection = (promise, reason, isHandled) => {
    const type = isHandled ? "rejectionhandled" : "unhandledrejection";
    if (isHandled) {
      if (!WeakSetPrototypeDelete(outstanding, promise)) return false;
    } else {
      WeakSetPrototypeAdd(outstanding, promise);
    }
    if (!hasListener(globalTarget, type)) return true;
    const init = { __proto__: null, cancelable: !isHandled, promise, reason };
    return fire(globalTarget, createTrusted(PromiseRejectionEvent, type, init));
  };

  const brand = (self) => {
    requireGlobal(self);
    return globalTarget;
  };
  nano.events.globalHandlers = {
    __proto__: null,
    get: (self, type) => getHandler(brand(self), type),
    set: (self, type, value) => setHandler(brand(self), type, value),
  };

  context.reportException = reportException;
  nano.events.isErrorEvent = isErrorEvent;
  nano.events.errorInfo = errorInfo;
  nano.expose("ErrorEvent", defineInterface(ErrorEvent));
  nano.expose("PromiseRejectionEvent", defineInterface(PromiseRejectionEvent));
  nano.exposeOperation("reportError", reportError);
});
