"use strict";
// BroadcastChannel: HTML §9.5, among the channels of one realm. Isolates of one app do not hear each other.

(function (nano) {
  const { context, DOMException } = nano;
  const { EventTarget, defineHandler, fire } = nano.events;
  const { Set, SetPrototypeAdd, SetPrototypeDelete, SetPrototypeForEach, TypeError, isObject, newList, push } =
    nano.primordials;
  const { DOMString, defineInterface, requireArguments } = nano.webidl;
  const { createEvent, queueTask } = nano.messages;

  /** Those that are open, in the order they were made. */
  const open = new Set();

  class BroadcastChannel extends EventTarget {
    #name;
    #isClosed = false;

    constructor(name) {
      requireArguments(arguments.length, 1, "new BroadcastChannel");
      const text = DOMString(name);
      super();
      this.#name = text;
      SetPrototypeAdd(open, this);
    }

    get name() {
      return this.#name;
    }

    postMessage(message) {
      const name = this.#name;
      requireArguments(arguments.length, 1, "BroadcastChannel.postMessage");
      if (this.#isClosed) throw new DOMException("the channel is closed", "InvalidStateError");
      // Once for the exceptions it may throw, even where nobody listens, and once for each that does.
      let value = nano.structuredClone(message);
      let isUsed = false;
      const destinations = newList();
      SetPrototypeForEach(open, (channel) => {
        if (channel !== this && channel.#name === name) push(destinations, channel);
      });
      for (let i = 0; i < destinations.length; i++) {
        if (isUsed) value = nano.structuredClone(value);
        isUsed = true;
        const copy = value;
        const channel = destinations[i];
        queueTask(context.current(), () => {
          if (!channel.#isClosed) fire(channel, createEvent(copy, "", newList()));
        });
      }
    }

    close() {
      this.#isClosed = true;
      SetPrototypeDelete(open, this);
    }

    static {
      const brand = (value) => {
        if (!isObject(value) || !(#name in value)) throw new TypeError("Illegal invocation");
        return value;
      };
      defineHandler(BroadcastChannel.prototype, "message", brand);
      defineHandler(BroadcastChannel.prototype, "messageerror", brand);
    }
  }

  nano.expose("BroadcastChannel", defineInterface(BroadcastChannel));
});
