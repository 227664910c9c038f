"use strict";
// FetchEvent: Service Workers §4.6, for apps that listen to "fetch" instead of exporting a handler.

(function (nano) {
  const { fetch, DOMException } = nano;
  const { TypeError } = nano.primordials;
  const { Event, createTrusted, fire, globalTarget, hasListener, isDispatched, stopImmediately } = nano.events;
  const { defineInterface, dictionaryOf, requireArguments } = nano.webidl;

  function toRequest(value, what) {
    if (!fetch.isRequest(value)) throw new TypeError(`${what} is not a Request`);
    return value;
  }

  const FetchEventInit = [{ __proto__: null, key: "request", convert: toRequest, required: true }];

  let responseOf;
  let create;

  class FetchEvent extends Event {
    #request;
    #exchange = undefined;
    #responded = false;
    #response = undefined;

    constructor(type, init) {
      requireArguments(arguments.length, 2, "new FetchEvent");
      super(type, init);
      this.#request = dictionaryOf(init, FetchEventInit, "FetchEvent's options").request;
    }

    get request() {
      return this.#request;
    }

    respondWith(response) {
      const isLate = this.#responded;
      requireArguments(arguments.length, 1, "FetchEvent.respondWith");
      if (!isDispatched(this)) throw new DOMException("the event is not being dispatched", "InvalidStateError");
      if (isLate) throw new DOMException("respondWith was already called", "InvalidStateError");
      stopImmediately(this);
      this.#responded = true;
      this.#response = response;
    }

    waitUntil(promise) {
      const exchange = this.#exchange;
      requireArguments(arguments.length, 1, "FetchEvent.waitUntil");
      if (exchange === undefined) throw new DOMException("the event is not dispatched", "InvalidStateError");
      exchange.waitUntil(promise);
    }

    static {
      responseOf = (event) => event.#response;
      create = (request, exchange) => {
        const event = createTrusted(FetchEvent, "fetch", { __proto__: null, request, cancelable: true });
        event.#exchange = exchange;
        return event;
      };
    }
  }

  nano.fetchEvents = {
    __proto__: null,
    /** What the listeners respond with; undefined if nothing. */
    dispatch(request, exchange) {
      const event = create(request, exchange);
      fire(globalTarget, event);
      return responseOf(event);
    },
    hasListener: () => hasListener(globalTarget, "fetch"),
  };
  nano.expose("FetchEvent", defineInterface(FetchEvent));
});
