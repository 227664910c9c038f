"use strict";
// performance.now() and performance.timeOrigin: High Resolution Time §6, §7.

(function (nano) {
  const { ops } = nano;
  const { EventTarget } = nano.events;
  const { TypeError } = nano.primordials;
  const { defineInterface } = nano.webidl;

  const internal = { __proto__: null };

  class Performance extends EventTarget {
    #brand;

    constructor(key = undefined) {
      if (key !== internal) throw new TypeError("Illegal constructor");
      super();
    }

    now() {
      if (!(#brand in this)) throw new TypeError("Illegal invocation");
      return ops.now();
    }

    get timeOrigin() {
      if (!(#brand in this)) throw new TypeError("Illegal invocation");
      return ops.time_origin();
    }

    toJSON() {
      if (!(#brand in this)) throw new TypeError("Illegal invocation");
      return { timeOrigin: ops.time_origin() };
    }
  }
  defineInterface(Performance);

  nano.expose("Performance", Performance);
  nano.exposeAttribute("performance", new Performance(internal));
});
