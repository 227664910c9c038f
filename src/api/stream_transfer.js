"use strict";
// Streams that are transferred: Streams Standard §4.2.5, §5.2.5, §6.2.4 and §8.2. The old stream is piped into a new one, and
// each chunk is cloned on the way. Both ends are in one realm: no port lies between them, and a reason goes as it is.

(function (nano) {
  const { markHandled } = nano.primordials;

  const PIPE = { __proto__: null, preventAbort: false, preventCancel: false, preventClose: false, signal: undefined };

  /** What stands between two ends: no chunk is taken that nobody asks for. */
  const channel = () =>
    nano.transforms.createTransform((chunk, transform) => transform.enqueue(nano.structuredClone(chunk)));

  /** "The pipe's promise is handled": what fails it, fails both streams. */
  const pipe = (readable, writable) => markHandled(nano.pipeTo(readable, writable, PIPE));

  const hindrance = (isLocked) => (isLocked ? "is locked" : undefined);

  nano.transferable({
    __proto__: null,
    is: (object) => nano.streams.isStream(object),
    hindrance: (object) => hindrance(nano.streams.unwrap(object).locked),
    prepare: () => {
      const { readable, writable } = channel();
      const move = (object) => pipe(nano.streams.unwrap(object), writable);
      return { successor: nano.streams.wrap(readable), move };
    },
  });

  nano.transferable({
    __proto__: null,
    is: (object) => nano.writable.isWritable(object),
    hindrance: (object) => hindrance(nano.writable.unwrap(object).locked),
    prepare: () => {
      const { readable, writable } = channel();
      const move = (object) => pipe(readable, nano.writable.unwrap(object));
      return { successor: nano.writable.wrap(writable), move };
    },
  });

  nano.transferable({
    __proto__: null,
    is: (object) => nano.transforms.isTransform(object),
    hindrance: (object) => {
      const { readable, writable } = nano.transforms.sidesOf(object);
      return hindrance(readable.locked || writable.locked);
    },
    prepare: () => {
      const before = channel();
      const after = channel();
      const move = (object) => {
        const { readable, writable } = nano.transforms.sidesOf(object);
        pipe(readable, after.writable);
        pipe(before.readable, writable);
      };
      const successor = nano.transforms.fromSides({ readable: after.readable, writable: before.writable });
      return { successor, move };
    },
  });
});
