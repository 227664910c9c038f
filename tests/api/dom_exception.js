// Web IDL §4.4.
import { equal, ok, same } from "./assert.js";

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
};
