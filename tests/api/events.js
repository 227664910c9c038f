// DOM Standard §2.
import { equal, ok, same, throws } from "./assert.js";

export const tests = {
  "listeners are called in order, each once per registration"() {
    const target = new EventTarget();
    const calls = [];
    const first = () => calls.push(1);
    target.addEventListener("x", first);
    target.addEventListener("x", first);
    target.addEventListener("x", () => calls.push(2), { capture: true });
    target.addEventListener("y", () => calls.push(3));
    ok(target.dispatchEvent(new Event("x")));
    same(calls, [1, 2]);
    target.removeEventListener("x", first);
    target.dispatchEvent(new Event("x"));
    same(calls, [1, 2, 2]);
  },
  "once is once"() {
    const target = new EventTarget();
    let calls = 0;
    target.addEventListener("x", () => calls++, { once: true });
    target.dispatchEvent(new Event("x"));
    target.dispatchEvent(new Event("x"));
    equal(calls, 1);
  },
  "a signal removes its listeners"() {
    const target = new EventTarget();
    const controller = new AbortController();
    let calls = 0;
    target.addEventListener("x", () => calls++, { signal: controller.signal });
    controller.abort();
    target.dispatchEvent(new Event("x"));
    target.addEventListener("x", () => calls++, { signal: controller.signal });
    target.dispatchEvent(new Event("x"));
    equal(calls, 0);
    throws(TypeError, () => target.addEventListener("x", () => {}, { signal: null }));
  },
  "preventDefault wants a cancelable event and no passive listener"() {
    const target = new EventTarget();
    const prevented = (init, options) => {
      const event = new Event("x", init);
      target.addEventListener("x", (e) => e.preventDefault(), { once: true, ...options });
      return !target.dispatchEvent(event) && event.defaultPrevented;
    };
    ok(prevented({ cancelable: true }));
    ok(!prevented({}));
    ok(!prevented({ cancelable: true }, { passive: true }));
  },
  "an object's handleEvent is looked up at each event"() {
    const target = new EventTarget();
    const listener = {};
    target.addEventListener("x", listener);
    let self;
    listener.handleEvent = function () {
      self = this;
    };
    target.dispatchEvent(new Event("x"));
    equal(self, listener);
    throws(TypeError, () => target.addEventListener("x", "text"));
    target.addEventListener("x", null);
  },
  "stopImmediatePropagation stops"() {
    const target = new EventTarget();
    let reached = false;
    target.addEventListener("x", (event) => event.stopImmediatePropagation());
    target.addEventListener("x", () => (reached = true));
    target.dispatchEvent(new Event("x"));
    ok(!reached);
  },
  "a listener that throws does not stop the others"() {
    const target = new EventTarget();
    let reached = false;
    target.addEventListener("x", () => {
      throw new Error("expected in the log");
    });
    target.addEventListener("x", () => (reached = true));
    target.dispatchEvent(new Event("x"));
    ok(reached);
  },
  "returnValue can be set of events alone"() {
    const { set } = Object.getOwnPropertyDescriptor(Event.prototype, "returnValue");
    for (const value of [true, false]) throws(TypeError, () => set.call({}, value));
    const event = new Event("x", { cancelable: true });
    event.returnValue = true;
    ok(!event.defaultPrevented);
    event.returnValue = false;
    event.returnValue = true;
    ok(event.defaultPrevented && !event.returnValue);
  },
  "an event has a type"() {
    for (const Class of [Event, CustomEvent, ErrorEvent, MessageEvent, ProgressEvent, PromiseRejectionEvent, FetchEvent]) {
      throws(TypeError, () => new Class());
    }
    equal(new CustomEvent(undefined).type, "undefined");
  },
  "options that are not given are empty, whatever objects inherit"() {
    const lengths = [CustomEvent, ErrorEvent, MessageEvent, ProgressEvent, PerformanceMark].map(({ length }) => length);
    same(lengths, [1, 1, 1, 1, 1]);
    Object.assign(Object.prototype, { ports: 5, loaded: 5, lineno: 5, detail: 5, bubbles: true });
    try {
      same(new MessageEvent("x").ports, []);
      equal(new ProgressEvent("x").loaded, 0);
      equal(new ErrorEvent("x").lineno, 0);
      equal(new CustomEvent("x").detail, null);
      ok(!new Event("x").bubbles);
      equal(new ProgressEvent("x", {}).loaded, 5);
      equal(performance.mark("x").detail, null);
      equal(performance.measure("x").detail, null);
    } finally {
      for (const key of ["ports", "loaded", "lineno", "detail", "bubbles"]) delete Object.prototype[key];
      performance.clearMarks("x");
      performance.clearMeasures("x");
    }
  },
  "a FetchEvent has a Request, and a response while it is dispatched"() {
    for (const init of [undefined, null, {}, { request: undefined }, { request: {} }, { request: "http://a.test/" }]) {
      throws(TypeError, () => new FetchEvent("x", init));
    }
    const request = new Request("http://a.test/");
    const event = new FetchEvent("x", { request });
    equal(event.request, request);
    const response = new Response();
    throws("InvalidStateError", () => event.respondWith(response));
    const target = new EventTarget();
    let reached = false;
    target.addEventListener("x", (event) => {
      throws(TypeError, () => event.respondWith());
      event.respondWith(response);
      throws("InvalidStateError", () => event.respondWith(response));
    });
    target.addEventListener("x", () => (reached = true));
    target.dispatchEvent(event);
    ok(!reached);
    throws("InvalidStateError", () => event.respondWith(response));
  },
  "an event handler is seen by nobody, and cancels by itself"() {
    const { signal } = new AbortController();
    const seen = [];
    const spy = (key) =>
      Object.defineProperty(Object.prototype, key, {
        __proto__: null,
        set(value) {
          seen.push(this, value);
        },
        configurable: true,
      });
    const { preventDefault } = Event.prototype;
    Event.prototype.preventDefault = () => seen.push("preventDefault");
    for (const key of ["value", "isForErrors", "listener"]) spy(key);
    const event = new Event("abort", { cancelable: true });
    try {
      signal.onabort = () => false;
      ok(!signal.dispatchEvent(event));
    } finally {
      Event.prototype.preventDefault = preventDefault;
      for (const key of ["value", "isForErrors", "listener"]) delete Object.prototype[key];
    }
    ok(event.defaultPrevented);
    equal(seen.length, 0);
  },
  "listeners that come and go during an event leave its list alone"() {
    const target = new EventTarget();
    const calls = [];
    const late = () => calls.push("late");
    const gone = () => calls.push("gone");
    target.addEventListener("x", () => {
      calls.push("first");
      target.removeEventListener("x", gone);
      target.addEventListener("x", late);
      if (calls.length === 1) target.dispatchEvent(new Event("x"));
      target.removeEventListener("x", late);
      target.addEventListener("x", gone);
    });
    target.addEventListener("x", gone);
    target.addEventListener("x", () => calls.push("last"), { once: true });
    target.dispatchEvent(new Event("x"));
    same(calls, ["first", "first", "last"]);
    target.removeEventListener("x", gone);
    target.dispatchEvent(new Event("x"));
    same(calls.slice(3), ["first"]);
  },
  "a thousand listeners are added, called and removed in order"() {
    const target = new EventTarget();
    const calls = [];
    const listeners = Array.from({ length: 1000 }, (_, i) => () => calls.push(i));
    for (const listener of listeners) target.addEventListener("x", listener);
    target.dispatchEvent(new Event("x"));
    same(calls, [...listeners.keys()]);
    for (let i = 0; i < 1000; i++) if (i !== 7 && i !== 999) target.removeEventListener("x", listeners[i]);
    calls.length = 0;
    target.dispatchEvent(new Event("x"));
    same(calls, [7, 999]);
  },
  "an event knows where it is"() {
    const target = new EventTarget();
    const event = new Event("x");
    same([event.target, event.eventPhase, event.isTrusted], [null, 0, false]);
    target.addEventListener("x", (e) => {
      equal(e.target, target);
      equal(e.currentTarget, target);
      equal(e.eventPhase, Event.AT_TARGET);
      equal(e.composedPath()[0], target);
      throws("InvalidStateError", () => target.dispatchEvent(e));
    });
    target.dispatchEvent(event);
    equal(event.currentTarget, null);
    same(event.composedPath(), []);
  },
  "events share nothing but their getter"() {
    class Own extends Event {
      #place = 1;
      get place() {
        return this.#place;
      }
    }
    const events = [new Event("a"), new CustomEvent("b", { detail: 1 }), new Own("c", { cancelable: true }), new Own("d")];
    const times = events.map((event) => event.timeStamp);
    for (let i = 0; i < 100; i++) new Own("e");
    same(events.map((event) => event.timeStamp), times);
    same(events.map((event) => event.type), ["a", "b", "c", "d"]);
    same(events.map((event) => event.cancelable), [false, false, true, false]);
    same([events[2].place, Object.getPrototypeOf(events[2]) === Own.prototype], [1, true]);
    const descriptors = events.map((event) => Object.getOwnPropertyDescriptor(event, "isTrusted"));
    for (const { get, configurable } of descriptors) ok(get === descriptors[0].get && !configurable);
  },
  "an event class without a prototype makes plain events"() {
    const make = function () {}.bind();
    equal(Object.getPrototypeOf(Reflect.construct(Event, ["x"], make)), Event.prototype);
    equal(Object.getPrototypeOf(Event), Function.prototype);
    throws(TypeError, () => Event("x"));
  },
  "classes derive from EventTarget, and details come along"() {
    class Bus extends EventTarget {}
    const bus = new Bus();
    let detail;
    bus.addEventListener("x", (event) => ({ detail } = event));
    bus.dispatchEvent(new CustomEvent("x", { detail: 5 }));
    equal(detail, 5);
    equal(new CustomEvent("x").detail, null);
  },
  "what is being dispatched is not initialised anew"() {
    const target = new EventTarget();
    const event = new CustomEvent("x", { detail: 5 });
    target.addEventListener("x", () => event.initCustomEvent("y", true, true, 6));
    target.dispatchEvent(event);
    same([event.type, event.bubbles, event.detail], ["x", false, 5]);
    event.initCustomEvent("y", true, true, 6);
    same([event.type, event.bubbles, event.detail], ["y", true, 6]);
  },
  "the global object is an event target"() {
    let target;
    addEventListener("x-test", (event) => ({ target } = event), { once: true });
    globalThis.dispatchEvent(new Event("x-test"));
    equal(target, globalThis);
  },
  "attributes and methods want an object of their own interface"() {
    const { set } = Object.getOwnPropertyDescriptor(Event.prototype, "cancelBubble");
    throws(TypeError, () => set.call({}, false));
    throws(TypeError, () => performance.toJSON.call({}));
  },
};
