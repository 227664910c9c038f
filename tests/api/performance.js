// High Resolution Time, Performance Timeline and User Timing.
import { equal, ok, same, throws } from "./assert.js";

const names = (entries) => entries.map((entry) => entry.name);

export const tests = {
  "time goes on from the origin"() {
    const now = performance.now();
    ok(performance.now() >= now && now >= 0);
    ok(Math.abs(performance.timeOrigin + now - Date.now()) < 5000);
    same(performance.toJSON(), { timeOrigin: performance.timeOrigin });
    throws(TypeError, () => (0, performance.now)());
  },
  "marks and measures are on the timeline until they are cleared"() {
    const detail = { x: [1] };
    const mark = performance.mark("b", { startTime: 5, detail });
    performance.mark("a", { startTime: 1 });
    const measure = performance.measure("m", "a", "b");
    same([mark.entryType, mark.startTime, mark.duration, mark.detail], ["mark", 5, 0, { x: [1] }]);
    ok(mark.detail !== detail && mark.detail === mark.detail);
    same([measure.startTime, measure.duration, measure.detail], [1, 4, null]);
    same(names(performance.getEntries()), ["a", "m", "b"]);
    same(names(performance.getEntriesByType("mark")), ["a", "b"]);
    same(names(performance.getEntriesByName("m", "measure")), ["m"]);
    same(performance.measure("m", { end: 10, duration: 4 }).startTime, 6);
    performance.clearMarks("a");
    performance.clearMeasures();
    same(names(performance.getEntries()), ["b"]);
    performance.clearMarks();
    same(performance.getEntries(), []);
    same(Object.keys(mark.toJSON()), ["id", "name", "entryType", "startTime", "duration", "navigationId"]);
  },
  "what is no mark, no time or too much is refused"() {
    throws("SyntaxError", () => performance.measure("m", "nothing"));
    throws(TypeError, () => performance.mark("x", { startTime: -1 }));
    throws(TypeError, () => performance.mark("x", 5));
    throws(TypeError, () => performance.measure("m", { start: 1, duration: 1, end: 2 }));
    throws(TypeError, () => performance.measure("m", { detail: 1 }));
    throws(TypeError, () => performance.measure("m", { start: 1 }, "end"));
    throws("DataCloneError", () => performance.mark("x", { detail: () => {} }));
    throws(TypeError, () => new PerformanceMeasure());
    throws("DataCloneError", () => structuredClone(new PerformanceMark("x")));
    same(performance.getEntries(), []);
  },
  async "observers are told, of what was before as well"() {
    performance.mark("before");
    const [list, observer, options] = await new Promise((done) => {
      const observer = new PerformanceObserver((...given) => done(given));
      observer.observe({ type: "mark", buffered: true });
      observer.observe({ type: "measure" });
      performance.measure("during");
    });
    same(names(list.getEntries()), ["during", "before"]);
    same(names(list.getEntriesByType("mark")), ["before"]);
    ok(list instanceof PerformanceObserverEntryList && observer instanceof PerformanceObserver);
    same(options, { droppedEntriesCount: 0 });
    throws("InvalidModificationError", () => observer.observe({ entryTypes: ["mark"] }));
    performance.mark("after");
    same(names(observer.takeRecords()), ["after"]);
    observer.disconnect();
    performance.mark("unseen");
    same(observer.takeRecords(), []);
    performance.clearMarks();
    performance.clearMeasures();
    same(PerformanceObserver.supportedEntryTypes, ["mark", "measure"]);
    ok(PerformanceObserver.supportedEntryTypes === PerformanceObserver.supportedEntryTypes);
    throws(TypeError, () => observer.observe({}));
    throws(TypeError, () => observer.observe({ entryTypes: ["mark"], type: "mark" }));
  },
};
