// HTML §8.1.4.6 (reporting exceptions) and §8.1.4.7 (unhandled rejections).
import { equal, ok, same, throws } from "./assert.js";

const task = () => new Promise((done) => setTimeout(done));

/** What the listener to one event of that type is given while `run` runs, which it prevents. */
async function heard(type, run) {
  const events = [];
  const listener = (event) => {
    events.push(event);
    event.preventDefault();
  };
  addEventListener(type, listener);
  try {
    await run();
    await task();
  } finally {
    removeEventListener(type, listener);
  }
  return events;
}

export const tests = {
  async "exceptions nobody catches are events first"() {
    const error = new Error("mine");
    const fail = () => {
      throw error;
    };
    const target = new EventTarget();
    target.addEventListener("x", fail);
    const signal = new AbortController();
    signal.signal.onabort = fail;
    const events = await heard("error", async () => {
      setTimeout(fail);
      queueMicrotask(fail);
      target.dispatchEvent(new Event("x"));
      signal.abort();
      reportError(error);
      await task();
    });
    equal(events.length, 5);
    for (const event of events) {
      ok(event instanceof ErrorEvent);
      ok(event.isTrusted && event.cancelable);
      equal(event.error, error);
      equal(event.message, "Uncaught Error: mine");
      ok(event.filename.endsWith("/error_events.js"), event.filename);
      ok(event.lineno > 20 && event.colno > 1, `${event.lineno}:${event.colno}`);
      equal(event.target, globalThis);
    }
  },
  async "onerror is given the parts, and prevents by true"() {
    let given;
    const events = [];
    onerror = (...parts) => {
      given = parts;
      return true;
    };
    const listener = (event) => events.push(event.defaultPrevented);
    addEventListener("error", listener);
    try {
      reportError(5);
    } finally {
      onerror = null;
      removeEventListener("error", listener);
    }
    same(given.slice(3), [given[3], 5]);
    equal(given[0], "Uncaught 5");
    same(events, [true]);
    equal(onerror, null);
  },
  async "a listener to exceptions that throws is not called for its own"() {
    let calls = 0;
    const listener = () => {
      calls++;
      throw new Error("expected in the log");
    };
    addEventListener("error", listener);
    reportError(new Error("expected in the log"));
    removeEventListener("error", listener);
    equal(calls, 1);
  },
  async "rejections nobody handles are events, and so is it when they are"() {
    const reason = new Error("mine");
    let promise;
    const events = await heard("unhandledrejection", () => {
      promise = Promise.reject(reason);
      const handled = Promise.reject(reason);
      handled.catch(() => {});
    });
    equal(events.length, 1);
    ok(events[0] instanceof PromiseRejectionEvent);
    equal(events[0].promise, promise);
    equal(events[0].reason, reason);
    const late = await heard("rejectionhandled", () => void promise.catch(() => {}));
    equal(late.length, 1);
    equal(late[0].promise, promise);
    ok(!late[0].cancelable);
  },
  "the classes are as the standard has them"() {
    const event = new ErrorEvent("x", { message: "m", filename: "f", lineno: -1, colno: 2.5, error: null });
    same([event.message, event.filename, event.lineno, event.colno, event.error], ["m", "f", 4294967295, 2, null]);
    equal(new ErrorEvent("x").error, undefined);
    throws(TypeError, () => new PromiseRejectionEvent("x"));
    throws(TypeError, () => new PromiseRejectionEvent("x", {}));
    throws(TypeError, () => new PromiseRejectionEvent("x", { promise: 1 }));
    throws(TypeError, () => reportError());
  },
  "an event handler keeps its place until it is taken away"() {
    const order = [];
    const { signal } = new AbortController();
    signal.onabort = () => order.push("never");
    signal.addEventListener("abort", () => order.push("a"));
    signal.onabort = () => order.push("b");
    signal.dispatchEvent(new Event("abort"));
    signal.onabort = null;
    signal.onabort = () => order.push("c");
    signal.dispatchEvent(new Event("abort"));
    same(order, ["b", "a", "a", "c"]);
    signal.onabort = 5;
    equal(signal.onabort, null);
  },
  "the global object inherits from EventTarget"() {
    ok(globalThis instanceof EventTarget);
    equal(addEventListener, EventTarget.prototype.addEventListener);
    throws(TypeError, () => Object.create(globalThis).onerror);
    throws(TypeError, () => setTimeout.call({}, () => {}));
    equal(atob.call(null, ""), "");
  },
};
