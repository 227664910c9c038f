// Web IDL §4.4.
import { equal, ok, same, throws } from "./assert.js";

export const tests = {
  "it has a name, a message and a code"() {
    const error = new DOMException("m", "AbortError");
    same([error.name, error.message, error.code], ["AbortError", "m", 20]);
    const plain = new DOMException();
    same([plain.name, plain.message, plain.code], ["Error", "", 0]);
    equal(DOMException.DATA_CLONE_ERR, 25);
    equal(error.ABORT_ERR, 20);
  },
  "it is an error"() {
    const error = new DOMException("m", "AbortError");
    ok(error instanceof Error && error instanceof DOMException);
    equal(String(error), "AbortError: m");
    ok(error.stack.startsWith("AbortError: m\n"), error.stack);
    equal(Object.prototype.toString.call(error), "[object DOMException]");
  },
  "QuotaExceededError says how much was asked for and how much there is"() {
    const error = new QuotaExceededError("no", { quota: 1, requested: 2 });
    same([error.name, error.message, error.code, error.quota, error.requested], ["QuotaExceededError", "no", 22, 1, 2]);
    ok(error instanceof DOMException && Error.isError(error));
    same([new QuotaExceededError().quota, new QuotaExceededError().requested], [null, null]);
    throws(RangeError, () => new QuotaExceededError("", { quota: -1 }));
    throws(RangeError, () => new QuotaExceededError("", { requested: -1 }));
    throws(RangeError, () => new QuotaExceededError("", { quota: 2, requested: 1 }));
    throws(TypeError, () => new QuotaExceededError("", { quota: NaN }));
  },
};
