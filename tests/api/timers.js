// HTML §8.6, §8.7; High Resolution Time.
import { equal, ok, same, throws } from "./assert.js";

const tick = (delay = 0) => new Promise((resolve) => setTimeout(resolve, delay));

export const tests = {
  async "scheduler.wait is a timer with a promise and a signal"() {
    const began = performance.now();
    equal(await scheduler.wait(5), undefined);
    ok(performance.now() - began >= 4);
    const controller = new AbortController();
    const waiting = scheduler.wait(60_000, { signal: controller.signal });
    controller.abort("reason");
    equal(await waiting.catch((reason) => reason), "reason");
    equal(await scheduler.wait(1, { signal: controller.signal }).catch((reason) => reason), "reason");
    for (const wrong of [scheduler.wait(), scheduler.wait(1, { signal: 1 })]) {
      ok((await wrong.catch((error) => error)) instanceof TypeError);
    }
  },
  async "timers fire in the order they are due, with their arguments"() {
    const calls = [];
    setTimeout((...args) => calls.push(args), 0, 1, 2);
    setTimeout(() => calls.push("second"), 0);
    queueMicrotask(() => calls.push("microtask"));
    await tick(5);
    same(calls, ["microtask", [1, 2], "second"]);
  },
  async "an interval goes on until it is cleared"() {
    let calls = 0;
    await new Promise((resolve) => {
      const id = setInterval(() => {
        if (++calls === 3) {
          clearInterval(id);
          resolve();
        }
      }, 0);
    });
    await tick(5);
    equal(calls, 3);
  },
  async "what is cleared does not fire"() {
    let fired = false;
    const id = setTimeout(() => (fired = true), 0);
    ok(Number.isInteger(id) && id > 0);
    clearInterval(id);
    clearTimeout(id);
    clearTimeout(-1);
    clearTimeout();
    await tick(5);
    ok(!fired);
  },
  async "a callback that throws does not stop the others"() {
    let fired = false;
    setTimeout(() => {
      throw new Error("expected in the log");
    });
    setTimeout(() => (fired = true));
    await tick(5);
    ok(fired);
  },
  "only functions are callbacks"() {
    throws(TypeError, () => setTimeout("code"));
    throws(TypeError, () => setTimeout());
    throws(TypeError, () => queueMicrotask({}));
  },
  async "the clock goes forward"() {
    const start = performance.now();
    ok(start >= 0 && performance.timeOrigin > 1.6e12);
    await tick(2);
    ok(performance.now() > start);
    ok(Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 60_000);
    ok(performance instanceof EventTarget);
    equal(JSON.stringify(performance), JSON.stringify({ timeOrigin: performance.timeOrigin }));
  },
};
