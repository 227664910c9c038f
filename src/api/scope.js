"use strict";
// What the global scope says about itself: `self` and `navigator` (HTML §10.2, §8.10; WinterTC's minimum common API).

(function (nano) {
  const { TypeError } = nano.primordials;
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
  nano.exposeAttribute("navigator", new Navigator(internal));
  nano.exposeAttribute("self", globalThis);
});
