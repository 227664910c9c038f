// Streams Standard §5, §6 and the pipes of §4: writable and transform streams.
import { equal, ok, rejects, same, throws } from "./assert.js";

const collect = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
};
const logging = (log, more = {}) =>
  new WritableStream({
    write: (chunk) => void log.push(chunk),
    close: () => void log.push("close"),
    abort: (reason) => void log.push(["abort", reason]),
    ...more,
  });
const from = (...chunks) => ReadableStream.from(chunks);

export const tests = {
  async "chunks reach the sink in order, one after another"() {
    const log = [];
    let busy = 0;
    const writer = logging(log, {
      async write(chunk) {
        equal(++busy, 1);
        await null;
        busy--;
        log.push(chunk);
      },
    }).getWriter();
    for (const chunk of [1, 2, 3]) writer.write(chunk);
    await writer.close();
    same(log, [1, 2, 3, "close"]);
    await writer.closed;
  },
  async "ready waits as long as the queue is full"() {
    let release;
    const stream = new WritableStream({ write: () => new Promise((done) => { release = done; }) }, { highWaterMark: 2 });
    const writer = stream.getWriter();
    await writer.ready;
    equal(writer.desiredSize, 2);
    writer.write(1);
    writer.write(2);
    equal(writer.desiredSize, 0);
    const { ready } = writer;
    let isReady = false;
    ready.then(() => { isReady = true; });
    await new Promise((done) => setTimeout(done, 0));
    ok(!isReady);
    release();
    await ready;
  },
  async "an abort reaches the sink and its signal"() {
    const log = [];
    let signal;
    const writer = logging(log, { start: (controller) => { signal = controller.signal; } }).getWriter();
    await writer.ready;
    await writer.abort("why");
    same(log, [["abort", "why"]]);
    ok(signal.aborted);
    equal(signal.reason, "why");
    equal(await writer.closed.catch((reason) => reason), "why");
    await rejects(TypeError, writer.close());
  },
  async "a sink that throws fails the stream"() {
    const writer = new WritableStream({ write() { throw new RangeError("full"); } }).getWriter();
    await rejects(RangeError, writer.write(1));
    await rejects(RangeError, writer.write(2));
    await rejects(RangeError, writer.closed);
  },
  async "a transform changes, adds and leaves out"() {
    const doubled = from(1, 2, 3).pipeThrough(new TransformStream({
      start: (controller) => controller.enqueue("start"),
      transform(chunk, controller) {
        if (chunk !== 2) controller.enqueue(chunk * 2);
      },
      flush: (controller) => controller.enqueue("flush"),
    }));
    same(await collect(doubled), ["start", 2, 6, "flush"]);
    same(await collect(from(1, 2).pipeThrough(new TransformStream())), [1, 2]);
  },
  async "a transformer hears of a cancelled reader"() {
    let heard;
    const { readable, writable } = new TransformStream({ cancel: (reason) => { heard = reason; } });
    await readable.cancel("enough");
    equal(heard, "enough");
    equal(await writable.getWriter().closed.catch((reason) => reason), "enough");
  },
  async "terminate ends both sides"() {
    const { readable, writable } = new TransformStream({ transform: (chunk, controller) => controller.terminate() });
    const write = writable.getWriter().write(1);
    same(await collect(readable), []);
    await write;
    await rejects(TypeError, writable.abort());
  },
  async "pipeTo carries all of it, and closes"() {
    const log = [];
    await from(1, 2, 3).pipeTo(logging(log));
    same(log, [1, 2, 3, "close"]);
  },
  async "pipeTo hands errors on, unless told not to"() {
    const failing = () => new ReadableStream({ start: (controller) => controller.error("bad") });
    const log = [];
    equal(await failing().pipeTo(logging(log)).catch((error) => error), "bad");
    same(log, [["abort", "bad"]]);
    log.length = 0;
    const spared = logging(log);
    equal(await failing().pipeTo(spared, { preventAbort: true }).catch((error) => error), "bad");
    same(log, []);
    ok(!spared.locked);

    let canceled;
    const source = () => new ReadableStream({ pull: (c) => c.enqueue(1), cancel: (reason) => { canceled = reason; } });
    const broken = () => new WritableStream({ write() { throw new RangeError("sink"); } });
    await rejects(RangeError, source().pipeTo(broken()));
    ok(canceled instanceof RangeError);
    canceled = undefined;
    const kept = source();
    await rejects(RangeError, kept.pipeTo(broken(), { preventCancel: true }));
    equal(canceled, undefined);
    ok(!kept.locked);

    log.length = 0;
    const open = logging(log);
    await from(1).pipeTo(open, { preventClose: true });
    same(log, [1]);
    await open.close();
  },
  async "a signal ends a pipe"() {
    const log = [];
    const abort = new AbortController();
    const source = new ReadableStream({ pull: (c) => c.enqueue(1), cancel: (reason) => void log.push(reason) });
    const sink = new WritableStream({ write: () => abort.abort("now"), abort: (reason) => void log.push(reason) });
    equal(await source.pipeTo(sink, { signal: abort.signal }).catch((error) => error), "now");
    same(log, ["now", "now"]);
    equal(await from(1).pipeTo(logging([]), { signal: abort.signal }).catch((error) => error), "now");
  },
  async "pipes lock both ends"() {
    const source = new ReadableStream();
    const sink = new WritableStream();
    source.pipeTo(sink);
    ok(source.locked && sink.locked);
    await rejects(TypeError, source.pipeTo(new WritableStream()));
    throws(TypeError, () => from(1).pipeThrough({ readable: new ReadableStream(), writable: sink }));
    throws(TypeError, () => from(1).pipeThrough({ readable: new ReadableStream() }));
    await rejects(TypeError, from(1).pipeTo({}));
  },
  async "a body goes through a transform"() {
    const upper = new TransformStream({
      transform: (chunk, controller) => controller.enqueue(chunk.map((byte) => byte - 32)),
    });
    equal(await new Response(new Response("abc").body.pipeThrough(upper)).text(), "ABC");
  },
  async "patched prototypes change nothing"() {
    const never = () => { throw new Error("an app's patch was called by the platform"); };
    const { then } = Promise.prototype;
    const { push, shift } = Array.prototype;
    const keys = ["write", "abort", "close", "start", "transform", "flush", "cancel", "pull", "size", "promise"];
    const log = [];
    const transform = new TransformStream({ transform: (chunk, c) => c.enqueue(chunk + 1) });
    const source = from(1, 2);
    const sink = new WritableStream({ write: (chunk) => { log[log.length] = chunk; } });
    let piped;
    Promise.prototype.then = Array.prototype.push = Array.prototype.shift = never;
    for (const key of keys) Object.defineProperty(Object.prototype, key, { set: never, get: never, configurable: true });
    try {
      piped = source.pipeThrough(transform).pipeTo(sink);
      await piped;
    } finally {
      for (const key of keys) delete Object.prototype[key];
      Promise.prototype.then = then;
      Object.assign(Array.prototype, { push, shift });
    }
    same(log, [2, 3]);
  },
  "what makes no sense is refused"() {
    throws(RangeError, () => new WritableStream({ type: "bytes" }));
    throws(RangeError, () => new TransformStream({ readableType: "bytes" }));
    throws(RangeError, () => new TransformStream({ writableType: "bytes" }));
    throws(TypeError, () => new WritableStream({ write: 1 }));
    throws(TypeError, () => new WritableStream(null));
    throws(TypeError, () => new WritableStreamDefaultController());
    throws(TypeError, () => new TransformStreamDefaultController());
    throws(TypeError, () => new WritableStreamDefaultWriter({}));
  },
};
