"use strict";
// ProgressEvent: XMLHttpRequest Standard §5.

(function (nano) {
  const { Event } = nano.events;
  const { Boolean } = nano.primordials;
  const { defineInterface, dictionaryOf, double, requireArguments } = nano.webidl;

  const ProgressEventInit = [
    { __proto__: null, key: "lengthComputable", convert: Boolean }, { __proto__: null, key: "loaded", convert: double },
    { __proto__: null, key: "total", convert: double },
  ];

  class ProgressEvent extends Event {
    #lengthComputable;
    #loaded;
    #total;

    constructor(type, eventInitDict = undefined) {
      requireArguments(arguments.length, 1, "new ProgressEvent");
      super(type, eventInitDict);
      const { lengthComputable = false, loaded = 0, total = 0 } =
        dictionaryOf(eventInitDict, ProgressEventInit, "ProgressEvent's options");
      this.#lengthComputable = lengthComputable;
      this.#loaded = loaded;
      this.#total = total;
    }

    get lengthComputable() {
      return this.#lengthComputable;
    }

    get loaded() {
      return this.#loaded;
    }

    get total() {
      return this.#total;
    }
  }

  nano.ProgressEvent = ProgressEvent;
  nano.expose("ProgressEvent", defineInterface(ProgressEvent));
});
