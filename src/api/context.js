"use strict";
// Which request the running code belongs to. V8 carries that over `await` and promise reactions by itself; what an
// app hands over to be called later by other means (timers, listeners, abort algorithms) is called through here.

(function (nano) {
  const { ops, entry } = nano;
  const { PromiseReject, PromiseResolve, ReflectApply, newList, push } = nano.primordials;

  // V8's own: optimised code has neither of them to call.
  const { carried, carry } = ops;

  /** The token of the running request; 0 outside of any. It is carried as a small integer, signed, if at all. */
  const current = () => carried() >>> 0;

  /** Calls `callback` as a part of the request `token`. */
  function callIn(token, callback, self, args) {
    const previous = current();
    if (previous === token) return ReflectApply(callback, self, args);
    carry(token | 0);
    try {
      return ReflectApply(callback, self, args);
    } finally {
      carry(previous | 0);
    }
  }

  /** One that is fulfilled with undefined: no app ever gets it. */
  const done = PromiseResolve();

  /** A promise for what comes of it, as Web IDL's "invoke a callback" gives one; for the platform's own use. */
  function promiseCallIn(token, callback, args) {
    try {
      const result = callIn(token, callback, undefined, args);
      return result === undefined ? done : PromiseResolve(result);
    } catch (error) {
      return PromiseReject(error);
    }
  }

  /** HTML §8.1.4.6 "report an exception": nobody is left to catch it, so it is logged. */
  const reportException = (error) => ops.report_exception(error);

  const endings = newList();

  /** Calls `callback` with the token of every request that ends. */
  const onEnd = (callback) => push(endings, callback);

  /** A request has ended: what is kept for it goes. */
  function end(token) {
    for (let i = 0; i < endings.length; i++) endings[i](token);
  }

  nano.context = {
    __proto__: null, current, callIn, promiseCallIn, done, onEnd, end,
    // As long as nobody listens, what nobody handles is logged. Replaced by error_events.js.
    reportException,
    reportRejection: () => true,
  };

  /** A promise was left rejected, or one that was is handled now; true where that is to be logged. */
  entry.rejection = (promise, reason, isHandled) => nano.context.reportRejection(promise, reason, isHandled);
});
