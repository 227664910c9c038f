"use strict";
// CountQueuingStrategy and ByteLengthQueuingStrategy, and queues with sizes: Streams Standard §7, §8.1.

(function (nano) {
  const { NumberIsNaN, RangeError, ReflectApply, TypeError } = nano.primordials;
  const { callback, defineInterface, dictionary, requireArguments } = nano.webidl;

  function initialMark(init, what) {
    const members = dictionary(init, `${what}'s options`);
    if (members === undefined || members.highWaterMark === undefined) {
      throw new TypeError(`${what}: highWaterMark is required`);
    }
    return +members.highWaterMark;
  }

  // One function for all strategies, as §7.1.4 and §7.2.4 ask.
  const sizes = {
    count: { size: () => 1 }.size,
    byteLength: { size: (chunk) => chunk.byteLength }.size,
  };

  class CountQueuingStrategy {
    #highWaterMark;

    constructor(init) {
      requireArguments(arguments.length, 1, "new CountQueuingStrategy");
      this.#highWaterMark = initialMark(init, "CountQueuingStrategy");
    }

    get highWaterMark() {
      return this.#highWaterMark;
    }

    get size() {
      if (!(#highWaterMark in this)) throw new TypeError("Illegal invocation");
      return sizes.count;
    }
  }

  class ByteLengthQueuingStrategy {
    #highWaterMark;

    constructor(init) {
      requireArguments(arguments.length, 1, "new ByteLengthQueuingStrategy");
      this.#highWaterMark = initialMark(init, "ByteLengthQueuingStrategy");
    }

    get highWaterMark() {
      return this.#highWaterMark;
    }

    get size() {
      if (!(#highWaterMark in this)) throw new TypeError("Illegal invocation");
      return sizes.byteLength;
    }
  }

  defineInterface(CountQueuingStrategy);
  defineInterface(ByteLengthQueuingStrategy);

  /** §7.4: the strategy's members, `size` undefined where there is none. */
  function toStrategy(value) {
    const members = dictionary(value, "the queuing strategy");
    if (members === undefined) return { highWaterMark: undefined, size: undefined };
    let { highWaterMark } = members;
    if (highWaterMark !== undefined) highWaterMark = +highWaterMark;
    let { size } = members;
    if (size !== undefined) size = callback(size, "the strategy's size");
    return { highWaterMark, size };
  }

  /** §7.4 ExtractHighWaterMark. */
  function extractHighWaterMark(strategy, defaultMark) {
    const mark = strategy.highWaterMark;
    if (mark === undefined) return defaultMark;
    if (NumberIsNaN(mark) || mark < 0) throw new RangeError("the high-water mark is not a number from 0");
    return mark;
  }

  /** The size of every chunk where nobody says how to tell: nothing of the app's, and so called wherever. */
  const one = () => 1;

  /** §7.4 ExtractSizeAlgorithm. */
  function extractSizeAlgorithm({ size }) {
    return size === undefined ? one : (chunk) => +ReflectApply(size, undefined, [chunk]);
  }

  /** §8.1: a queue whose entries have sizes. Linked, so that nothing moves when the head leaves. */
  class SizedQueue {
    #head = undefined;
    #tail = undefined;
    #total = 0;

    get total() {
      return this.#total;
    }

    get empty() {
      return this.#head === undefined;
    }

    /** What `dequeue` would give. */
    get first() {
      return this.#head.value;
    }

    enqueue(value, size) {
      if (!(size >= 0) || size === Infinity) throw new RangeError("the chunk's size is not a finite number from 0");
      const entry = { value, size, next: undefined };
      if (this.#head === undefined) this.#head = entry;
      else this.#tail.next = entry;
      this.#tail = entry;
      this.#total += size;
    }

    dequeue() {
      const { value, size, next } = this.#head;
      this.#head = next;
      this.#total -= size;
      // Rounding errors.
      if (this.#total < 0) this.#total = 0;
      return value;
    }

    reset() {
      this.#head = this.#tail = undefined;
      this.#total = 0;
    }
  }

  nano.queuing = { __proto__: null, SizedQueue, extractHighWaterMark, extractSizeAlgorithm, one, toStrategy };
  nano.expose("CountQueuingStrategy", CountQueuingStrategy);
  nano.expose("ByteLengthQueuingStrategy", ByteLengthQueuingStrategy);
});
