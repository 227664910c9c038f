"use strict";
// HTMLRewriter, as Workers have it. A page is parsed and written anew by native code (html_rewriter.rs), which stands still
// wherever a handler is to be called or the content of a stream is to be inserted: `Page` does that, and has it go on.

(function (nano) {
  const { ops, fetch: fetches } = nano;
  const {
    ArrayPrototypeSymbolIterator, Boolean, ObjectDefineProperty, ObjectSetPrototypeOf, PromiseResolve, ReflectApply,
    ReflectGetOwnPropertyDescriptor, TypeError, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteOffset, Uint8Array,
    isObject, newList, newPromise, push, uponPromise,
  } = nano.primordials;
  const {
    USVString, callback, defineInterface, dictionary, getByteLength, isUint8Array, requireArguments,
  } = nano.webidl;
  const { Reader, createBytes, isStream, unwrap } = nano.streams;

  // What an event is made of, and what it may be about: those from 1 to 6 are a handler's.
  const KIND = 15;
  const FULL = 16;
  const NUMBER = 5;
  const DONE = 0;
  const END_TAG = 6;
  const CONTENT = 7;
  const OUTPUT = 8;

  /** A handler's members in the order they are read (Web IDL §3.2.17), each with its kind. */
  const ELEMENT_HANDLERS = [["comments", 2], ["element", 1], ["text", 3]];
  const DOCUMENT_HANDLERS = [["comments", 2], ["doctype", 4], ["end", 5], ["text", 3]];

  const nothing = () => {};

  /** Bytes that are parsed at a time. */
  const PIECE = 64 * 1024;

  const piece = (bytes, from) => {
    const length = getByteLength(bytes);
    if (from === 0 && length <= PIECE) return bytes;
    const size = length - from < PIECE ? length - from : PIECE;
    return new Uint8Array(TypedArrayPrototypeGetBuffer(bytes), TypedArrayPrototypeGetByteOffset(bytes) + from, size);
  };

  /** What `list` has at `index`, which is then forgotten. */
  function take(list, index) {
    const item = list[index];
    list[index] = undefined;
    return item;
  }

  function requireBytes(chunk) {
    if (!isUint8Array(chunk)) throw new TypeError("HTMLRewriter: a stream may hold nothing but Uint8Arrays");
    return chunk;
  }

  /** One response on its way: it is read, parsed and given on as its reader asks for it. */
  class Page {
    #id;
    #registrations;
    #reader;
    /** Handlers of end tags. */
    #endTags = newList();
    /** Readers of the streams to be inserted. */
    #contents = newList();
    /** The one that is being inserted. */
    #content = undefined;
    /** The chunk under way, and how much of it was written. */
    #chunk = undefined;
    #written = 0;
    /** Asks for the next chunk. */
    #next = undefined;
    /** The token whose handler's turn it is. */
    #token = undefined;
    /** The pull under way, whether it has given something, and what the next one does. */
    #pulled = undefined;
    #gave = false;
    #step = () => this.#read();
    #controller = undefined;
    #isRead = false;
    #isOver = false;

    constructor(registrations, contentType, stream) {
      const flat = newList();
      for (let i = 0; i < registrations.length; i++) {
        push(flat, registrations[i].selector);
        push(flat, registrations[i].bits);
      }
      this.#registrations = registrations;
      this.#id = ops.rewriter_open(flat, contentType, this);
      this.#reader = new Reader(stream);
    }

    get id() {
      return this.#id;
    }

    pull(controller) {
      this.#controller = controller;
      this.#pulled = newPromise();
      this.#gave = false;
      const step = this.#step;
      step();
      return this.#pulled.promise;
    }

    cancel(reason) {
      this.#close(reason);
      return this.#reader.stream.cancel(reason);
    }

    /** The number of a handler for an end tag. */
    addEndTag(handler) {
      push(this.#endTags, { __proto__: null, handler, self: undefined });
      return this.#endTags.length - 1;
    }

    /** The number of a stream to be inserted. */
    addContent(stream) {
      if (stream.disturbed) throw new TypeError("HTMLRewriter: the stream was already read");
      push(this.#contents, new Reader(stream));
      return this.#contents.length - 1;
    }

    #read() {
      this.#reader.readOn({
        chunk: (chunk, next) => {
          this.#next = next;
          this.#run(() => {
            this.#chunk = requireBytes(chunk);
            this.#written = 0;
            return this.#write();
          });
        },
        close: () => {
          this.#isRead = true;
          this.#run(() => ops.rewriter_end(this.#id));
        },
        error: (error) => this.#fail(error),
      });
    }

    #write() {
      const bytes = piece(this.#chunk, this.#written);
      this.#written += getByteLength(bytes);
      return ops.rewriter_write(this.#id, bytes);
    }

    /** Works from the event that `begin` gives until there is something to wait for. */
    #run(begin) {
      if (this.#isOver) return;
      try {
        for (let event = begin(); ; ) {
          const kind = event & KIND;
          if (kind === DONE || kind >= CONTENT || (event & FULL) !== 0) this.#take();
          if (kind === DONE) {
            if (this.#isRead) {
              this.#finish();
              return;
            }
            if (this.#written >= getByteLength(this.#chunk)) {
              this.#pause(this.#next);
              return;
            }
            event = this.#write();
          } else if (kind === CONTENT) {
            this.#insert(event >>> NUMBER);
            return;
          } else if (kind === OUTPUT) {
            this.#pause(() => this.#goOn());
            return;
          } else {
            const result = this.#handle(kind, event >>> NUMBER);
            if (isObject(result)) {
              this.#take();
              uponPromise(PromiseResolve(result), () => this.#goOn(), (error) => this.#fail(error));
              return;
            }
            this.#release();
            event = ops.rewriter_go_on(this.#id);
          }
        }
      } catch (error) {
        this.#fail(error);
      }
    }

    #goOn() {
      this.#release();
      this.#run(() => ops.rewriter_go_on(this.#id));
    }

    #handle(kind, number) {
      const { handler, self } = kind === END_TAG ? take(this.#endTags, number) : this.#registrations[number].handlers[kind];
      this.#token = createToken(kind, this);
      return ReflectApply(handler, self, [this.#token]);
    }

    #release() {
      if (this.#token !== undefined) endToken(this.#token);
      this.#token = undefined;
    }

    /** Inserts the content of a stream where the page stands. */
    #insert(number) {
      this.#content = take(this.#contents, number);
      this.#content.readOn({
        chunk: (chunk, next) => {
          if (this.#isOver) return;
          try {
            const length = getByteLength(requireBytes(chunk));
            for (let at = 0; at < length; at += PIECE) {
              ops.rewriter_insert(this.#id, piece(chunk, at));
              this.#take();
            }
            this.#pause(next);
          } catch (error) {
            this.#fail(error);
          }
        },
        close: () => {
          this.#content = undefined;
          this.#goOn();
        },
        error: (error) => this.#fail(error),
      });
    }

    /** Gives on what has come out. */
    #take() {
      const output = ops.rewriter_output(this.#id);
      if (output === undefined || this.#isOver) return;
      this.#gave = true;
      this.#controller.enqueueOwn(output);
    }

    /** Goes on with `step`: in the next pull, if this one has given something. */
    #pause(step) {
      if (this.#gave) {
        this.#step = step;
        this.#pulled.resolve();
      } else {
        step();
      }
    }

    #finish() {
      this.#close(undefined);
      this.#controller.end();
      this.#pulled.resolve();
    }

    #fail(error) {
      if (this.#isOver) return;
      this.#close(error);
      uponPromise(this.#reader.stream.cancel(error), undefined, nothing);
      this.#pulled.reject(error);
    }

    #close(reason) {
      this.#isOver = true;
      this.#release();
      ops.rewriter_close(this.#id);
      push(this.#contents, this.#content);
      for (let i = 0; i < this.#contents.length; i++) {
        const content = this.#contents[i];
        if (content !== undefined) uponPromise(content.stream.cancel(reason), undefined, nothing);
      }
    }
  }

  // Tokens.

  const internal = { __proto__: null };
  let pageOf;
  let endToken;

  class Token {
    #page;

    constructor(key, page) {
      if (key !== internal) throw new TypeError("Illegal constructor");
      this.#page = page;
    }

    static {
      pageOf = (token) => {
        if (token.#page === undefined) {
          throw new TypeError("HTMLRewriter: a token is only there until its handler ends, or the promise that gave");
        }
        return token.#page;
      };
      endToken = (token) => {
        token.#page = undefined;
      };
    }
  }

  const idOf = (token) => pageOf(token).id;
  const get = (token, property) => ops.token_get(idOf(token), property);
  const set = (token, property, value) => ops.token_set(idOf(token), property, USVString(value));

  function insert(token, place, content, options) {
    const page = pageOf(token);
    const isHtml = Boolean(dictionary(options, "HTMLRewriter: the options of content")?.html);
    let inserted;
    if (isStream(content)) {
      inserted = page.addContent(unwrap(content));
    } else if (fetches.isResponse(content)) {
      const body = fetches.bodyOf(content);
      if (body === null) return token;
      inserted = page.addContent(body.stream);
    } else {
      inserted = USVString(content);
    }
    ops.token_insert(idOf(token), place, inserted, isHtml);
    return token;
  }

  function remove(token, keepContent) {
    ops.token_remove(idOf(token), keepContent);
    return token;
  }

  /** What tokens of several kinds have. */
  const members = {
    get removed() {
      return get(this, "removed");
    },

    before(content, options = undefined) {
      requireArguments(arguments.length, 1, "before");
      return insert(this, "before", content, options);
    },

    after(content, options = undefined) {
      requireArguments(arguments.length, 1, "after");
      return insert(this, "after", content, options);
    },

    replace(content, options = undefined) {
      requireArguments(arguments.length, 1, "replace");
      return insert(this, "replace", content, options);
    },

    remove() {
      return remove(this, false);
    },
  };

  function mixin(Class, names) {
    for (let i = 0; i < names.length; i++) {
      const descriptor = ReflectGetOwnPropertyDescriptor(members, names[i]);
      // An app may have given all objects a `value`.
      ObjectDefineProperty(Class.prototype, names[i], ObjectSetPrototypeOf(descriptor, null));
    }
  }

  class Element extends Token {
    get tagName() {
      return get(this, "tagName");
    }

    set tagName(name) {
      set(this, "tagName", name);
    }

    /** An iterator over `[name, value]` of those there are now. */
    get attributes() {
      const flat = ops.token_attributes(idOf(this));
      const pairs = newList();
      for (let i = 0; i < flat.length; i += 2) push(pairs, [flat[i], flat[i + 1]]);
      return ArrayPrototypeSymbolIterator(pairs);
    }

    get namespaceURI() {
      return get(this, "namespaceURI");
    }

    getAttribute(name) {
      requireArguments(arguments.length, 1, "getAttribute");
      return ops.token_attribute(idOf(this), USVString(name));
    }

    hasAttribute(name) {
      requireArguments(arguments.length, 1, "hasAttribute");
      return ops.token_has_attribute(idOf(this), USVString(name));
    }

    setAttribute(name, value) {
      requireArguments(arguments.length, 2, "setAttribute");
      ops.token_set_attribute(idOf(this), USVString(name), USVString(value));
      return this;
    }

    removeAttribute(name) {
      requireArguments(arguments.length, 1, "removeAttribute");
      ops.token_remove_attribute(idOf(this), USVString(name));
      return this;
    }

    prepend(content, options = undefined) {
      requireArguments(arguments.length, 1, "prepend");
      return insert(this, "prepend", content, options);
    }

    append(content, options = undefined) {
      requireArguments(arguments.length, 1, "append");
      return insert(this, "append", content, options);
    }

    setInnerContent(content, options = undefined) {
      requireArguments(arguments.length, 1, "setInnerContent");
      return insert(this, "inner", content, options);
    }

    removeAndKeepContent() {
      return remove(this, true);
    }

    onEndTag(handler) {
      requireArguments(arguments.length, 1, "onEndTag");
      callback(handler, "onEndTag's handler");
      const page = pageOf(this);
      ops.token_on_end_tag(page.id, page.addEndTag(handler));
    }
  }

  class EndTag extends Token {
    get name() {
      return get(this, "tagName");
    }

    set name(name) {
      set(this, "tagName", name);
    }
  }

  class Comment extends Token {
    get text() {
      return get(this, "text");
    }

    set text(text) {
      set(this, "text", text);
    }
  }

  class Text extends Token {
    get text() {
      return get(this, "text");
    }

    get lastInTextNode() {
      return get(this, "lastInTextNode");
    }
  }

  class Doctype extends Token {
    get name() {
      return get(this, "name");
    }

    get publicId() {
      return get(this, "publicId");
    }

    get systemId() {
      return get(this, "systemId");
    }
  }

  class DocumentEnd extends Token {
    /** Text alone: the page is over, and nothing stands still for a stream. */
    append(content, options = undefined) {
      requireArguments(arguments.length, 1, "append");
      return insert(this, "append", isStream(content) || fetches.isResponse(content) ? fail() : content, options);
    }
  }

  function fail() {
    throw new TypeError("HTMLRewriter: nothing but text can be appended to a document");
  }

  mixin(EndTag, ["before", "after", "remove"]);
  mixin(Element, ["removed", "before", "after", "replace", "remove"]);
  mixin(Comment, ["removed", "before", "after", "replace", "remove"]);
  mixin(Text, ["removed", "before", "after", "replace", "remove"]);

  /** By kind. */
  const TOKENS = [undefined, Element, Comment, Text, Doctype, DocumentEnd, EndTag];
  for (let i = 1; i < TOKENS.length; i++) defineInterface(TOKENS[i]);

  const createToken = (kind, page) => new TOKENS[kind](internal, page);

  // The rewriter.

  /** What `on` and `onDocument` are given: `{ selector, bits, handlers }`, the handlers by kind. */
  function register(selector, value, members, what) {
    const given = dictionary(value, `${what}'s handlers`);
    const handlers = { __proto__: null };
    let bits = 0;
    for (let i = 0; given !== undefined && i < members.length; i++) {
      const { 0: name, 1: kind } = members[i];
      const handler = given[name];
      if (handler === undefined) continue;
      handlers[kind] = { __proto__: null, handler: callback(handler, `${what}: ${name}`), self: given };
      bits |= 1 << (kind - 1);
    }
    return { __proto__: null, selector, bits, handlers };
  }

  class HTMLRewriter {
    #registrations = newList();

    on(selector, handlers) {
      requireArguments(arguments.length, 2, "HTMLRewriter.on");
      const text = USVString(selector);
      ops.rewriter_selector(text);
      push(this.#registrations, register(text, handlers, ELEMENT_HANDLERS, "HTMLRewriter.on"));
      return this;
    }

    onDocument(handlers) {
      requireArguments(arguments.length, 1, "HTMLRewriter.onDocument");
      push(this.#registrations, register(null, handlers, DOCUMENT_HANDLERS, "HTMLRewriter.onDocument"));
      return this;
    }

    transform(response) {
      requireArguments(arguments.length, 1, "HTMLRewriter.transform");
      const registrations = this.#registrations;
      if (!fetches.isResponse(response)) throw new TypeError("HTMLRewriter.transform: not a Response");
      if (fetches.isError(response)) throw new TypeError("HTMLRewriter.transform: an error response has no page");
      const body = fetches.bodyOf(response);
      if (body === null) return response;
      if (body.unusable) throw new TypeError("HTMLRewriter.transform: the body was already read, or is locked to a reader");
      const page = new Page(registrations, fetches.contentTypeOf(response), body.stream);
      const stream = createBytes((controller) => page.pull(controller), (reason) => page.cancel(reason));
      return fetches.withStream(response, stream);
    }
  }

  defineInterface(HTMLRewriter);
  nano.expose("HTMLRewriter", HTMLRewriter);
});
