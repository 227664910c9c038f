// Fetch Standard §2.2, §5.1.
import { equal, ok, same, throws } from "./assert.js";

const pairs = (headers) => [...headers];

export const tests = {
  "names are case-insensitive and shown in lower case"() {
    const headers = new Headers({ "Content-Type": "a/b" });
    equal(headers.get("CONTENT-TYPE"), "a/b");
    ok(headers.has("content-Type"));
    same(pairs(headers), [["content-type", "a/b"]]);
  },
  "iteration is sorted and combines values"() {
    const headers = new Headers([["b", "1"], ["a", "2"], ["B", "3"]]);
    same(pairs(headers), [["a", "2"], ["b", "1, 3"]]);
    same([...headers.keys()], ["a", "b"]);
    same([...headers.values()], ["2", "1, 3"]);
  },
  "cookies are never combined"() {
    const headers = new Headers([["set-cookie", "a=1"], ["x", "y"], ["Set-Cookie", "b=2"]]);
    same(headers.getSetCookie(), ["a=1", "b=2"]);
    same(pairs(headers), [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x", "y"]]);
    equal(headers.get("set-cookie"), "a=1, b=2");
  },
  "iteration sees changes made meanwhile"() {
    const headers = new Headers([["a", "1"], ["b", "2"], ["c", "3"]]);
    const seen = [];
    for (const [name] of headers) {
      seen.push(name);
      headers.delete("b");
      if (name === "a") headers.append("d", "4");
    }
    same(seen, ["a", "c", "d"]);
  },
  "forEach passes value, name and the object"() {
    const headers = new Headers({ a: "1" });
    const self = {};
    headers.forEach(function (...args) {
      equal(this, self);
      equal(args[0], "1");
      equal(args[1], "a");
      equal(args[2], headers);
    }, self);
  },
  "set replaces the first and removes the rest"() {
    const headers = new Headers([["a", "1"], ["b", "2"], ["a", "3"]]);
    headers.set("A", "4");
    same(pairs(headers), [["a", "4"], ["b", "2"]]);
    headers.delete("a");
    equal(headers.get("a"), null);
  },
  "values lose the white space around them"() {
    equal(new Headers([["a", " \t\r\n x y \n"]]).get("a"), "x y");
  },
  "a header cannot smuggle another one in"() {
    const headers = new Headers();
    for (const value of ["a\r\nset-cookie: x", "a\nb", "a\rb", "a\0b"]) throws(TypeError, () => headers.set("x", value));
    for (const name of ["", "a b", "a:", "a\r\n", "ä", "a\0", "(x)"]) throws(TypeError, () => headers.set(name, "v"));
    throws(TypeError, () => headers.set("x", "€"));
    same(pairs(headers), []);
  },
  "records, sequences and other Headers fill it"() {
    same(pairs(new Headers(new Headers({ a: "1" }))), [["a", "1"]]);
    same(pairs(new Headers(new Map([["a", "1"]]))), [["a", "1"]]);
    throws(TypeError, () => new Headers([["a"]]));
    throws(TypeError, () => new Headers([["a", "b", "c"]]));
    throws(TypeError, () => new Headers("a"));
    throws(TypeError, () => new Headers(null));
    throws(TypeError, () => new Headers({ "a b": "1" }));
  },
  "it has the shape of an interface"() {
    equal(Object.prototype.toString.call(new Headers()), "[object Headers]");
    equal(Object.prototype.toString.call(new Headers().entries()), "[object Headers Iterator]");
    equal(Headers.prototype[Symbol.iterator], Headers.prototype.entries);
    ok(Object.getOwnPropertyDescriptor(Headers.prototype, "get").enumerable);
    equal(Headers.length, 0);
    throws(TypeError, () => Headers.prototype.get.call({}, "a"));
    throws(TypeError, () => new Headers().get());
  },
  "a name and a value are converted before either is looked at"() {
    for (const method of ["append", "set"]) {
      const order = [];
      const name = { toString: () => (order.push("name"), "a b") };
      const value = { toString: () => (order.push("value"), "x") };
      throws(TypeError, () => new Headers()[method](name, value));
      same(order, ["name", "value"]);
    }
  },
};
