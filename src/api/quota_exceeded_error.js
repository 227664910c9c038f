"use strict";
// QuotaExceededError: Web IDL §4.5.

(function (nano) {
  const { DOMException } = nano;
  const { RangeError, isObject } = nano.primordials;
  const { defineInterface, dictionaryOf, double } = nano.webidl;

  const Options = [{ key: "quota", convert: double, required: false },
    { key: "requested", convert: double, required: false }];

  let isQuotaExceededError;
  let copy;

  class QuotaExceededError extends DOMException {
    #quota = null;
    #requested = null;

    constructor(message = "", options = undefined) {
      super(message, "QuotaExceededError");
      const { quota, requested } = dictionaryOf(options, Options, "QuotaExceededError's options");
      if (quota < 0) throw new RangeError("the quota is negative");
      if (requested < 0) throw new RangeError("what was requested is negative");
      if (requested < quota) throw new RangeError("what was requested is within the quota");
      if (quota !== undefined) this.#quota = quota;
      if (requested !== undefined) this.#requested = requested;
    }

    get quota() {
      return this.#quota;
    }

    get requested() {
      return this.#requested;
    }

    static {
      isQuotaExceededError = (value) => isObject(value) && #quota in value;
      copy = (error) => {
        const result = new QuotaExceededError(nano.domException.messageOf(error));
        result.#quota = error.#quota;
        result.#requested = error.#requested;
        return result;
      };
    }
  }

  nano.QuotaExceededError = QuotaExceededError;
  nano.quota = { __proto__: null, isQuotaExceededError, copy };
  nano.expose("QuotaExceededError", defineInterface(QuotaExceededError));
});
