"use strict";
// FormData: XMLHttpRequest Standard §4, with the entries of HTML §4.10.21.4. The list is flat: names and values in
// turn, each value a string or a File.

(function (nano) {
  const { DateNow, TypeError, arrayFromList, isObject, newList, push } = nano.primordials;
  const { USVString, defineInterface, defineIterable, requireArguments } = nano.webidl;
  const { createFile, isBlob, isFile, lastModifiedOf, piecesOf, typeOf } = nano.blobs;

  let entriesOf;
  let create;

  class FormData {
    #entries = newList();

    constructor(form = undefined, submitter = null) {
      // There are no HTMLFormElements here, and no buttons.
      if (form !== undefined) throw new TypeError("FormData: the form is not an HTMLFormElement");
      if (submitter !== null && submitter !== undefined) {
        throw new TypeError("FormData: the submitter is not an HTMLElement");
      }
    }

    append(name, value, fileName = undefined) {
      const entries = this.#entries;
      requireArguments(arguments.length, 2, "FormData.append");
      const key = USVString(name);
      const entry = toValue(value, fileName, arguments.length > 2);
      push(entries, key);
      push(entries, entry);
    }

    delete(name) {
      const entries = this.#entries;
      requireArguments(arguments.length, 1, "FormData.delete");
      const key = USVString(name);
      let kept = 0;
      for (let i = 0; i < entries.length; i += 2) {
        if (entries[i] === key) continue;
        entries[kept++] = entries[i];
        entries[kept++] = entries[i + 1];
      }
      entries.length = kept;
    }

    get(name) {
      const entries = this.#entries;
      requireArguments(arguments.length, 1, "FormData.get");
      const key = USVString(name);
      for (let i = 0; i < entries.length; i += 2) if (entries[i] === key) return entries[i + 1];
      return null;
    }

    getAll(name) {
      const entries = this.#entries;
      requireArguments(arguments.length, 1, "FormData.getAll");
      const key = USVString(name);
      const values = newList();
      for (let i = 0; i < entries.length; i += 2) if (entries[i] === key) push(values, entries[i + 1]);
      return arrayFromList(values);
    }

    has(name) {
      const entries = this.#entries;
      requireArguments(arguments.length, 1, "FormData.has");
      const key = USVString(name);
      for (let i = 0; i < entries.length; i += 2) if (entries[i] === key) return true;
      return false;
    }

    set(name, value, fileName = undefined) {
      const entries = this.#entries;
      requireArguments(arguments.length, 2, "FormData.set");
      const key = USVString(name);
      const entry = toValue(value, fileName, arguments.length > 2);
      let kept = 0;
      let found = false;
      for (let i = 0; i < entries.length; i += 2) {
        const match = entries[i] === key;
        if (match && found) continue;
        entries[kept++] = entries[i];
        entries[kept++] = match ? entry : entries[i + 1];
        found ||= match;
      }
      entries.length = kept;
      if (found) return;
      push(entries, key);
      push(entries, entry);
    }

    static {
      entriesOf = (form) => form.#entries;
      create = (entries) => {
        const form = new FormData();
        form.#entries = entries;
        return form;
      };
      nano.forms = { __proto__: null, isFormData: (value) => isObject(value) && #entries in value };
    }
  }

  /**
   * The overloads of append and set (Web IDL §3.6: a third argument makes it the one for blobs), and HTML's "create an
   * entry".
   */
  function toValue(value, fileName, isForBlobs) {
    if (!isBlob(value)) {
      if (isForBlobs) throw new TypeError("FormData: a value with a file name must be a Blob");
      return USVString(value);
    }
    const name = fileName === undefined ? undefined : USVString(fileName);
    if (isFile(value)) {
      return name === undefined ? value : createFile(piecesOf(value), typeOf(value), name, lastModifiedOf(value));
    }
    return createFile(piecesOf(value), typeOf(value), name ?? "blob", DateNow());
  }

  defineInterface(FormData);
  defineIterable(FormData, entriesOf);

  nano.forms.entriesOf = entriesOf;
  nano.forms.create = create;
  nano.expose("FormData", FormData);
});
