"use strict";
// MessageEvent: HTML §9.1.

(function (nano) {
  const { Event, createTrusted, initialize } = nano.events;
  const { Boolean, ObjectFreeze, TypeError, arrayFromList, newList } = nano.primordials;
  const { DOMString, USVString, defineInterface, dictionaryOf, requireArguments, sequence } = nano.webidl;

  // Set by message_channel.js.
  nano.messages = { __proto__: null, isPort: undefined, createEvent: undefined };

  function toPort(value) {
    if (!nano.messages.isPort(value)) throw new TypeError("not a MessagePort");
    return value;
  }

  const toPorts = (value) => sequence(value, toPort, "the list of ports");
  // There are no windows here, and no service workers.
  const toSource = (value) => (value === null || value === undefined ? null : toPort(value));
  const any = (value) => value;

  const MessageEventInit = [
    { __proto__: null, key: "data", convert: any }, { __proto__: null, key: "lastEventId", convert: DOMString },
    { __proto__: null, key: "origin", convert: USVString }, { __proto__: null, key: "ports", convert: toPorts },
    { __proto__: null, key: "source", convert: toSource },
  ];

  const frozen = (ports) => ObjectFreeze(arrayFromList(ports));

  let createEvent;

  class MessageEvent extends Event {
    #data;
    #origin;
    #lastEventId;
    #source;
    #ports;

    constructor(type, eventInitDict = undefined) {
      requireArguments(arguments.length, 1, "new MessageEvent");
      super(type, eventInitDict);
      const { data = null, lastEventId = "", origin = "", ports = newList(), source = null } =
        dictionaryOf(eventInitDict, MessageEventInit, "MessageEvent's options");
      this.#set(data, origin, lastEventId, source, ports);
    }

    get data() {
      return this.#data;
    }

    get origin() {
      return this.#origin;
    }

    get lastEventId() {
      return this.#lastEventId;
    }

    get source() {
      return this.#source;
    }

    get ports() {
      return this.#ports;
    }

    initMessageEvent(
      type, bubbles = false, cancelable = false, data = null, origin = "", lastEventId = "", source = null,
      ports = undefined,
    ) {
      if (!(#data in this)) throw new TypeError("Illegal invocation");
      requireArguments(arguments.length, 1, "MessageEvent.initMessageEvent");
      const name = DOMString(type);
      const bubbling = Boolean(bubbles);
      const canceling = Boolean(cancelable);
      const from = USVString(origin);
      const id = DOMString(lastEventId);
      const by = toSource(source);
      const list = ports === undefined ? newList() : toPorts(ports);
      if (initialize(this, name, bubbling, canceling)) this.#set(data, from, id, by, list);
    }

    #set(data, origin, lastEventId, source, ports) {
      this.#data = data;
      this.#origin = origin;
      this.#lastEventId = lastEventId;
      this.#source = source;
      this.#ports = frozen(ports);
    }

    static {
      createEvent = (data, origin, ports) => {
        const event = createTrusted(MessageEvent, "message", undefined);
        event.#set(data, origin, "", null, ports);
        return event;
      };
    }
  }

  nano.messages.createEvent = createEvent;
  nano.expose("MessageEvent", defineInterface(MessageEvent));
});
