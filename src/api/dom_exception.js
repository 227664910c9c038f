"use strict";
// DOMException: Web IDL §2.8.1 (names and codes) and §4.4 (the interface).

(function (nano) {
  const { ErrorCaptureStackTrace, ErrorPrototype, ObjectDefineProperty, ObjectSetPrototypeOf } = nano.primordials;
  const { DOMString, defineConstants, defineInterface, dictionary } = nano.webidl;

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

  class DOMException {
    #name;
    #message;

    constructor(message = "", options = "Error") {
      this.#message = DOMString(message);
      if (typeof options === "object" && options !== null) {
        // HTML's proposal, met in the wild: { name, cause }.
        const { cause, name = "Error" } = dictionary(options);
        this.#name = DOMString(name);
        if ("cause" in options) {
          ObjectDefineProperty(this, "cause", { __proto__: null, value: cause, writable: true, configurable: true });
        }
      } else {
        this.#name = DOMString(options);
      }
      ErrorCaptureStackTrace(this, DOMException);
    }

    get name() {
      return this.#name;
    }

    get message() {
      return this.#message;
    }

    get code() {
      return codes[this.#name] ?? 0;
    }

    static is(value) {
      return typeof value === "object" && value !== null && #name in value;
    }
  }
  const isDOMException = DOMException.is;
  delete DOMException.is;

  ObjectSetPrototypeOf(DOMException.prototype, ErrorPrototype);
  defineInterface(DOMException);
  defineConstants(DOMException, constants);
  ObjectDefineProperty(DOMException, "length", { __proto__: null, value: 0, configurable: true });

  nano.DOMException = DOMException;
  nano.isDOMException = isDOMException;
  nano.expose("DOMException", DOMException);
});
