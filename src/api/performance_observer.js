"use strict";
// PerformanceObserver and PerformanceObserverEntryList: Performance Timeline §4.2 to §6. No entries are ever dropped
// here.

(function (nano) {
  const { context, performance, DOMException } = nano;
  const {
    ArrayPrototypeIncludes, Boolean, ObjectDefineProperty, ObjectFreeze, ReflectGetOwnPropertyDescriptor, Set,
    SetPrototypeAdd, SetPrototypeDelete, SetPrototypeForEach, SetPrototypeHas, TypeError, arrayFromList, newList, push,
  } = nano.primordials;
  const { DOMString, callback: toCallback, defineInterface, dictionaryOf, requireArguments, sequence } = nano.webidl;
  const { filter, timeline, typeOf } = performance;

  const internal = { __proto__: null };

  const SUPPORTED = ObjectFreeze(["mark", "measure"]);
  const isSupported = (type) => type === "mark" || type === "measure";

  class PerformanceObserverEntryList {
    #entries;

    constructor(key = undefined, entries = undefined) {
      if (key !== internal) throw new TypeError("Illegal constructor");
      this.#entries = entries;
    }

    getEntries() {
      return arrayFromList(filter(this.#entries, undefined, undefined));
    }

    getEntriesByType(type) {
      const entries = this.#entries;
      requireArguments(arguments.length, 1, "PerformanceObserverEntryList.getEntriesByType");
      return arrayFromList(filter(entries, undefined, DOMString(type)));
    }

    getEntriesByName(name, type = undefined) {
      const entries = this.#entries;
      requireArguments(arguments.length, 1, "PerformanceObserverEntryList.getEntriesByName");
      return arrayFromList(filter(entries, DOMString(name), type === undefined ? undefined : DOMString(type)));
    }
  }

  const toTypes = (value, what) => sequence(value, DOMString, what);
  const PerformanceObserverInit = [
    { __proto__: null, key: "buffered", convert: Boolean }, { __proto__: null, key: "entryTypes", convert: toTypes },
    { __proto__: null, key: "type", convert: DOMString },
  ];

  /** "List of registered performance observer objects". */
  const registered = new Set();
  /** "Performance observer task queued flag". */
  let isTaskQueued = false;

  let offer;
  let notify;

  class PerformanceObserver {
    #callback;
    #token = context.current();
    /** "Observer type": of several types at once, or one by one; undefined at first. */
    #isMultiple = undefined;
    #requiresDropped = false;
    #buffer = newList();
    #types = newList();

    constructor(callback) {
      requireArguments(arguments.length, 1, "new PerformanceObserver");
      this.#callback = toCallback(callback, "PerformanceObserver: the callback");
    }

    observe(options = undefined) {
      const types = this.#types;
      const { buffered, entryTypes, type } = dictionaryOf(options, PerformanceObserverInit, "the observer's options");
      if (entryTypes === undefined && type === undefined) {
        throw new TypeError("PerformanceObserver: neither entryTypes nor type is given");
      }
      if (entryTypes !== undefined && (type !== undefined || buffered !== undefined)) {
        throw new TypeError("PerformanceObserver: nothing goes with entryTypes");
      }
      this.#isMultiple ??= entryTypes !== undefined;
      if (this.#isMultiple !== (entryTypes !== undefined)) {
        throw new DOMException("the observer observes in the other way", "InvalidModificationError");
      }
      this.#requiresDropped = true;
      if (entryTypes !== undefined) {
        const supported = newList();
        for (let i = 0; i < entryTypes.length; i++) {
          if (isSupported(entryTypes[i])) push(supported, entryTypes[i]);
        }
        if (supported.length === 0) return;
        this.#types = supported;
        SetPrototypeAdd(registered, this);
        return;
      }
      if (!isSupported(type)) return;
      if (!ArrayPrototypeIncludes(types, type)) push(types, type);
      SetPrototypeAdd(registered, this);
      if (buffered !== true) return;
      for (let i = 0; i < timeline.length; i++) {
        if (typeOf(timeline[i]) === type) push(this.#buffer, timeline[i]);
      }
      queueTask();
    }

    disconnect() {
      this.#buffer = newList();
      this.#types = newList();
      SetPrototypeDelete(registered, this);
    }

    takeRecords() {
      const records = this.#buffer;
      this.#buffer = newList();
      return arrayFromList(records);
    }

    static {
      offer = (observer, entry) => {
        if (ArrayPrototypeIncludes(observer.#types, typeOf(entry))) push(observer.#buffer, entry);
      };
      notify = (observer) => {
        const entries = observer.#buffer;
        if (entries.length === 0) return;
        observer.#buffer = newList();
        const options = observer.#requiresDropped ? { droppedEntriesCount: 0 } : {};
        observer.#requiresDropped = false;
        const list = new PerformanceObserverEntryList(internal, entries);
        try {
          context.callIn(observer.#token, observer.#callback, observer, [list, observer, options]);
        } catch (error) {
          context.reportException(error);
        }
      };
    }
  }

  /** §6.2 "queue the PerformanceObserver task". */
  function queueTask() {
    if (isTaskQueued) return;
    isTaskQueued = true;
    nano.messages.queueTask(context.current(), () => {
      isTaskQueued = false;
      const observers = newList();
      SetPrototypeForEach(registered, (observer) => push(observers, observer));
      for (let i = 0; i < observers.length; i++) {
        if (SetPrototypeHas(registered, observers[i])) notify(observers[i]);
      }
    });
  }

  /** §6.1 "queue a PerformanceEntry", but for the timeline. */
  performance.observed = (entry) => {
    let isAnyone = false;
    SetPrototypeForEach(registered, (observer) => {
      offer(observer, entry);
      isAnyone = true;
    });
    if (isAnyone) queueTask();
  };

  const { get } = ReflectGetOwnPropertyDescriptor({
    get supportedEntryTypes() {
      return SUPPORTED;
    },
  }, "supportedEntryTypes");
  ObjectDefineProperty(PerformanceObserver, "supportedEntryTypes", { __proto__: null, get, configurable: true });

  defineInterface(PerformanceObserverEntryList);
  defineInterface(PerformanceObserver);

  nano.expose("PerformanceObserverEntryList", PerformanceObserverEntryList);
  nano.expose("PerformanceObserver", PerformanceObserver);
});
