"use strict";
// DOMException: Web IDL §2.8.1 (names and codes) and §4.4 (the interface).

(function (nano) {
  const { Error, ErrorPrototype, ObjectDefineProperty, ObjectSetPrototypeOf, ReflectConstruct } = nano.primordials;
  const { DOMString, defineConstants, defineInterface } = nano.webidl;

  /** The names with a code of their own, in order: the first has code 1. Null where a name was retired. */
  const legacy = [
    ["INDEX_SIZE_ERR", "IndexSizeError"],
    ["DOMSTRING_SIZE_ERR", null],
    ["HIERARCHY_REQUEST_ERR", "HierarchyRequestError"],
    ["WRONG_DOCUMENT_ERR", "WrongDocumentError"],
    ["INVALID_CHARACTER_ERR", "InvalidCharacterError"],
    ["NO_DATA_ALLOWED_ERR", null],
    ["NO_MODIFICATION_ALLOWED_ERR", "NoModificationAllowedError"],
    ["NOT_FOUND_ERR", "NotFoundError"],
    ["NOT_SUPPORTED_ERR", "NotSupportedError"],
    ["INUSE_ATTRIBUTE_ERR", "InUseAttributeError"],
    ["INVALID_STATE_ERR", "InvalidStateError"],
    ["SYNTAX_ERR", "SyntaxError"],
    ["INVALID_MODIFICATION_ERR", "InvalidModificationError"],
    ["NAMESPACE_ERR", "NamespaceError"],
    ["INVALID_ACCESS_ERR", "InvalidAccessError"],
    ["VALIDATION_ERR", null],
    ["TYPE_MISMATCH_ERR", "TypeMismatchError"],
    ["SECURITY_ERR", "SecurityError"],
    ["NETWORK_ERR", "NetworkError"],
    ["ABORT_ERR", "AbortError"],
    ["URL_MISMATCH_ERR", "URLMismatchError"],
    ["QUOTA_EXCEEDED_ERR", "QuotaExceededError"],
    ["TIMEOUT_ERR", "TimeoutError"],
    ["INVALID_NODE_TYPE_ERR", "InvalidNodeTypeError"],
    ["DATA_CLONE_ERR", "DataCloneError"],
  ];

  const constants = { __proto__: null };
  const codes = { __proto__: null };
  for (let i = 0; i < legacy.length; i++) {
    constants[legacy[i][0]] = i + 1;
    if (legacy[i][1] !== null) codes[legacy[i][1]] = i + 1;
  }

  /** Gives a DOMException's fields to an error V8 made, so that it is one to `Error.isError` too. */
  class Slots extends function (object) {
    return object;
  } {
    /** One field for both: the object is a dictionary to V8, to which each costs as much as a call. */
    #slots;

    constructor(object, name, message) {
      super(object);
      this.#slots = { name, message };
    }

    static nameOf(object) {
      return object.#slots.name;
    }

    static messageOf(object) {
      return object.#slots.message;
    }

    static areIn(value) {
      return typeof value === "object" && value !== null && #slots in value;
    }
  }
  const { nameOf, messageOf, areIn: isDOMException } = Slots;

  class DOMException {
    constructor(message = "", name = "Error") {
      const text = DOMString(message);
      // The stack begins below `new.target`, and is captured once; its first line has the name of when it is first read,
      // and the message given here, which V8 keeps for that.
      const error = ReflectConstruct(Error, [text], new.target);
      delete error.message;
      new Slots(error, DOMString(name), text);
      return error;
    }

    get name() {
      return nameOf(this);
    }

    get message() {
      return messageOf(this);
    }

    get code() {
      return codes[nameOf(this)] ?? 0;
    }
  }

  ObjectSetPrototypeOf(DOMException.prototype, ErrorPrototype);
  defineInterface(DOMException);
  defineConstants(DOMException, constants);
  ObjectDefineProperty(DOMException, "length", { __proto__: null, value: 0, configurable: true });

  nano.DOMException = DOMException;
  nano.isDOMException = isDOMException;
  nano.domException = {
    __proto__: null, is: isDOMException, messageOf, copy: (error) => new DOMException(messageOf(error), nameOf(error)),
  };
  nano.expose("DOMException", DOMException);
});
