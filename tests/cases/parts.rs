//! Parts of the platform come when an app first names them: whatever it has done to the language by then, it neither sees
//! nor changes how they are made.

use crate::support::Setup;

/// Does to the language what an app can, then names everything the global scope has.
const SPOILER: &str = r#"
    const { defineProperty, getOwnPropertyNames, getOwnPropertyDescriptor, entries } = Object;
    const { ownKeys, apply } = Reflect;
    const { includes, join } = Array.prototype;
    const names = ownKeys(globalThis);
    const seen = [];
    let spying = false;
    const saw = (what) => { if (spying) seen[seen.length] = what; };
    // What a literal of the platform's own might look up or set by way of Object.prototype.
    for (const key of [
        "add", "clear", "configurable", "convert", "create", "data", "default", "delete", "enumerable", "entry", "error",
        "events", "exposed", "expose", "extend", "get", "global", "has", "hash", "key", "length", "log", "name", "next",
        "ops", "parameters", "prototype", "read", "required", "run", "set", "sign", "size", "streams", "text", "then",
        "timer", "type", "url", "value", "words", "writable", "0", "1",
    ]) defineProperty(Object.prototype, key, {
        __proto__: null, configurable: true,
        get() { saw(`get ${key}`); return undefined; },
        set(value) { defineProperty(this, key, { __proto__: null, value, writable: true, configurable: true }); saw(`set ${key}`); },
    });
    const spoil = (holder, where) => {
        const keys = ownKeys(holder);
        for (let i = 0; i < keys.length; i++) {
            const key = keys[i];
            const { value, configurable } = getOwnPropertyDescriptor(holder, key);
            if (typeof value !== "function" || !configurable || key === "constructor") continue;
            const what = where + "." + key.toString();
            defineProperty(holder, key, {
                __proto__: null, writable: true, configurable: true,
                value: function (...args) { saw(what); return apply(value, this, args); },
            });
        }
    };
    const { prototype: function_ } = Function;
    const holders = [
        [Array.prototype, "Array.prototype"], [Object, "Object"], [Reflect, "Reflect"], [Set.prototype, "Set.prototype"],
        [Map.prototype, "Map.prototype"], [Promise.prototype, "Promise.prototype"], [String.prototype, "String.prototype"],
        [RegExp.prototype, "RegExp.prototype"], [[][Symbol.iterator]().__proto__, "ArrayIterator.prototype"],
        [Math, "Math"], [Symbol, "Symbol"], [WeakMap.prototype, "WeakMap.prototype"], [Uint8Array.__proto__.prototype, "TypedArray.prototype"],
    ];
    for (let i = 0; i < holders.length; i++) spoil(holders[i][0], holders[i][1]);
    const own = globalThis;
    const missing = [];
    spying = true;
    for (let i = 0; i < names.length; i++) {
        const name = names[i];
        if (typeof name === "string" && own[name] === undefined && name !== "undefined") missing[missing.length] = name;
    }
    spying = false;
    export default { fetch: () => new Response(`${apply(join, missing, [","])}|${apply(join, seen, [","])}`) };
"#;

#[test]
fn an_app_sees_nothing_of_how_a_part_is_made() {
    let nano = Setup::new().app("a", "limits cpu=\"5s\"", SPOILER).start();
    // Handlers nobody has set, and what V8 leaves out.
    let answer = nano.get("a", "/");
    let text = answer.text();
    let (missing, seen) = text.split_once('|').expect("two lists");
    let missing: Vec<_> = missing.split(',').filter(|name| !name.is_empty() && !name.starts_with("on")).collect();
    assert_eq!((&*missing, seen), (&[][..], ""));
}

#[test]
fn a_part_is_what_it_would_be_from_the_start() {
    let script = r#"
        const describe = (name) => JSON.stringify(Object.getOwnPropertyDescriptor(globalThis, name), (key, value) =>
            typeof value === "function" ? value.name : typeof value === "object" && key === "value" ? "object" : value);
        const one = globalThis.Blob === Blob && new File([], "f") instanceof Blob && Object.keys(globalThis).includes("atob");
        FormData = 1;
        delete globalThis.btoa;
        Object.defineProperty(globalThis, "performance", { value: 2 });
        const mine = [FormData, typeof btoa, performance, new Response(new URLSearchParams("a=b")).headers.get("content-type")];
        const described = [describe("structuredClone"), describe("Event")];
        Object.freeze(globalThis);
        const late = typeof new ReadableStream().getReader + typeof crypto.randomUUID;
        export default { fetch: () => Response.json([...described, one, mine, late]) };"#;
    let nano = Setup::new().app("a", "", script).start();
    nano.get("a", "/").says(
        r#"["{\"value\":\"structuredClone\",\"writable\":true,\"enumerable\":true,\"configurable\":true}","{\"value\":\"Event\",\"writable\":true,\"enumerable\":false,\"configurable\":true}",true,[1,"undefined",2,"application/x-www-form-urlencoded;charset=UTF-8"],"functionfunction"]"#,
    );
}

#[test]
fn a_part_that_could_not_be_made_comes_at_the_next_try() {
    // No stack is left for the first; the class it then gives is the one and only.
    let script = r#"
        const deepest = () => { try { return deepest(); } catch { try { return typeof FormData; } catch { return "no stack"; } } };
        const first = deepest();
        export default { fetch: () => new Response(`${typeof FormData} ${new FormData() instanceof FormData}`) };"#;
    let nano = Setup::new().app("a", "", script).start();
    nano.get("a", "/").says("function true");
}
