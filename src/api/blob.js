"use strict";
// Blob and File: File API §3 and §4. The bytes of a blob never change, so that slices and blobs of blobs share them.

(function (nano) {
  const { encoding, streams } = nano;
  const {
    BigInt, BigIntAsIntN, DateNow, MathFloor, MathMax, MathMin, MathTrunc, Number, NumberIsFinite, NumberIsSafeInteger,
    NumberMAX_SAFE_INTEGER, PromiseReject, RegExpPrototypeExec, StringPrototypeIncludes, StringPrototypeReplaceAll,
    StringPrototypeToLowerCase, TypeError, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteOffset,
    TypedArrayPrototypeSet, Uint8Array, isObject, newList, promiseCall, push,
  } = nano.primordials;
  const {
    DOMString, USVString, defineInterface, dictionary, enumeration, getByteLength, heldBytes, isBufferSource,
    requireArguments, sequence,
  } = nano.webidl;
  const { decode, encode } = encoding;

  /** Bytes of a chunk of a stream. */
  const CHUNK = 64 * 1024;
  /** Up to here, bytes are kept in one piece. */
  const SMALL = 4 * 1024;

  /** A range of `bytes`, over the same memory. (`subarray` would ask an app for the constructor.) */
  const view = (bytes, start, end) =>
    new Uint8Array(TypedArrayPrototypeGetBuffer(bytes), TypedArrayPrototypeGetByteOffset(bytes) + start, end - start);

  /** Bytes that never change: a list of Uint8Arrays that no app ever holds. */
  class Pieces {
    list;
    size = 0;

    constructor(list) {
      for (let i = 0; i < list.length; i++) this.size += getByteLength(list[i]);
      this.list = list;
      if (list.length < 2 || this.size > SMALL) return;
      const whole = this.copy();
      this.list = newList();
      push(this.list, whole);
    }

    slice(start, end) {
      const list = newList();
      for (let i = 0, at = 0; i < this.list.length && at < end; i++) {
        const piece = this.list[i];
        const length = getByteLength(piece);
        const from = MathMax(start - at, 0);
        const to = MathMin(end - at, length);
        if (from < to) push(list, from === 0 && to === length ? piece : view(piece, from, to));
        at += length;
      }
      return new Pieces(list);
    }

    /** All of it, as a Uint8Array that is the caller's. */
    copy() {
      const whole = new Uint8Array(this.size);
      for (let i = 0, at = 0; i < this.list.length; i++) {
        TypedArrayPrototypeSet(whole, this.list[i], at);
        at += getByteLength(this.list[i]);
      }
      return whole;
    }

    /** All of it, to be read and forgotten. */
    peek() {
      return this.list.length === 1 ? this.list[0] : this.copy();
    }

    /** §3 "get stream": chunks are copied as they are asked for. */
    stream() {
      const { list } = this;
      let left = this.size;
      if (left === 0) return streams.createFull(undefined);
      let index = 0;
      let offset = 0;
      const pull = (controller) => {
        const chunk = new Uint8Array(MathMin(left, CHUNK));
        const length = getByteLength(chunk);
        for (let at = 0; at < length; ) {
          const piece = list[index];
          const taken = MathMin(getByteLength(piece) - offset, length - at);
          TypedArrayPrototypeSet(chunk, view(piece, offset, offset + taken), at);
          at += taken;
          offset += taken;
          if (offset < getByteLength(piece)) continue;
          index++;
          offset = 0;
        }
        left -= length;
        controller.enqueueOwn(chunk);
        if (left === 0) controller.end();
      };
      const stream = streams.createBytes(pull, () => undefined);
      stream.length = this.size;
      return stream;
    }
  }

  const piecesFrom = (bytes) => {
    const list = newList();
    if (getByteLength(bytes) !== 0) push(list, bytes);
    return new Pieces(list);
  };

  /** §3 "convert line endings to native". */
  function toNativeLineEndings(text) {
    if (!StringPrototypeIncludes(text, "\r")) return text;
    return StringPrototypeReplaceAll(StringPrototypeReplaceAll(text, "\r\n", "\n"), "\r", "\n");
  }

  // Web IDL §3.2.24: a BlobPart is a BufferSource, a Blob, or anything else as a USVString.
  const blobPart = (value) => (isBlob(value) || isBufferSource(value) ? value : USVString(value));

  /** §3 "process blob parts". Texts that follow each other are encoded together. */
  function process(parts, native) {
    const list = newList();
    let text = "";
    const flush = () => {
      if (text !== "") push(list, encode(text));
      text = "";
    };
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i];
      if (typeof part === "string") {
        text += native ? toNativeLineEndings(part) : part;
        continue;
      }
      flush();
      if (isBlob(part)) {
        const shared = piecesOf(part).list;
        for (let j = 0; j < shared.length; j++) push(list, shared[j]);
      } else {
        const bytes = heldBytes(part);
        if (getByteLength(bytes) !== 0) push(list, new Uint8Array(bytes));
      }
    }
    flush();
    return new Pieces(list);
  }

  const printable = /^[\x20-\x7e]*$/;
  const toType = (text) => (RegExpPrototypeExec(printable, text) === null ? "" : StringPrototypeToLowerCase(text));

  /** The members of BlobPropertyBag, in their order. */
  function readOptions(options, what) {
    const members = dictionary(options, what);
    if (members === undefined) return { members, native: false, type: "" };
    const { endings } = members;
    const native = endings !== undefined && enumeration(endings, ["transparent", "native"], "endings") === "native";
    const { type } = members;
    return { members, native, type: type === undefined ? "" : toType(DOMString(type)) };
  }

  /** Web IDL §3.2.4.9 ConvertToInt with [Clamp], for `long long`. */
  function clamp(value) {
    const number = MathMin(MathMax(+value, -NumberMAX_SAFE_INTEGER), NumberMAX_SAFE_INTEGER);
    if (number !== number) return 0;
    const floor = MathFloor(number);
    const rest = number - floor;
    // Halves go to the even neighbour.
    return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
  }

  /** Web IDL §3.2.4.9 ConvertToInt in the default mode, for `long long`. */
  function longLong(value) {
    const number = MathTrunc(+value);
    if (NumberIsSafeInteger(number)) return number + 0;
    return NumberIsFinite(number) ? Number(BigIntAsIntN(64, BigInt(number))) : 0;
  }

  const internal = { __proto__: null };
  const illegal = () => PromiseReject(new TypeError("Illegal invocation"));

  let isBlob;
  let piecesOf;
  let typeOf;

  class Blob {
    #pieces;
    #type;

    constructor(blobParts = undefined, options = undefined) {
      if (blobParts === internal) {
        this.#pieces = options.pieces;
        this.#type = options.type;
        return;
      }
      const parts = blobParts === undefined ? newList() : sequence(blobParts, blobPart, "Blob's parts");
      const { native, type } = readOptions(options, "Blob's options");
      this.#pieces = process(parts, native);
      this.#type = type;
    }

    get size() {
      return this.#pieces.size;
    }

    get type() {
      return this.#type;
    }

    slice(start = undefined, end = undefined, contentType = undefined) {
      const pieces = this.#pieces;
      const { size } = pieces;
      const relative = (position) => (position < 0 ? MathMax(size + position, 0) : MathMin(position, size));
      const from = start === undefined ? 0 : relative(clamp(start));
      const to = end === undefined ? size : relative(clamp(end));
      const type = contentType === undefined ? "" : toType(DOMString(contentType));
      return createBlob(pieces.slice(from, to), type);
    }

    stream() {
      return streams.wrap(this.#pieces.stream());
    }

    textStream() {
      return nano.decodeStream(this.#pieces.stream());
    }

    text() {
      if (!isBlob(this)) return illegal();
      return promiseCall(() => decode(this.#pieces.peek()), undefined, []);
    }

    arrayBuffer() {
      if (!isBlob(this)) return illegal();
      return promiseCall(() => TypedArrayPrototypeGetBuffer(this.#pieces.copy()), undefined, []);
    }

    bytes() {
      if (!isBlob(this)) return illegal();
      return promiseCall(() => this.#pieces.copy(), undefined, []);
    }

    static {
      isBlob = (value) => isObject(value) && #pieces in value;
      piecesOf = (blob) => blob.#pieces;
      typeOf = (blob) => blob.#type;
    }
  }

  let isFile;
  let nameOf;
  let lastModifiedOf;

  class File extends Blob {
    #name;
    #lastModified;

    constructor(fileBits, fileName, options = undefined) {
      if (fileBits === internal) {
        super(internal, fileName);
        this.#name = fileName.name;
        this.#lastModified = fileName.lastModified;
        return;
      }
      requireArguments(arguments.length, 2, "new File");
      const parts = sequence(fileBits, blobPart, "File's bits");
      const name = USVString(fileName);
      const { members, native, type } = readOptions(options, "File's options");
      const lastModified = members === undefined ? undefined : members.lastModified;
      const time = lastModified === undefined ? DateNow() : longLong(lastModified);
      super(internal, { pieces: process(parts, native), type });
      this.#name = name;
      this.#lastModified = time;
    }

    get name() {
      return this.#name;
    }

    get lastModified() {
      return this.#lastModified;
    }

    static {
      isFile = (value) => isObject(value) && #name in value;
      nameOf = (file) => file.#name;
      lastModifiedOf = (file) => file.#lastModified;
    }
  }

  const createBlob = (pieces, type) => new Blob(internal, { pieces, type });
  const createFile = (pieces, type, name, lastModified) => new File(internal, { pieces, type, name, lastModified });

  // §3 and §4, "serialization steps". A file is a blob too.
  nano.serializable(isFile, (file) => createFile(piecesOf(file), typeOf(file), nameOf(file), lastModifiedOf(file)));
  nano.serializable(isBlob, (blob) => createBlob(piecesOf(blob), typeOf(blob)));

  nano.blobs = {
    __proto__: null,
    Pieces, piecesFrom, isBlob, isFile, piecesOf, typeOf, nameOf, lastModifiedOf, createBlob, createFile,
  };
  nano.expose("Blob", defineInterface(Blob));
  nano.expose("File", defineInterface(File));
});
