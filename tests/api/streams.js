// Streams Standard §4, §7.
import { equal, ok, rejects, same, throws } from "./assert.js";

const collect = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
};
const counting = (upTo, log = []) =>
  new ReadableStream(
    {
      pull(controller) {
        log.push("pull");
        controller.enqueue(log.length);
        if (log.length === upTo) controller.close();
      },
      cancel(reason) {
        log.push(reason);
      },
    },
    { highWaterMark: 0 },
  );

export const tests = {
  async "chunks come in order, then the end"() {
    const reader = counting(2).getReader();
    same(await reader.read(), { value: 1, done: false });
    same(await reader.read(), { value: 2, done: false });
    same(await reader.read(), { value: undefined, done: true });
    await reader.closed;
  },
  async "nothing is pulled that nobody asked for"() {
    const log = [];
    const reader = counting(9, log).getReader();
    await Promise.resolve();
    same(log, []);
    await reader.read();
    same(log, ["pull"]);
  },
  async "the queue fills to the high-water mark"() {
    let pulls = 0;
    const pull = (controller) => {
      pulls++;
      controller.enqueue("xx");
    };
    new ReadableStream({ pull }, new CountQueuingStrategy({ highWaterMark: 3 }));
    await new Promise((resolve) => setTimeout(resolve, 0));
    equal(pulls, 3);
    pulls = 0;
    new ReadableStream({ pull }, { highWaterMark: 4, size: (chunk) => chunk.length });
    await new Promise((resolve) => setTimeout(resolve, 0));
    equal(pulls, 2);
  },
  async "an error reaches the reader after nothing else"() {
    const failure = new RangeError("x");
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(1);
        controller.error(failure);
        throws(TypeError, () => controller.enqueue(2));
      },
    });
    const reader = stream.getReader();
    equal(await rejects(RangeError, reader.read()), failure);
    await rejects(RangeError, reader.closed);
    await rejects(Error, new ReadableStream({ pull: () => Promise.reject(new Error("p")) }).getReader().read());
  },
  async "cancel reaches the source"() {
    const log = [];
    const stream = counting(9, log);
    await stream.cancel("why");
    same(log, ["why"]);
    same(await collect(stream), []);
    const locked = counting(9);
    locked.getReader();
    await rejects(TypeError, locked.cancel());
  },
  async "a reader locks, and lets go"() {
    const stream = counting(5);
    const reader = stream.getReader();
    ok(stream.locked);
    throws(TypeError, () => stream.getReader());
    const pending = new ReadableStream().getReader();
    const read = pending.read();
    pending.releaseLock();
    await rejects(TypeError, read);
    reader.releaseLock();
    ok(!stream.locked);
    await rejects(TypeError, reader.read());
    equal((await stream.getReader().read()).value, 1);
  },
  async "iteration ends with a cancel, unless told not to"() {
    const log = [];
    for await (const chunk of counting(9, log)) if (chunk === 2) break;
    same(log, ["pull", "pull", undefined]);
    const stream = counting(9);
    for await (const chunk of stream.values({ preventCancel: true })) if (chunk === 2) break;
    equal((await stream.getReader().read()).value, 3);
  },
  async "tee gives both branches everything"() {
    const [a, b] = counting(3).tee();
    same(await Promise.all([collect(a), collect(b)]), [[1, 2, 3], [1, 2, 3]]);
    const log = [];
    const [c, d] = counting(9, log).tee();
    const done = c.cancel("c");
    same(log, []);
    await d.cancel("d");
    await done;
    same(log.at(-1), ["c", "d"]);
  },
  async "from() takes iterables of both kinds"() {
    same(await collect(ReadableStream.from([1, Promise.resolve(2)])), [1, 2]);
    same(
      await collect(
        ReadableStream.from(
          (async function* () {
            yield 1;
            yield 2;
          })(),
        ),
      ),
      [1, 2],
    );
    throws(TypeError, () => ReadableStream.from(5));
  },
  "bad sources and strategies are refused"() {
    throws(TypeError, () => new ReadableStream({ pull: 1 }));
    throws(TypeError, () => new ReadableStream(null));
    throws(RangeError, () => new ReadableStream({}, { highWaterMark: -1 }));
    throws(TypeError, () => new ReadableStream({}, { size: 1 }));
    throws(TypeError, () => new ReadableStream({ type: "other" }));
    throws(TypeError, () => new ReadableStream().getReader({ mode: "other" }));
    throws(RangeError, () => new ReadableStream({ start: (c) => c.enqueue(1) }, { size: () => -1 }));
    equal(new ByteLengthQueuingStrategy({ highWaterMark: 5 }).size({ byteLength: 7 }), 7);
    equal(new CountQueuingStrategy({ highWaterMark: 5 }).size(), 1);
    throws(TypeError, () => new CountQueuingStrategy({}));
  },
  async "from() of an iterator waits for its values, and for nothing else of it"() {
    let closed = 0;
    const of = (...values) => ({
      [Symbol.iterator]: () => ({
        next: () => (values.length === 0 ? { done: true } : { value: values.shift(), then: 1, done: false }),
        return: () => ({ value: Promise.reject(new RangeError("at the end")), done: !!++closed }),
      }),
    });
    const next = { value: "v", done: false, then: (settle) => settle({ value: "wrong", done: false }) };
    const odd = { [Symbol.iterator]: () => ({ next: () => next }) };
    equal((await ReadableStream.from(odd).getReader().read()).value, "v");
    const reader = ReadableStream.from(of(Promise.resolve(1), Promise.reject(new RangeError("mine")))).getReader();
    equal((await reader.read()).value, 1);
    equal((await rejects(RangeError, reader.read())).message, "mine");
    equal(closed, 1);
    equal((await rejects(RangeError, ReadableStream.from(of(1)).cancel())).message, "at the end");
  },
};
