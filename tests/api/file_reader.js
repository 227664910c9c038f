// File API §6 (FileReader) and §8 (blob URLs).
import { equal, ok, rejects, same, throws } from "./assert.js";

const read = (blob, method, ...more) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader[method](blob, ...more);
  });

export const tests = {
  async "a blob is read in every form"() {
    const blob = new Blob([new Uint8Array([0x61, 0xe4, 0xff])], { type: "text/plain" });
    same([...new Uint8Array(await read(blob, "readAsArrayBuffer"))], [0x61, 0xe4, 0xff]);
    equal(await read(blob, "readAsBinaryString"), "aäÿ");
    equal(await read(blob, "readAsDataURL"), "data:text/plain;base64,YeT/");
    equal(await read(blob, "readAsText"), "a\ufffd\ufffd");
    equal(await read(blob, "readAsText", "latin1"), "aäÿ");
    equal(await read(new Blob([blob], { type: 'text/plain; charset="latin1"' }), "readAsText"), "aäÿ");
    equal(await read(new Blob([new Uint8Array([0xff, 0xfe, 0x61, 0])]), "readAsText", "latin1"), "a");
    equal(await read(new Blob(), "readAsDataURL"), "data:application/octet-stream;base64,");
  },
  async "a read has its events in order, unless it is aborted"() {
    const reader = new FileReader();
    const types = [];
    const done = new Promise((resolve) => {
      for (const type of ["loadstart", "progress", "load", "abort", "error", "loadend"]) {
        reader.addEventListener(type, (event) => {
          ok(event instanceof ProgressEvent);
          types.push(type);
          if (type === "loadend") resolve();
        });
      }
    });
    reader.readAsText(new Blob(["abc"]));
    throws("InvalidStateError", () => reader.readAsText(new Blob()));
    equal(reader.readyState, FileReader.LOADING);
    await done;
    same(types.splice(0), ["loadstart", "progress", "load", "loadend"]);
    reader.readAsText(new Blob(["abc"]));
    reader.abort();
    await new Promise((go) => setTimeout(go, 5));
    same(types, ["abort", "loadend"]);
    same([reader.readyState, reader.result, reader.error], [FileReader.DONE, null, null]);
    throws(TypeError, () => reader.readAsText("text"));
  },
  async "blob URLs can be fetched until they are revoked"() {
    const url = URL.createObjectURL(new Blob(["abc"], { type: "text/x" }));
    ok(url.startsWith("blob:null/"));
    const response = await fetch(`${url}#fragment`);
    same([response.status, response.headers.get("content-type"), response.headers.get("content-length")], [200, "text/x", "3"]);
    equal(await response.text(), "abc");
    await rejects(TypeError, fetch(url, { method: "POST" }));
    await rejects(TypeError, fetch(`${url}?query`));
    const request = new Request(url);
    URL.revokeObjectURL(url);
    await rejects(TypeError, fetch(url));
    equal(await (await fetch(request.clone())).text(), "abc");
    throws(TypeError, () => URL.createObjectURL({}));
  },
};
