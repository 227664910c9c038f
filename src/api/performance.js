"use strict";
// Performance: High Resolution Time §6 and §7, Performance Timeline §3, User Timing §3.1.

(function (nano) {
  const { ops, performance, DOMException } = nano;
  const { EventTarget } = nano.events;
  const { TypeError, arrayFromList, isObject, push } = nano.primordials;
  const { DOMString, defineInterface, dictionaryOf, double, requireArguments } = nano.webidl;
  const { PerformanceMark, createMeasure, filter, nameOf, startOf, typeOf, timeline } = performance;

  const internal = { __proto__: null };

  const any = (value) => value;
  /** (DOMString or DOMHighResTimeStamp) */
  const toMark = (value, what) => (typeof value === "number" ? double(value, what) : DOMString(value));
  const PerformanceMeasureOptions = [
    { __proto__: null, key: "detail", convert: any }, { __proto__: null, key: "duration", convert: double },
    { __proto__: null, key: "end", convert: toMark }, { __proto__: null, key: "start", convert: toMark },
  ];

  /** "Convert a mark to a timestamp". */
  function timeOf(mark) {
    if (typeof mark === "number") {
      if (mark < 0) throw new TypeError("performance.measure: a time is negative");
      return mark;
    }
    for (let i = timeline.length - 1; i >= 0; i--) {
      if (typeOf(timeline[i]) === "mark" && nameOf(timeline[i]) === mark) return startOf(timeline[i]);
    }
    throw new DOMException(`performance.measure: there is no mark "${mark}"`, "SyntaxError");
  }

  function add(entry) {
    performance.observed(entry);
    push(timeline, entry);
    return entry;
  }

  /** Takes the entries of a type out of the timeline: those of that name, or all. */
  function clear(type, name) {
    let kept = 0;
    for (let i = 0; i < timeline.length; i++) {
      const entry = timeline[i];
      if (typeOf(entry) === type && (name === undefined || nameOf(entry) === name)) continue;
      timeline[kept++] = entry;
    }
    timeline.length = kept;
  }

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

    getEntries() {
      if (!(#brand in this)) throw new TypeError("Illegal invocation");
      return arrayFromList(filter(timeline, undefined, undefined));
    }

    getEntriesByType(type) {
      if (!(#brand in this)) throw new TypeError("Illegal invocation");
      requireArguments(arguments.length, 1, "performance.getEntriesByType");
      return arrayFromList(filter(timeline, undefined, DOMString(type)));
    }

    getEntriesByName(name, type = undefined) {
      if (!(#brand in this)) throw new TypeError("Illegal invocation");
      requireArguments(arguments.length, 1, "performance.getEntriesByName");
      return arrayFromList(filter(timeline, DOMString(name), type === undefined ? undefined : DOMString(type)));
    }

    mark(markName, markOptions = undefined) {
      if (!(#brand in this)) throw new TypeError("Illegal invocation");
      requireArguments(arguments.length, 1, "performance.mark");
      return add(new PerformanceMark(markName, markOptions));
    }

    clearMarks(markName = undefined) {
      if (!(#brand in this)) throw new TypeError("Illegal invocation");
      clear("mark", markName === undefined ? undefined : DOMString(markName));
    }

    measure(measureName, startOrMeasureOptions = undefined, endMark = undefined) {
      if (!(#brand in this)) throw new TypeError("Illegal invocation");
      requireArguments(arguments.length, 1, "performance.measure");
      const name = DOMString(measureName);
      const isDictionary = isObject(startOrMeasureOptions ?? {});
      const { detail, duration, end, start } = isDictionary
        ? dictionaryOf(startOrMeasureOptions, PerformanceMeasureOptions, "performance.measure's options")
        : { detail: undefined, duration: undefined, end: undefined, start: DOMString(startOrMeasureOptions) };
      const endName = endMark === undefined ? undefined : DOMString(endMark);
      const isGiven = detail !== undefined || duration !== undefined || end !== undefined || start !== undefined;
      if (isDictionary && isGiven) {
        if (endName !== undefined) throw new TypeError("performance.measure: an end mark goes with no options");
        if (start === undefined && end === undefined) {
          throw new TypeError("performance.measure: neither start nor end is given");
        }
        if (start !== undefined && end !== undefined && duration !== undefined) {
          throw new TypeError("performance.measure: start, duration and end are too many");
        }
      }
      let endTime;
      if (endName !== undefined) endTime = timeOf(endName);
      else if (end !== undefined) endTime = timeOf(end);
      else if (start !== undefined && duration !== undefined) endTime = timeOf(start) + timeOf(duration);
      else endTime = ops.now();
      let startTime = 0;
      if (start !== undefined) startTime = timeOf(start);
      else if (duration !== undefined && end !== undefined) startTime = endTime - timeOf(duration);
      return add(createMeasure(name, startTime, endTime - startTime, detail));
    }

    clearMeasures(measureName = undefined) {
      if (!(#brand in this)) throw new TypeError("Illegal invocation");
      clear("measure", measureName === undefined ? undefined : DOMString(measureName));
    }
  }

  nano.expose("Performance", defineInterface(Performance));
  performance.object = new Performance(internal);
});
