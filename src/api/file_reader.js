"use strict";
// FileReader: File API §6. A blob's bytes are at hand, so that what is left of a read are its events, each in a task of its
// own.

(function (nano) {
  const { ops, context, encoding, DOMException, ProgressEvent } = nano;
  const { EventTarget, createTrusted, defineHandler, fire } = nano.events;
  const {
    RegExpPrototypeExec, StringFromCharCode, TypeError, TypedArrayPrototypeGetBuffer, isObject,
  } = nano.primordials;
  const { DOMString, defineConstants, defineInterface, getByteLength, requireArguments } = nano.webidl;
  const { isBlob, piecesOf, typeOf } = nano.blobs;

  const EMPTY = 0;
  const LOADING = 1;
  const DONE = 2;

  const charset = /;[\t\n\r ]*charset=(?:"([^"]*)"|([^;"]*))/i;

  /** §6.5.4 "package data": what a read comes to. */
  const packages = {
    __proto__: null,
    ArrayBuffer: (pieces) => TypedArrayPrototypeGetBuffer(pieces.copy()),
    BinaryString: (pieces) => {
      const bytes = pieces.peek();
      const length = getByteLength(bytes);
      let text = "";
      for (let i = 0; i < length; i++) text += StringFromCharCode(bytes[i]);
      return text;
    },
    DataURL: (pieces, type) => {
      const base64 = ops.base64_encode(packages.BinaryString(pieces));
      return `data:${type === "" ? "application/octet-stream" : type};base64,${base64}`;
    },
    Text: (pieces, type, label) => {
      const match = RegExpPrototypeExec(charset, type);
      return encoding.decodeSniffed(pieces.peek(), label, match === null ? undefined : (match[1] ?? match[2]));
    },
  };

  class FileReader extends EventTarget {
    #state = EMPTY;
    #result = null;
    #error = null;
    /** Which read it is at: what belongs to one that was aborted does not go on. */
    #read = 0;

    readAsArrayBuffer(blob) {
      this.#start(blob, arguments.length, "readAsArrayBuffer", packages.ArrayBuffer);
    }

    readAsBinaryString(blob) {
      this.#start(blob, arguments.length, "readAsBinaryString", packages.BinaryString);
    }

    readAsText(blob, encoding = undefined) {
      const label = encoding === undefined ? undefined : DOMString(encoding);
      this.#start(blob, arguments.length, "readAsText", packages.Text, label);
    }

    readAsDataURL(blob) {
      this.#start(blob, arguments.length, "readAsDataURL", packages.DataURL);
    }

    abort() {
      if (this.#state !== LOADING) {
        this.#result = null;
        return;
      }
      this.#state = DONE;
      this.#result = null;
      this.#read++;
      this.#fire("abort", 0, 0);
      if (this.#state !== LOADING) this.#fire("loadend", 0, 0);
    }

    get readyState() {
      return this.#state;
    }

    get result() {
      return this.#result;
    }

    get error() {
      return this.#error;
    }

    /** "Read operation". */
    #start(blob, given, name, pack, label = undefined) {
      requireArguments(given, 1, `FileReader.${name}`);
      if (!isBlob(blob)) throw new TypeError(`FileReader.${name}: the argument is not a Blob`);
      if (this.#state === LOADING) throw new DOMException("the reader is reading already", "InvalidStateError");
      this.#state = LOADING;
      this.#result = this.#error = null;
      const read = ++this.#read;
      const pieces = piecesOf(blob);
      const type = typeOf(blob);
      const { size } = pieces;
      const steps = [
        () => this.#fire("loadstart", 0, size),
        () => size !== 0 && this.#fire("progress", size, size),
        () => {
          this.#state = DONE;
          try {
            this.#result = pack(pieces, type, label);
          } catch {
            // There is no room for it.
            this.#error = new DOMException("the blob is too large to be read", "NotReadableError");
          }
          this.#fire(this.#error === null ? "load" : "error", size, size);
        },
        () => this.#state !== LOADING && this.#fire("loadend", size, size),
      ];
      const token = context.current();
      let at = 0;
      const next = () =>
        nano.messages.queueTask(token, () => {
          if (this.#read !== read) return;
          const step = steps[at++];
          if (at < steps.length) next();
          step();
        });
      next();
    }

    #fire(type, loaded, total) {
      const init = { __proto__: null, lengthComputable: true, loaded, total };
      fire(this, createTrusted(ProgressEvent, type, init));
    }

    static {
      const brand = (value) => {
        if (!isObject(value) || !(#read in value)) throw new TypeError("Illegal invocation");
        return value;
      };
      const types = ["loadstart", "progress", "load", "abort", "error", "loadend"];
      for (let i = 0; i < types.length; i++) defineHandler(FileReader.prototype, types[i], brand);
    }
  }
  const exposed = defineInterface(FileReader);
  defineConstants(exposed, { __proto__: null, EMPTY, LOADING, DONE });

  nano.expose("FileReader", exposed);
});
