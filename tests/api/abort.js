// DOM Standard §3.
import { equal, ok, same, throws } from "./assert.js";

export const tests = {
  "abort() tells the signal once"() {
    const controller = new AbortController();
    const { signal } = controller;
    let events = 0;
    signal.onabort = () => events++;
    signal.addEventListener("abort", (event) => {
      ok(event.isTrusted);
      events++;
    });
    ok(!signal.aborted);
    signal.throwIfAborted();
    controller.abort();
    controller.abort("again");
    equal(events, 2);
    ok(signal.aborted);
    equal(signal.reason.name, "AbortError");
    throws("AbortError", () => signal.throwIfAborted());
  },
  "a reason of one's own is kept"() {
    const reason = {};
    equal(AbortSignal.abort(reason).reason, reason);
    const controller = new AbortController();
    controller.abort(null);
    equal(controller.signal.reason, null);
  },
  async "timeout() aborts with a TimeoutError"() {
    const signal = AbortSignal.timeout(1);
    ok(!signal.aborted);
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    equal(signal.reason.name, "TimeoutError");
    throws(TypeError, () => AbortSignal.timeout(-1));
    throws(TypeError, () => AbortSignal.timeout(Infinity));
  },
  "any() follows the first that aborts"() {
    const [a, b] = [new AbortController(), new AbortController()];
    const inner = AbortSignal.any([a.signal]);
    const signal = AbortSignal.any([inner, b.signal]);
    const order = [];
    signal.addEventListener("abort", () => order.push("any"));
    a.signal.addEventListener("abort", () => order.push("a"));
    a.abort(1);
    b.abort(2);
    same(order, ["a", "any"]);
    same([signal.reason, inner.reason], [1, 1]);
    equal(AbortSignal.any([AbortSignal.abort(7)]).reason, 7);
    ok(!AbortSignal.any([]).aborted);
    throws(TypeError, () => AbortSignal.any([{}]));
  },
  async "a signal made by any() is there for those who wait for it, and for no longer"() {
    const lasting = new AbortController();
    let heard = 0;
    // Each is held by nobody but the source; most have no listener, and may go.
    for (let turn = 0; turn < 50; turn++) {
      for (let i = 0; i < 500; i++) AbortSignal.any([lasting.signal]);
      AbortSignal.any([lasting.signal]).addEventListener("abort", () => heard++);
      AbortSignal.any([AbortSignal.any([lasting.signal])]).onabort = () => heard++;
      const fickle = AbortSignal.any([lasting.signal]);
      const listener = () => (heard += 1000);
      fickle.addEventListener("abort", listener);
      fickle.removeEventListener("abort", listener);
      await new Promise((resolve) => setTimeout(resolve));
    }
    lasting.abort();
    equal(heard, 100);
  },
  "signals cannot be constructed"() {
    throws(TypeError, () => new AbortSignal());
  },
};
