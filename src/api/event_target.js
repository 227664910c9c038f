"use strict";
// Event, CustomEvent and EventTarget: DOM Standard §2. There is no tree here, so that an event's path is its target
// alone; the rest is step for step. The global object is an event target too.

(function (nano) {
  const { ops, context, DOMException } = nano;
  const {
    Boolean, FunctionPrototype, Object, ObjectDefineProperty, ObjectSetPrototypeOf, ReflectApply,
    ReflectGetOwnPropertyDescriptor, TypeError, WeakMap, WeakMapPrototypeGet, WeakMapPrototypeSet, isObject, newList, push,
  } = nano.primordials;
  const { DOMString, defineConstants, defineInterface, dictionary, requireArguments } = nano.webidl;

  // Looked up once: `ops` is a hash table.
  const { copies_of: copiesOf, now } = ops;

  const NONE = 0;
  const AT_TARGET = 2;

  // The flags of an event: those of its dictionary, and those of §2.2.
  const BUBBLES = 1;
  const CANCELABLE = 2;
  const COMPOSED = 4;
  const STOPPED = 8;
  const STOPPED_AT_ONCE = 16;
  const CANCELED = 32;
  const PASSIVE = 64;
  const DISPATCHED = 128;
  const TRUSTED = 256;

  /** The most copies that are kept ready. */
  const MOST = 16;

  const { global } = nano;
  /** The constructor makes what events are copies of, when it is given this. */
  const toBlank = { __proto__: null };
  let blanks;
  let isTrusted;
  let createTrusted;
  let isDispatched;
  let stopImmediately;
  let cancel;
  let initialize;
  let dispatch;
  let dispatchUntrusted;

  /** Copies of an object, made several at once: the call alone takes longer than one of them. */
  class Copies {
    #of;
    #copies = undefined;
    #left = 0;
    /** How many there are next time: most apps use a few, and those that use many use a lot. */
    #next = 1;

    constructor(object) {
      this.#of = object;
    }

    take() {
      if (this.#left === 0) {
        this.#left = this.#next;
        this.#copies = copiesOf(this.#of, this.#left);
        if (this.#next < MOST) this.#next *= 2;
      }
      const copies = this.#copies;
      const at = --this.#left;
      const copy = copies[at];
      copies[at] = undefined;
      return copy;
    }
  }

  // As a derived class, so that it is for the constructor to say where an object comes from: V8 makes one for any other.
  class Event extends Object {
    #type;
    /** In one field, for an event is short-lived and soon copied if it is small. */
    #flags = 0;
    #target = null;
    /** Not null as long as listeners are called: there is no phase but that at the target. */
    #currentTarget = null;
    /** Not a number in the blank: `copies_of` says why. */
    #timeStamp = undefined;

    constructor(type, init = undefined) {
      if (type === toBlank) {
        super();
        // [LegacyUnforgeable]: a property of each event itself.
        ObjectDefineProperty(this, "isTrusted", isTrusted);
        return;
      }
      requireArguments(arguments.length, 1, "new Event");
      const name = DOMString(type);
      const members = dictionary(init, "the event's options");
      let flags = 0;
      if (members !== undefined) {
        if (members.bubbles) flags |= BUBBLES;
        if (members.cancelable) flags |= CANCELABLE;
        if (members.composed) flags |= COMPOSED;
      }
      // To define a property takes V8 several times as long as to copy an object that has it.
      const event = (new.target === Event ? blanks : blanksOf(new.target)).take();
      event.#type = name;
      event.#flags = flags;
      event.#timeStamp = now();
      return event;
    }

    get type() {
      return this.#type;
    }

    get target() {
      return this.#target;
    }

    get srcElement() {
      return this.#target;
    }

    get currentTarget() {
      return this.#currentTarget;
    }

    composedPath() {
      const target = this.#currentTarget;
      return target === null ? [] : [target];
    }

    get eventPhase() {
      return this.#currentTarget === null ? NONE : AT_TARGET;
    }

    stopPropagation() {
      this.#flags |= STOPPED;
    }

    get cancelBubble() {
      return (this.#flags & STOPPED) !== 0;
    }

    set cancelBubble(value) {
      this.#flags |= value ? STOPPED : 0;
    }

    stopImmediatePropagation() {
      stopImmediately(this);
    }

    get bubbles() {
      return (this.#flags & BUBBLES) !== 0;
    }

    get cancelable() {
      return (this.#flags & CANCELABLE) !== 0;
    }

    get returnValue() {
      return (this.#flags & CANCELED) === 0;
    }

    set returnValue(value) {
      cancel(this, !value);
    }

    preventDefault() {
      cancel(this, true);
    }

    get defaultPrevented() {
      return (this.#flags & CANCELED) !== 0;
    }

    get composed() {
      return (this.#flags & COMPOSED) !== 0;
    }

    get timeStamp() {
      return this.#timeStamp;
    }

    initEvent(type, bubbles = false, cancelable = false) {
      requireArguments(arguments.length, 1, "Event.initEvent");
      initialize(this, type, bubbles, cancelable);
    }

    static {
      const getTrusted = {
        get isTrusted() {
          return (this.#flags & TRUSTED) !== 0;
        },
      };
      const { get } = ReflectGetOwnPropertyDescriptor(getTrusted, "isTrusted");
      isTrusted = { __proto__: null, get, enumerable: true };
      blanks = new Copies(new Event(toBlank));
      ObjectSetPrototypeOf(Event, FunctionPrototype);

      createTrusted = (Class, type, init) => {
        const event = new Class(type, init);
        event.#flags |= TRUSTED;
        return event;
      };

      isDispatched = (event) => (event.#flags & DISPATCHED) !== 0;

      stopImmediately = (event) => {
        event.#flags |= STOPPED | STOPPED_AT_ONCE;
      };

      // §2.2 "set the canceled flag", if that is wanted.
      cancel = (event, isWanted) => {
        event.#flags |= isWanted && (event.#flags & (CANCELABLE | PASSIVE)) === CANCELABLE ? CANCELED : 0;
      };

      // §2.2 "initialize", unless it is under way: then false.
      initialize = (event, type, bubbles, cancelable) => {
        const name = DOMString(type);
        if ((event.#flags & DISPATCHED) !== 0) return false;
        event.#flags = (event.#flags & COMPOSED) | (bubbles ? BUBBLES : 0) | (cancelable ? CANCELABLE : 0);
        event.#target = null;
        event.#type = name;
        return true;
      };

      // §2.9 "dispatch" with §2.10 "inner invoke". Listeners run in the request they were added in.
      dispatch = (event, self) => {
        const target = outside(self);
        event.#flags |= DISPATCHED;
        event.#target = event.#currentTarget = target;
        if ((event.#flags & STOPPED) === 0) {
          const listeners = lendList(self);
          for (let i = 0; i < listeners.length && (event.#flags & STOPPED_AT_ONCE) === 0; i++) {
            const listener = listeners[i];
            if (listener.removed || listener.type !== event.#type) continue;
            if (listener.once) removeListener(self, listener);
            if (listener.passive) event.#flags |= PASSIVE;
            try {
              invoke(listener, event, target);
            } catch (error) {
              context.reportException(error);
            }
            event.#flags &= ~PASSIVE;
          }
          returnList(self, listeners);
        }
        event.#currentTarget = null;
        event.#flags &= ~(DISPATCHED | STOPPED | STOPPED_AT_ONCE);
        return (event.#flags & CANCELED) === 0;
      };

      dispatchUntrusted = (event, self) => {
        if (!isObject(event) || !(#flags in event)) throw new TypeError("the argument is not an Event");
        if ((event.#flags & DISPATCHED) !== 0) {
          throw new DOMException("the event is already being dispatched", "InvalidStateError");
        }
        event.#flags &= ~TRUSTED;
        return dispatch(event, self);
      };
    }
  }

  /** Blanks of subclasses, by their prototypes. */
  const blanksOfOthers = new WeakMap();

  function blanksOf(Class) {
    const { prototype } = Class;
    // ECMAScript §10.1.14, GetPrototypeFromConstructor.
    if (!isObject(prototype)) return blanks;
    const known = WeakMapPrototypeGet(blanksOfOthers, prototype);
    if (known !== undefined) return known;
    const made = new Copies(ObjectSetPrototypeOf(blanks.take(), prototype));
    WeakMapPrototypeSet(blanksOfOthers, prototype, made);
    return made;
  }

  // Web IDL §3.12 "call a user object's operation".
  function invoke(listener, event, target) {
    const { callback } = listener;
    if (typeof callback === "function") {
      context.callIn(listener.token, callback, target, [event]);
      return;
    }
    const method = callback.handleEvent;
    if (typeof method !== "function") throw new TypeError("the listener has no handleEvent method");
    context.callIn(listener.token, method, callback, [event]);
  }

  class CustomEvent extends Event {
    #detail;

    constructor(type, init = undefined) {
      requireArguments(arguments.length, 1, "new CustomEvent");
      super(type, init);
      const detail = dictionary(init)?.detail;
      this.#detail = detail === undefined ? null : detail;
    }

    get detail() {
      return this.#detail;
    }

    initCustomEvent(type, bubbles = false, cancelable = false, detail = null) {
      const current = this.#detail;
      requireArguments(arguments.length, 1, "CustomEvent.initCustomEvent");
      this.#detail = initialize(this, type, bubbles, cancelable) ? detail : current;
    }
  }

  function findListener(listeners, type, callback, capture) {
    for (let i = 0; i < listeners.length; i++) {
      const listener = listeners[i];
      if (listener.type === type && listener.callback === callback && listener.capture === capture) return listener;
    }
    return undefined;
  }

  function checkCallback(callback) {
    if (callback === null || callback === undefined) return null;
    if (!isObject(callback)) throw new TypeError("the listener is neither a function nor an object");
    return callback;
  }

  // §2.7 "flatten".
  const flatten = (options) => (isObject(options) ? Boolean(options.capture) : Boolean(options));

  /** What targets begin with: lent to all of them for good. */
  const noListeners = newList();

  let receiver;
  let lendList;
  let returnList;
  let removeListener;
  let fire;
  let handlerOf;
  let setHandler;
  let hasListener;

  class EventTarget {
    #listeners = noListeners;
    /** How many events are going through the list. It is not to be changed then: there is a new one instead. */
    #lent = 1;
    /** Event handlers by their types, once there is one. */
    #handlers = null;

    addEventListener(type, callback, options = undefined) {
      const self = receiver(this);
      requireArguments(arguments.length, 2, "EventTarget.addEventListener");
      const name = DOMString(type);
      const listener = checkCallback(callback);
      const capture = flatten(options);
      let once = false;
      let passive = false;
      let signal;
      if (isObject(options)) {
        once = Boolean(options.once);
        passive = Boolean(options.passive);
        signal = options.signal;
        if (signal !== undefined && !nano.abort.isAbortSignal(signal)) {
          throw new TypeError("the listener's signal is not an AbortSignal");
        }
      }
      self.#add(name, listener, capture, once, passive, signal);
    }

    removeEventListener(type, callback, options = undefined) {
      const self = receiver(this);
      requireArguments(arguments.length, 2, "EventTarget.removeEventListener");
      const name = DOMString(type);
      const listener = checkCallback(callback);
      const capture = flatten(options);
      const found = findListener(self.#listeners, name, listener, capture);
      if (found !== undefined) removeListener(self, found);
    }

    dispatchEvent(event) {
      const self = receiver(this);
      requireArguments(arguments.length, 1, "EventTarget.dispatchEvent");
      return dispatchUntrusted(event, self);
    }

    // §2.7 "add an event listener".
    #add(type, callback, capture, once, passive, signal) {
      if (callback === null || (signal !== undefined && nano.abort.isAborted(signal))) return;
      if (findListener(this.#listeners, type, callback, capture) !== undefined) return;
      const listener = { type, callback, capture, once, passive, removed: false, token: context.current() };
      if (this.#lent !== 0) this.#copyWithout(undefined);
      push(this.#listeners, listener);
      if (type === "abort" && nano.abort.isAbortSignal(this)) nano.abort.keep(this);
      if (signal !== undefined) nano.abort.addAlgorithm(signal, () => removeListener(this, listener));
    }

    /** Has the target go on with a copy of the list, without that one of them. */
    #copyWithout(listener) {
      const listeners = this.#listeners;
      const rest = newList();
      for (let i = 0; i < listeners.length; i++) if (listeners[i] !== listener) push(rest, listeners[i]);
      this.#listeners = rest;
      this.#lent = 0;
    }

    static {
      receiver = (self) => {
        if (self === undefined || self === null || self === global) return globalTarget;
        if (!isObject(self) || !(#listeners in self)) throw new TypeError("Illegal invocation");
        return self;
      };
      lendList = (target) => {
        target.#lent++;
        return target.#listeners;
      };
      returnList = (target, listeners) => {
        if (target.#listeners === listeners) target.#lent--;
      };
      removeListener = (target, listener) => {
        listener.removed = true;
        target.#copyWithout(listener);
      };
      fire = (target, event) => dispatch(event, target);
      handlerOf = (target, type) => (target.#handlers === null ? undefined : target.#handlers[type]);
      // "Activate" and "deactivate an event handler": its place among the listeners is that of when it was set.
      setHandler = (target, type, given) => {
        const value = isObject(given) ? given : null;
        let handler = handlerOf(target, type);
        if (handler === undefined) {
          if (value === null) return;
          target.#handlers ??= { __proto__: null };
          handler = target.#handlers[type] = createHandler(type === "error" && target === globalTarget);
        }
        const old = handler.value;
        handler.value = value;
        if (old === null && value !== null) target.#add(type, handler.listener, false, false, false, undefined);
        if (old === null || value !== null) return;
        removeListener(target, findListener(target.#listeners, type, handler.listener, false));
      };
      hasListener = (target, type) => {
        const listeners = target.#listeners;
        for (let i = 0; i < listeners.length; i++) if (listeners[i].type === type) return true;
        return false;
      };
    }
  }

  const globalTarget = new EventTarget();
  const outside = (target) => (target === globalTarget ? global : target);

  // HTML §8.1.8.1: event handler attributes.

  /** What stands in the list of listeners for an event handler: "the event handler processing algorithm". */
  function createHandler(isForErrors) {
    const handler = { value: null, listener: undefined };
    handler.listener = function (event) {
      const { value } = handler;
      if (typeof value !== "function") return;
      if (isForErrors && nano.events.isErrorEvent(event)) {
        const { message, filename, lineno, colno, error } = nano.events.errorInfo(event);
        cancel(event, ReflectApply(value, this, [message, filename, lineno, colno, error]) === true);
      } else {
        cancel(event, ReflectApply(value, this, [event]) === false);
      }
    };
    return handler;
  }

  const getHandler = (target, type) => handlerOf(target, type)?.value ?? null;

  /**
   * Defines `on…` for events of a type. `brand` is given what the attribute is read of, and throws where that is of no
   * such interface; `onSet`, if there is one, what it was set on.
   */
  function defineHandler(holder, type, brand, onSet) {
    const name = `on${type}`;
    const attribute = {
      get [name]() {
        return getHandler(brand(this), type);
      },
      set [name](value) {
        const target = brand(this);
        setHandler(target, type, value);
        if (onSet !== undefined) onSet(target);
      },
    };
    const { get, set } = ReflectGetOwnPropertyDescriptor(attribute, name);
    ObjectDefineProperty(holder, name, { __proto__: null, get, set, enumerable: true, configurable: true });
  }

  defineConstants(Event, { __proto__: null, NONE, CAPTURING_PHASE: 1, AT_TARGET, BUBBLING_PHASE: 3 });

  nano.events = {
    __proto__: null,
    Event, EventTarget, createTrusted, isDispatched, stopImmediately, initialize, fire, hasListener, defineHandler,
    getHandler, setHandler, globalTarget,
    // Set by error_events.js.
    isErrorEvent: undefined, errorInfo: undefined, globalHandlers: undefined,
  };
  nano.expose("Event", defineInterface(Event));
  nano.expose("CustomEvent", defineInterface(CustomEvent));
  nano.expose("EventTarget", defineInterface(EventTarget));

  ObjectSetPrototypeOf(nano.globalPrototype, EventTarget.prototype);
  const { addEventListener, dispatchEvent, removeEventListener } = EventTarget.prototype;
  nano.exposeOperation("addEventListener", addEventListener);
  nano.exposeOperation("dispatchEvent", dispatchEvent);
  nano.exposeOperation("removeEventListener", removeEventListener);
});
