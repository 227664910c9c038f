// URL Pattern Standard §1.
import { equal, ok, same, throws } from "./assert.js";

export const tests = {
  "groups are found in every component"() {
    const pattern = new URLPattern("https://:sub.example.com/books/:id(\\d+)\\?q=*#:part");
    const found = pattern.exec("https://a.example.com/books/7?q=x y#z");
    same(found.hostname, { input: "a.example.com", groups: { sub: "a" } });
    same(found.pathname, { input: "/books/7", groups: { id: "7" } });
    same(found.search, { input: "q=x%20y", groups: { 0: "x%20y" } });
    same(found.hash.groups, { part: "z" });
    same(found.inputs, ["https://a.example.com/books/7?q=x y#z"]);
    equal(pattern.exec("https://a.example.com/books/x"), null);
    ok(pattern.hasRegExpGroups);
    ok(!new URLPattern({ pathname: "/:a/*" }).hasRegExpGroups);
  },
  "a base URL and an init are inputs too"() {
    const pattern = new URLPattern({ pathname: "/a/:b?", baseURL: "https://example.com" });
    equal(pattern.hostname, "example.com");
    ok(pattern.test("/a/b", "https://example.com"));
    ok(!pattern.test("/a/b", "https://example.org"));
    same(pattern.exec({ pathname: "/a", baseURL: "https://example.com" }).pathname.groups, { b: undefined });
    ok(!pattern.test("no URL"));
    throws(TypeError, () => pattern.test({}, "https://example.com"));
    throws(TypeError, () => new URLPattern("/relative"));
    throws(TypeError, () => new URLPattern({}, "https://example.com"));
  },
  "modifiers repeat groups or leave them out"() {
    const pattern = new URLPattern({ pathname: "/x{/:more}*" });
    equal(pattern.pathname, "/x/:more*");
    same(pattern.exec({ pathname: "/x/a/b" }).pathname.groups, { more: "a/b" });
    same(pattern.exec({ pathname: "/x" }).pathname.groups, { more: undefined });
    ok(new URLPattern({ pathname: "/X" }, { ignoreCase: true }).test({ pathname: "/x" }));
    ok(!new URLPattern({ pathname: "/X" }).test({ pathname: "/x" }));
  },
  "what is malformed is refused"() {
    for (const pathname of ["(", "(?x)", "{a", ":a:a", "(\\p{no})", "/:id(é)", "\\"]) {
      throws(TypeError, () => new URLPattern({ pathname }));
    }
    for (const init of [{ protocol: "a b" }, { port: "x" }, { hostname: "a b" }]) {
      throws(TypeError, () => new URLPattern(init));
    }
    throws(TypeError, () => URLPattern());
    throws(TypeError, () => URLPattern.prototype.test.call({}, "x"));
  },
  "parts are written as in URLs"() {
    const pattern = new URLPattern({ protocol: "http", hostname: "EXAMPLE.com", port: "80", pathname: "/ä b" });
    equal(pattern.hostname, "example.com");
    equal(pattern.port, "");
    equal(pattern.pathname, "/%C3%A4%20b");
    ok(pattern.test("http://example.com:80/ä b"));
  },
  "groups may have any name"() {
    const groups = new URLPattern({ pathname: "/:__proto__/:a/:b/:c/:d" }).exec({ pathname: "/1/2/3/4/5" }).pathname.groups;
    same(Object.keys(groups), ["__proto__", "a", "b", "c", "d"]);
    equal(Object.getPrototypeOf(groups), Object.prototype);
  },
  "texts are made from patterns, and patterns compared"() {
    const pattern = new URLPattern({ pathname: "/:a/b" });
    equal(pattern.generate("pathname", { a: "ä" }), "/%C3%A4/b");
    throws(TypeError, () => pattern.generate("pathname", { a: "x/y" }));
    throws(TypeError, () => pattern.generate("pathname"));
    throws(TypeError, () => pattern.generate("path", { a: "x" }));
    const wider = new URLPattern({ pathname: "/*" });
    equal(URLPattern.compareComponent("pathname", pattern, wider), 1);
    equal(URLPattern.compareComponent("pathname", wider, pattern), -1);
    equal(URLPattern.compareComponent("hash", wider, pattern), 0);
    throws(TypeError, () => URLPattern.compareComponent("pathname", wider, {}));
  },
  "an app's patches change nothing"() {
    const { exec } = RegExp.prototype;
    const trap = { set: () => { throw new Error("called"); }, configurable: true };
    RegExp.prototype.exec = () => null;
    Object.defineProperty(Object.prototype, "id", trap);
    let found;
    try {
      found = new URLPattern({ pathname: "/:id" }).exec({ pathname: "/7" });
    } finally {
      RegExp.prototype.exec = exec;
      delete Object.prototype.id;
    }
    equal(found.pathname.groups.id, "7");
  },
};
