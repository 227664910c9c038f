"use strict";
// MessageChannel and MessagePort: HTML §9.4. Both ends are in one realm: what is posted is cloned there and then, and
// waits as the copy it will be. A message is delivered whatever becomes of the request that posted it, for the port it
// goes to may be anyone's.

(function (nano) {
  const { context } = nano;
  const { Event, EventTarget, createTrusted, defineHandler, fire } = nano.events;
  const { ReflectApply, SymbolIterator, TypeError, isObject, newList, push } = nano.primordials;
  const { defineInterface, requireArguments } = nano.webidl;
  const { fail, toOptions, toTransferList, transfer } = nano.structured;

  const internal = { __proto__: null };

  /** "Queue a task", of nobody's; its callback belongs to the request `token`. */
  const queueTask = (token, run) => {
    const task = () => context.callIn(token, run, undefined, []);
    context.callIn(0, nano.timers.start, undefined, [task, 0]);
  };

  /** One end of a channel, which may move from port to port: "port message queue" and what it is entangled with. */
  class End {
    port;
    other = null;
    /** The messages that wait: `{ message, next }`. */
    #first = undefined;
    #last = undefined;
    #waiting = 0;
    #isEnabled = false;

    constructor(port) {
      this.port = port;
    }

    /** Has a message wait here. */
    post(message) {
      const entry = { message, next: undefined };
      if (this.#first === undefined) this.#first = entry;
      else this.#last.next = entry;
      this.#last = entry;
      this.#waiting++;
      if (this.#isEnabled) this.#queueTask();
    }

    /** "Enable a port's port message queue". */
    enable() {
      if (this.#isEnabled) return;
      this.#isEnabled = true;
      for (let i = 0; i < this.#waiting; i++) this.#queueTask();
    }

    /** Transfer steps and transfer-receiving steps: what waits, waits for the new port to be started. */
    move(port) {
      this.port = port;
      this.#isEnabled = false;
    }

    /** "Disentangle", once its port is detached. */
    close() {
      const { other } = this;
      this.#first = this.#last = undefined;
      this.#waiting = 0;
      if (other === null) return;
      this.other = other.other = null;
      queueTask(context.current(), () => {
        if (other.port !== null) fire(other.port, createTrusted(Event, "close"));
      });
    }

    #queueTask() {
      queueTask(context.current(), () => this.#deliver());
    }

    #deliver() {
      if (!this.#isEnabled || this.#first === undefined) return;
      const { message, next } = this.#first;
      this.#first = next;
      if (next === undefined) this.#last = undefined;
      this.#waiting--;
      const ports = newList();
      for (let i = 0; i < message.successors.length; i++) {
        if (isPort(message.successors[i])) push(ports, message.successors[i]);
      }
      fire(this.port, nano.messages.createEvent(message.value, "", ports));
    }
  }

  let isPort;
  let entangle;
  let transferable;

  class MessagePort extends EventTarget {
    /** Null once it is detached: closed, or transferred. */
    #end = null;

    constructor(key = undefined) {
      if (key !== internal) throw new TypeError("Illegal constructor");
      super();
    }

    postMessage(message, options = undefined) {
      const end = this.#end;
      requireArguments(arguments.length, 1, "MessagePort.postMessage");
      const list = transferListOf(options);
      const target = end === null ? null : end.other;
      let isDoomed = false;
      for (let i = 0; i < list.length; i++) {
        if (list[i] === this) fail("a port cannot be sent through itself");
        if (target !== null && list[i] === target.port) isDoomed = true;
      }
      const clone = transfer(message, list);
      // A port that is sent to itself is lost, and the message with it.
      if (target !== null && !isDoomed) target.post(clone);
    }

    start() {
      this.#end?.enable();
    }

    close() {
      const end = this.#end;
      this.#end = null;
      if (end === null) return;
      end.port = null;
      end.close();
    }

    static {
      isPort = (value) => isObject(value) && #end in value;
      entangle = (one, other) => {
        one.#end = new End(one);
        other.#end = new End(other);
        one.#end.other = other.#end;
        other.#end.other = one.#end;
      };
      transferable = {
        __proto__: null,
        is: isPort,
        hindrance: (port) => (port.#end === null ? "is detached" : undefined),
        prepare: () => {
          const successor = new MessagePort(internal);
          const move = (port) => {
            const end = port.#end;
            port.#end = null;
            end.move(successor);
            successor.#end = end;
          };
          return { successor, move };
        },
      };
    }
  }

  /** The overloads of postMessage (Web IDL §3.6): a list, or options. */
  function transferListOf(options) {
    if (options === undefined || options === null) return newList();
    if (!isObject(options)) throw new TypeError("postMessage: the second argument is neither a list nor options");
    const method = options[SymbolIterator];
    return method === undefined || method === null ? toOptions(options) : toTransferList(options);
  }

  class MessageChannel {
    #port1 = new MessagePort(internal);
    #port2 = new MessagePort(internal);

    constructor() {
      entangle(this.#port1, this.#port2);
    }

    get port1() {
      return this.#port1;
    }

    get port2() {
      return this.#port2;
    }
  }

  const brand = (value) => {
    if (!isPort(value)) throw new TypeError("Illegal invocation");
    return value;
  };
  const { start } = MessagePort.prototype;
  defineHandler(MessagePort.prototype, "message", brand, (port) => ReflectApply(start, port, []));
  defineHandler(MessagePort.prototype, "messageerror", brand);
  defineHandler(MessagePort.prototype, "close", brand);
  nano.transferable(transferable);

  nano.messages.isPort = isPort;
  nano.messages.queueTask = queueTask;
  nano.expose("MessagePort", defineInterface(MessagePort));
  nano.expose("MessageChannel", defineInterface(MessageChannel));
});
