// XMLHttpRequest Standard §4: FormData. Fetch §5.2: forms as bodies, and bodies as forms.
import { equal, ok, rejects, same, throws } from "./assert.js";

const form = (...entries) => {
  const data = new FormData();
  for (const entry of entries) data.append(...entry);
  return data;
};
const file = (name, text = "", options = undefined) => new File([text], name, options);

/** The bytes a form is sent as, with "B" for the boundary. */
async function sent(data) {
  const response = new Response(data);
  const [, boundary] = /^multipart\/form-data; boundary=([0-9a-z-]{27,70})$/.exec(response.headers.get("content-type"));
  return (await response.text()).replaceAll(boundary, "B");
}

const parse = (body, type = "multipart/form-data; boundary=B") =>
  new Response(body, { headers: { "content-type": type } }).formData();

/** One part with these headers, and what it becomes. */
const part = async (headers, body = "v") => [...(await parse(`--B\r\n${headers}\r\n\r\n${body}\r\n--B--\r\n`))][0];
const NAMED = 'Content-Disposition: form-data; name="a"';
const FILE = `${NAMED}; filename="f"`;

export const tests = {
  "entries are appended, set, deleted and found"() {
    const data = form(["a", "1"], ["b", 2], ["a", null], ["\ud800", undefined]);
    same([...data], [["a", "1"], ["b", "2"], ["a", "null"], ["\ufffd", "undefined"]]);
    same([data.get("a"), data.getAll("a"), data.get("c"), data.getAll("c")], ["1", ["1", "null"], null, []]);
    ok(data.has("b") && !data.has("c"));
    data.set("a", "3");
    data.set("d", "4");
    data.delete("\ud800");
    same([...data.entries()], [["a", "3"], ["b", "2"], ["d", "4"]]);
    same([...data.keys()], ["a", "b", "d"]);
    same([...data.values()], ["3", "2", "4"]);
    const seen = [];
    data.forEach(function (...rest) {
      seen.push(this === 1 || Object(1), ...rest.slice(0, 2), rest[2] === data);
    }, Object(1));
    same(seen.filter((value) => typeof value !== "object"), ["3", "a", true, "2", "b", true, "4", "d", true]);
  },
  "iteration sees what changes meanwhile"() {
    const data = form(["a", "0"], ["b", "1"], ["c", "2"]);
    const keys = [];
    for (const [key] of data) {
      keys.push(key);
      if (key === "a") data.delete("b");
      if (key === "c") data.append("d", "3");
    }
    same(keys, ["a", "c", "d"]);
  },
  "blobs become files"() {
    const named = file("n", "x", { type: "a/b", lastModified: 7 });
    const data = form(["a", new Blob(["x"], { type: "t/t" })], ["b", new Blob(), "c"], ["d", named], ["e", named, "f"]);
    const [a, b, d, e] = data.values();
    same([a.name, a.type, a.size, b.name, b.type], ["blob", "t/t", 1, "c", ""]);
    ok(a instanceof File && data.get("a") === a);
    equal(d, named);
    same([e.name, e.type, e.lastModified, e === named], ["f", "a/b", 7, false]);
    equal(form(["a", new Blob(), undefined]).get("a").name, "blob");
  },
  "arguments are checked"() {
    new FormData(undefined, null);
    for (const input of [null, {}, "a=b"]) throws(TypeError, () => new FormData(input));
    throws(TypeError, () => new FormData(undefined, {}));
    throws(TypeError, () => FormData());
    const data = new FormData();
    for (const name of ["append", "set"]) {
      throws(TypeError, () => data[name]("a"));
      throws(TypeError, () => data[name]("a", "b", "c"));
      throws(TypeError, () => data[name]("a", "b", undefined));
    }
    for (const name of ["delete", "get", "getAll", "has"]) throws(TypeError, () => data[name]());
    for (const name of ["append", "delete", "get", "getAll", "has", "set", "entries", "keys", "values", "forEach"]) {
      throws(TypeError, () => FormData.prototype[name].call(new URLSearchParams(), "a", "b"));
    }
  },
  "the interface looks as it should"() {
    equal(String(new FormData()), "[object FormData]");
    equal(String(new FormData().keys()), "[object FormData Iterator]");
    equal(FormData.prototype[Symbol.iterator], FormData.prototype.entries);
    const names = ["append", "delete", "get", "getAll", "has", "set", "forEach"];
    const lengths = names.map((name) => FormData.prototype[name].length);
    same([FormData.length, ...lengths], [0, 2, 1, 1, 1, 1, 2, 1]);
    ok(Object.getOwnPropertyDescriptor(FormData.prototype, "append").enumerable);
  },

  async "a form goes out as HTML says"() {
    equal(await sent(new FormData()), "--B--\r\n");
    const text = file("b.txt", "text", { type: "text/plain" });
    equal(
      await sent(form(["a", "1"], ["b", text], ["c", new Blob(["x"])], ["a", "2"])),
      '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' +
        '--B\r\nContent-Disposition: form-data; name="b"; filename="b.txt"\r\n' +
        "Content-Type: text/plain\r\n\r\ntext\r\n" +
        '--B\r\nContent-Disposition: form-data; name="c"; filename="blob"\r\n' +
        "Content-Type: application/octet-stream\r\n\r\nx\r\n" +
        '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n2\r\n--B--\r\n',
    );
  },
  async "names, file names and values are escaped, each in its way"() {
    const text = await sent(form(["a\n\r\r\n\"'\\%0A", "\n\r\"\r\nä"], ["ä", file("\n\r\n\r\"'\\.txt")]));
    ok(text.includes(`name="a%0D%0A%0D%0A%0D%0A%22'\\%0A"\r\n\r\n\r\n\r\n"\r\nä\r\n`), text);
    ok(text.includes(`name="ä"; filename="%0A%0D%0A%0D%22'\\.txt"`), text);
  },
  async "a body is the form as it was then, with a boundary of its own"() {
    const data = form(["a", "1"]);
    const [one, two] = [new Response(data), new Response(data)];
    data.append("b", "2");
    ok(one.headers.get("content-type") !== two.headers.get("content-type"));
    same([...(await one.formData()).keys()], ["a"]);
    const request = new Request("http://x/", { method: "POST", body: data });
    same([...(await request.clone().formData()).keys()], ["a", "b"]);
    same([...(await request.formData()).keys()], ["a", "b"]);
    await rejects(TypeError, request.formData());
  },
  async "a large form is streamed"() {
    const large = new Blob([new Uint8Array(3 << 20).fill(7)]);
    const response = new Response(form(["a", large], ["b", "c"]));
    const copy = response.clone();
    const lengths = [];
    for await (const chunk of response.body) lengths.push(chunk.length);
    ok(lengths.length > 40 && Math.max(...lengths) <= 65536);
    const data = await copy.formData();
    same([data.get("a").size, data.get("b")], [3 << 20, "c"]);
    equal((await data.get("a").bytes())[(3 << 20) - 1], 7);
  },
  async "a form read is the form written"() {
    const names = ["", "a", "b;c=d", "e\\", "f\\g", "ä 中 😀", 'h%22"', "_charset_"];
    const type = "text/x;y=z";
    const entries = names.flatMap((name) => [[name, `${name}\r\n--x`], [name, file(name, name, { type })]]);
    const data = await new Response(form(...entries)).formData();
    const read = [...data];
    equal(read.length, entries.length);
    for (let i = 0; i < entries.length; i++) {
      const [name, value] = entries[i];
      equal(read[i][0], name.replaceAll('"', "%22"));
      if (typeof value === "string") {
        equal(read[i][1], value);
      } else {
        const got = read[i][1];
        const expected = [name.replaceAll('"', "%22"), type, 0, name];
        same([got.name, got.type, got.lastModified, await got.text()], expected);
      }
    }
  },
  async "a blob of a form is a form"() {
    const blob = await new Response(form(["a", "b"])).blob();
    equal((await new Response(blob).formData()).get("a"), "b");
  },

  async "parts are read as browsers do"() {
    same(await part(NAMED), ["a", "v"]);
    same(await part(NAMED, ""), ["a", ""]);
    same(await part(NAMED, "x--B"), ["a", "x--B"]);
    same(await part(NAMED, "\ufeffx\r\ny"), ["a", "\ufeffx\r\ny"]);
    same(await part(` CONTENT-disposition \t: form-data; name="a"`), ["a", "v"]);
    same(await part(`${NAMED}\r\nX-Other: x\r\nContent-Transfer-Encoding: base64`, "dg=="), ["a", "dg=="]);
    same(await part('Content-Disposition: form-data; name="a%0A%22%25\u0001"'), ["a%0A%22%25\u0001", "v"]);
    same(await part("Content-Type: text/html\r\n" + NAMED), ["a", "v"]);
    same([...(await parse("--B \t\r\n" + NAMED + "\r\n\r\nv\r\n--B-- \t\r\nepilogue"))], [["a", "v"]]);
    same([...(await parse("--B--"))], []);
  },
  async "a file's type is what its part says"() {
    for (const [header, type] of [
      ["", "text/plain"],
      ["Content-Type: image/png\r\n", "image/png"],
      ["Content-Type: \t TEXT/HTML \t\r\n", "text/html"],
      ["Content-Type: text/html\r\ncontent-type: text/plain\r\n", "text/plain"],
      ["Content-Type: text/html, text/plain\r\n", "text/plain"],
      ['Content-Type: text/html;;x="y"\r\n', "text/html;x=y"],
      ["Content-Type: text\r\n", ""],
      ["Content-Type: text/é\r\n", ""],
      ["Content-Type: text/\u0001plain\r\n", ""],
      ["Content-Type:\r\n", ""],
    ]) {
      const [, value] = await part(header + FILE);
      same([value.name, value.type, await value.text()], ["f", type, "v"], header);
    }
    equal((await part(`${NAMED}; filename=""`))[1].name, "");
    equal((await part(`${NAMED}; filename*=UTF-8''f`))[1], "v");
  },
  async "bytes that are no text are replaced in text and kept in files"() {
    const bytes = new Uint8Array([0, 0x80, 0xff, 0x0d, 0x0a, 0x2d, 0x2d]);
    const body = (head) => new Blob([`--B\r\n${head}\r\n\r\n`, bytes, "\r\n--B--"]);
    same([...(await (await parse(body(FILE))).get("a").bytes())], [...bytes]);
    equal((await parse(body(NAMED))).get("a"), "\0\ufffd\ufffd\r\n--");
  },
  async "malformed forms are TypeErrors"() {
    for (const text of [
      "", "--B", "--B\r\n", "preamble\r\n--B--", "--B--junk",
      `--B\r\n${NAMED}\r\n\r\nv`, `--B\r\n${NAMED}\r\n\r\nv--B--`,
      "--B\r\n\r\nv\r\n--B--", "--B\r\nContent-Type: a/b\r\n\r\nv\r\n--B--", `--B\n${NAMED}\n\nv\n--B--`,
    ]) {
      await rejects(TypeError, parse(text));
    }
    for (const head of [
      "Content-Disposition form-data", `${NAMED}\r\nA b: c`, 'Content-Disposition: form-data;\r\n name="a"',
      'Content-Disposition: form-data; name="a\0"', `${NAMED}\r\nX: \0`, 'Content-Disposition: form-data; name="a\nb"',
      `${FILE}\r\nContent-Type: a\r/b`, 'Content-Disposition: attachment; name="a"', `${NAMED}; name="b"`,
      `${NAMED}\r\nX: ${"x".repeat(17000)}`,
    ]) {
      await rejects(TypeError, part(head));
    }
    const many = (n) => `--B\r\n${NAMED}\r\n\r\n\r\n`.repeat(n) + "--B--";
    equal([...(await parse(many(10_000)))].length, 10_000);
    await rejects(TypeError, parse(many(10_001)));
  },
  async "the boundary is the Content-Type's"() {
    const body = (boundary) => `--${boundary}\r\n${NAMED}\r\n\r\nv\r\n--${boundary}--`;
    for (const [boundary, type] of [
      ["a.b(c)", 'multipart/form-data; boundary="a.b(c)"'],
      ["bé", 'multipart/form-data; boundary="bé"'],
      ["x", "Multipart/Form-Data;charset=utf-8;BOUNDARY=x"],
    ]) {
      equal((await parse(body(boundary), type)).get("a"), "v");
    }
    for (const type of ["multipart/form-data", 'multipart/form-data; boundary=""', "multipart/mixed; boundary=B"]) {
      await rejects(TypeError, parse(body("B"), type));
    }
    await rejects(TypeError, new Response("a=b").formData());
    await rejects(TypeError, new Response(new Blob(["a=b"])).formData());
    await rejects(TypeError, new Response().formData());
  },
  async "urlencoded forms are forms too"() {
    const data = await new Response(new URLSearchParams([["a", "b c"], ["a", "ä"]])).formData();
    same([...data], [["a", "b c"], ["a", "ä"]]);
    const type = "application/x-www-form-urlencoded";
    const raw = await parse(new Uint8Array([0x61, 0x3d, 0xc3, ...new TextEncoder().encode("%A4&b")]), type);
    same([...raw], [["a", "ä"], ["b", ""]]);
    equal([...(await parse("", type))].length, 0);
    const many = (n) => parse("a&".repeat(n), type);
    equal([...(await many(10_000))].length, 10_000);
    await rejects(TypeError, many(10_001));
  },
  async "an app's patches change nothing"() {
    const { includes, replaceAll } = String.prototype;
    const { constructor } = Uint8Array.prototype;
    const holders = [[String.prototype, Symbol.replace], [Array.prototype, "push"], [Uint8Array.prototype, "subarray"]];
    const before = holders.map(([holder, key]) => Object.getOwnPropertyDescriptor(holder, key));
    const never = () => {
      throw new Error("an app's patch was called by the platform");
    };
    let text;
    try {
      for (const [holder, key] of holders) Object.defineProperty(holder, key, { value: never, configurable: true });
      String.prototype.includes = String.prototype.replaceAll = Uint8Array.prototype.constructor = never;
      const data = await new Response(form(["a\n", "b"], ["c", new Blob(["d", new Uint8Array([0x65])])])).formData();
      text = await data.get("c").slice(1).text();
      const response = new Response(new Uint8Array([0x66]));
      text += await response.clone().text();
    } finally {
      Object.assign(String.prototype, { includes, replaceAll });
      Uint8Array.prototype.constructor = constructor;
      holders.forEach(([holder, key], i) => {
        if (before[i] === undefined) delete holder[key];
        else Object.defineProperty(holder, key, before[i]);
      });
    }
    equal(text, "ef");
  },
};
