"use strict";
// Forms as bytes: HTML §4.10.21.7 "multipart/form-data encoding algorithm", and the way back for Fetch's formData().

(function (nano) {
  const { ops, blobs, encoding, forms } = nano;
  const { StringPrototypeIncludes, StringPrototypeReplaceAll, TypeError, newList, push } = nano.primordials;
  const { Pieces, createFile, nameOf, piecesFrom, piecesOf, typeOf } = blobs;
  const { encode } = encoding;

  /** Entries a form may have that somebody sends. */
  const ENTRIES = 10_000;

  const replaced = (text, from, to) =>
    StringPrototypeIncludes(text, from) ? StringPrototypeReplaceAll(text, from, to) : text;

  /** Every line break as CRLF. */
  const normalized = (text) => replaced(replaced(replaced(text, "\r\n", "\n"), "\r", "\n"), "\n", "\r\n");
  const escaped = (text) => replaced(replaced(replaced(text, "\n", "%0A"), "\r", "%0D"), '"', "%22");

  /** `{ pieces, type }` of a FormData: its files' bytes are shared, not copied. */
  forms.encode = (form) => {
    const entries = forms.entriesOf(form);
    // In lower case, for a Blob's type is.
    const boundary = `----formdata-${ops.random_uuid()}`;
    const list = newList();
    let text = "";
    for (let i = 0; i < entries.length; i += 2) {
      const value = entries[i + 1];
      text += `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(normalized(entries[i]))}"`;
      if (typeof value === "string") {
        text += `\r\n\r\n${normalized(value)}\r\n`;
        continue;
      }
      const type = typeOf(value);
      text += `; filename="${escaped(nameOf(value))}"\r\n`;
      text += `Content-Type: ${type === "" ? "application/octet-stream" : type}\r\n\r\n`;
      push(list, encode(text));
      const shared = piecesOf(value).list;
      for (let j = 0; j < shared.length; j++) push(list, shared[j]);
      text = "\r\n";
    }
    push(list, encode(`${text}--${boundary}--\r\n`));
    return { pieces: new Pieces(list), type: `multipart/form-data; boundary=${boundary}` };
  };

  /** The MIME type a Content-Type says, serialized; "" for none. */
  forms.typeOf = (contentType) => {
    const mime = contentType === null ? undefined : ops.mime_extract(contentType);
    return mime === undefined ? "" : mime[1];
  };

  /** Fetch §5.2 "formData()", of bytes that are ours. */
  forms.decode = (bytes, contentType) => {
    const mime = contentType === null ? undefined : ops.mime_extract(contentType);
    switch (mime === undefined ? "" : mime[0]) {
      case "multipart/form-data":
        return forms.create(fromMultipart(bytes, mime[2] ?? ""));
      case "application/x-www-form-urlencoded":
        return forms.create(fromUrlencoded(bytes));
      default:
        throw new TypeError(
          "formData: the Content-Type is neither multipart/form-data nor application/x-www-form-urlencoded",
        );
    }
  };

  // Files are ranges of the body: it lives, and is charged to the app, for as long as one of them does.
  function fromMultipart(bytes, boundary) {
    const parts = ops.multipart_parse(bytes, boundary);
    const whole = piecesFrom(bytes);
    const entries = newList();
    for (let i = 0; i < parts.length; i += 5) {
      push(entries, parts[i]);
      const text = parts[i + 1];
      const name = parts[i + 2];
      push(entries, name === undefined ? text : createFile(whole.slice(parts[i + 3], parts[i + 4]), text, name, 0));
    }
    return entries;
  }

  function fromUrlencoded(bytes) {
    const parsed = ops.form_parse(bytes, ENTRIES * 2);
    const entries = newList();
    for (let i = 0; i < parsed.length; i++) push(entries, parsed[i]);
    return entries;
  }
});
