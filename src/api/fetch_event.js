"use strict";
// FetchEvent: Service Workers §4.6, for apps that listen to "fetch" instead of exporting a handler.

(function (nano) {
  const { DOMException } = nano;
  const { Event, createTrusted, fire, globalTarget, hasListener } = nano.events;
  const { TypeError } = nano.primordials;
  const { defineInterface, dictionary, requireArguments } = nano.webidl;

  let responseOf;
  let create;

  class FetchEvent extends Event {
    #request;
    #exchange = undefined;
    #responded = false;
    #response = undefined;

    constructor(type, init) {
      super(type, init);
      const members = dictionary(init, "FetchEvent's options");
      if (members === undefined) throw new TypeError("FetchEvent: a request is required");
      this.#request = members.request;
    }

    get request() {
      return this.#request;
    }

    respondWith(response) {
      if (this.#responded) throw new DOMException("respondWith was already called", "InvalidStateError");
      requireArguments(arguments.length, 1, "FetchEvent.respondWith");
      this.stopImmediatePropagation();
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
