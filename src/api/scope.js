"use strict";
// What the global scope has of its own: attributes (HTML §10.2, §8.10; High Resolution Time §5), handlers of events
// (HTML §8.1.8.2), and the place between it and EventTarget.

(function (nano) {
  const {
    ObjectDefineProperty, ObjectSetPrototypeOf, ReflectGetOwnPropertyDescriptor, ReflectOwnKeys, TypeError,
  } = nano.primordials;
  const { defineInterface } = nano.webidl;

  const internal = { __proto__: null };

  class Navigator {
    #userAgent = "nano";

    constructor(key = undefined) {
      if (key !== internal) throw new TypeError("Illegal constructor");
    }

    get userAgent() {
      return this.#userAgent;
    }
  }
  defineInterface(Navigator);

  nano.expose("Navigator", Navigator);
  const navigator = new Navigator(internal);
  nano.exposeReplaceable("navigator", () => navigator);
  nano.exposeReadOnly("crypto", () => nano.crypto);
  nano.exposeReplaceable("self", () => nano.global);
  nano.exposeReplaceable("performance", () => nano.performance.object);
  nano.exposeReplaceable("scheduler", () => nano.scheduler);

  const handlers = {
    get onerror() {
      return nano.events.globalHandlers.get(this, "error");
    },
    set onerror(value) {
      nano.events.globalHandlers.set(this, "error", value);
    },
    get onrejectionhandled() {
      return nano.events.globalHandlers.get(this, "rejectionhandled");
    },
    set onrejectionhandled(value) {
      nano.events.globalHandlers.set(this, "rejectionhandled", value);
    },
    get onunhandledrejection() {
      return nano.events.globalHandlers.get(this, "unhandledrejection");
    },
    set onunhandledrejection(value) {
      nano.events.globalHandlers.set(this, "unhandledrejection", value);
    },
  };
  const names = ReflectOwnKeys(handlers);
  for (let i = 0; i < names.length; i++) {
    ObjectDefineProperty(nano.global, names[i], ReflectGetOwnPropertyDescriptor(handlers, names[i]));
  }

  ObjectSetPrototypeOf(nano.global, nano.globalPrototype);
});
