"use strict";
// PerformanceEntry, PerformanceMark and PerformanceMeasure: Performance Timeline §4, User Timing §3. What an app makes
// stays in its heap until it clears it.

(function (nano) {
  const { ops, structuredClone } = nano;
  const { ArrayPrototypeSort, NumberIsFinite, TypeError, isObject, newList, push } = nano.primordials;
  const { DOMString, defineInterface, dictionaryOf, double, requireArguments } = nano.webidl;

  const internal = { __proto__: null };

  const any = (value) => value;
  const PerformanceMarkOptions = [
    { __proto__: null, key: "detail", convert: any }, { __proto__: null, key: "startTime", convert: double },
  ];

  /** §3.4 "generate a performance entry id": each larger than the last. */
  let lastId = 100;

  let isEntry;
  let nameOf;
  let typeOf;
  let startOf;

  class PerformanceEntry {
    #id = lastId++;
    #name;
    #entryType;
    #startTime;
    #duration;

    constructor(key = undefined, name = undefined, entryType = undefined, startTime = undefined, duration = undefined) {
      if (key !== internal) throw new TypeError("Illegal constructor");
      this.#name = name;
      this.#entryType = entryType;
      this.#startTime = startTime;
      this.#duration = duration;
    }

    get id() {
      return this.#id;
    }

    get name() {
      return this.#name;
    }

    get entryType() {
      return this.#entryType;
    }

    get startTime() {
      return this.#startTime;
    }

    get duration() {
      return this.#duration;
    }

    get navigationId() {
      if (!isEntry(this)) throw new TypeError("Illegal invocation");
      // Nothing is navigated to here.
      return 0;
    }

    toJSON() {
      return {
        id: this.#id, name: this.#name, entryType: this.#entryType, startTime: this.#startTime,
        duration: this.#duration, navigationId: 0,
      };
    }

    static {
      isEntry = (value) => isObject(value) && #name in value;
      nameOf = (entry) => entry.#name;
      typeOf = (entry) => entry.#entryType;
      startOf = (entry) => entry.#startTime;
    }
  }

  const cloneDetail = (detail) => (detail === undefined || detail === null ? null : structuredClone(detail));

  class PerformanceMark extends PerformanceEntry {
    #detail;

    /** §3.3 "PerformanceMark constructor". */
    constructor(markName, markOptions = undefined) {
      requireArguments(arguments.length, 1, "new PerformanceMark");
      const name = DOMString(markName);
      const { detail, startTime } = dictionaryOf(markOptions, PerformanceMarkOptions, "PerformanceMark's options");
      if (startTime < 0) throw new TypeError("PerformanceMark: the start time is negative");
      super(internal, name, "mark", startTime ?? ops.now(), 0);
      this.#detail = cloneDetail(detail);
    }

    get detail() {
      return this.#detail;
    }
  }

  class PerformanceMeasure extends PerformanceEntry {
    #detail;

    constructor(key = undefined, name = undefined, startTime = undefined, duration = undefined, detail = undefined) {
      super(key, name, "measure", startTime, duration);
      this.#detail = cloneDetail(detail);
    }

    get detail() {
      return this.#detail;
    }
  }

  /** Performance Timeline §4 "filter buffer by name and type": a list of ours, in chronological order. */
  function filter(buffer, name, type) {
    const found = newList();
    for (let i = 0; i < buffer.length; i++) {
      const entry = buffer[i];
      if (name !== undefined && nameOf(entry) !== name) continue;
      if (type !== undefined && typeOf(entry) !== type) continue;
      push(found, entry);
    }
    return ArrayPrototypeSort(found, (a, b) => startOf(a) - startOf(b));
  }


  nano.performance = {
    __proto__: null, PerformanceMark, filter, nameOf, typeOf, startOf,
    createMeasure: (name, startTime, duration, detail) =>
      new PerformanceMeasure(internal, name, startTime, duration, detail),
    /** "Performance entry buffer" of the global object. */
    timeline: newList(),
    // Set by performance_observer.js.
    observed: undefined,
  };
  nano.expose("PerformanceEntry", defineInterface(PerformanceEntry));
  nano.expose("PerformanceMark", defineInterface(PerformanceMark));
  nano.expose("PerformanceMeasure", defineInterface(PerformanceMeasure));
});
