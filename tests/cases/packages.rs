//! Packages from npm run as they ship: an app of `tests/packages` for each, bundled and served.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::{Nano, Request, Setup, bundled};

/// A nano whose app `app` is one of `tests/packages`; none where packages cannot be had. `kdl` is what its block says.
pub(super) fn serve(app: &str, kdl: &str) -> Option<Nano> {
    Some(Setup::new().app("app", kdl, bundled(app)?).start())
}

#[test]
fn ajv_validates_by_a_schema_compiled_beforehand() {
    let Some(nano) = serve("ajv", "") else { return };
    let right = r#"{
        "id": "9b2d7ec0-5a0c-4e5f-8d39-5c3d3b3f6a11", "email": "a@b.example", "placed": "2024-02-29T23:59:60Z",
        "name": "😀😀😀😀", "items": [{"sku": "ÄB-1", "count": 2}]
    }"#;
    assert_eq!(nano.post("app", "/", right).json(), json!({ "valid": true }));
    let wrong = r#"{
        "id": "x", "email": "a@b.example", "placed": "2023-02-29T00:00:00Z",
        "name": "😀😀😀😀😀", "more": 1, "items": [{"sku": "ÄB-1", "count": 0}, {"sku": "ab-1", "count": 1.5}]
    }"#;
    let answer = nano.post("app", "/", wrong);
    assert_eq!(answer.status, 422);
    let errors = [
        "/ must NOT have additional properties",
        "/id must match format \"uuid\"",
        "/placed must match format \"date-time\"",
        "/name must NOT have more than 4 characters",
        "/items/0/count must be >= 1",
        "/items/1/sku must match pattern \"^\\p{Lu}{2}-\\d+$\"",
        "/items/1/count must be integer",
    ];
    assert_eq!(answer.json(), json!({ "errors": errors }));
}

#[test]
fn date_fns_reckons_and_writes_dates() {
    let Some(nano) = serve("date-fns", "") else { return };
    let dates = json!({
        "iso": "2024-01-31T18:05:00Z",
        "english": "Wednesday, 31st January 2024 at 6:05 PM",
        "german": "Mittwoch, 31. Januar 2024",
        "japanese": "2024年1月31日",
        "later": "2024-03-01",
        "days": 30,
        "distance": "in about 1 month",
        "weeks": ["5", "6", "7", "8", "9"],
        "parsed": "2024-02-29T23:59:00.000Z",
    });
    assert_eq!(nano.get("app", "/?date=2024-01-31T18:05:00Z").json(), dates);
    assert_eq!(nano.get("app", "/?date=2024-02-30").status, 400);
}

#[test]
fn graphql_answers_queries_and_mutations() {
    let Some(nano) = serve("graphql", "") else { return };
    let ask = |query: &str, variables: Value| {
        let answer = nano.post("app", "/", json!({ "query": query, "variables": variables }).to_string());
        (answer.status, answer.json())
    };
    let shelf = "query($id: ID!) { book(id: $id) { title author { books { id } } } books(limit: 1) { ...named } }
        fragment named on Book { name: title }";
    let found = json!({
        "book": { "title": "The Trial", "author": { "books": [{ "id": "1" }, { "id": "2" }] } },
        "books": [{ "name": "The Trial" }],
    });
    assert_eq!(ask(shelf, json!({ "id": "1" })), (200, json!({ "data": found })));

    let add = "mutation($book: NewBook!) { add(book: $book) { id author { name } } }";
    let added = json!({ "add": { "id": "4", "author": { "name": "Zoë" } } });
    assert_eq!(ask(add, json!({ "book": { "title": "New", "author": "Zoë" } })), (200, json!({ "data": added })));

    let answer = nano.get("app", "/?query=%7B+__schema+%7B+mutationType+%7B+name+%7D+%7D+%7D");
    assert_eq!(answer.header("content-type"), Some("application/graphql-response+json"));
    assert_eq!(answer.json()["data"]["__schema"]["mutationType"]["name"], "Mutation");
    assert!(nano.get("app", "/schema").text().starts_with("\"\"\"A book on a shelf\"\"\"\ntype Book {\n  id: ID!\n"));
}

#[test]
fn graphql_says_what_is_wrong_and_where() {
    let Some(nano) = serve("graphql", "") else { return };
    let ask = |query: &str| {
        let answer = nano.post("app", "/", json!({ "query": query }).to_string());
        (answer.status, answer.json())
    };
    let location = |line: u32, column: u32| json!([{ "line": line, "column": column }]);
    let missing = json!({ "message": "no book 9", "locations": location(1, 3), "path": ["book"],
        "extensions": { "code": "NOT_FOUND" } });
    assert_eq!(ask("{ book(id: 9) { id } }"), (200, json!({ "data": { "book": null }, "errors": [missing] })));
    let unknown = json!({ "message": "Cannot query field \"titel\" on type \"Book\". Did you mean \"title\"?",
        "locations": location(2, 3) });
    assert_eq!(ask("{ books {\n  titel } }"), (400, json!({ "errors": [unknown] })));
    let syntax = json!({ "message": "Syntax Error: Expected Name, found <EOF>.", "locations": location(1, 2) });
    assert_eq!(ask("{"), (400, json!({ "errors": [syntax] })));
}

#[test]
fn itty_router_routes() {
    let Some(nano) = serve("itty-router", "") else { return };
    let hello = nano.get("app", "/hello/zo%C3%AB");
    assert_eq!(hello.header("content-type"), Some("application/json; charset=utf-8"));
    hello.says("\"Hello, zo%C3%AB!\"");
    assert_eq!(nano.get("app", "/files/a/b/c.txt").json(), json!({ "path": "a/b/c.txt" }));
    assert_eq!(nano.get("app", "/search?a=1&a=2&b=x+y").json(), json!({ "a": ["1", "2"], "b": "x y" }));
    assert_eq!(nano.get("app", "/page").header("content-type"), Some("text/html"));
    let me = nano.send(&Request::get("app", "/me").header("cookie", "a=1; b=x=y"));
    assert_eq!(me.json(), json!({ "a": "1", "b": "x=y" }));
    let put = |body: &str| nano.send(&Request::post("app", "/things/7", body).method("PUT")).json();
    assert_eq!(put(r#"{"a": [1]}"#), json!({ "id": "7", "content": { "a": [1] } }));
    assert_eq!(put("no JSON"), json!({ "id": "7", "content": "no JSON" }));
}

#[test]
fn itty_router_turns_what_is_thrown_into_an_answer() {
    let Some(nano) = serve("itty-router", "") else { return };
    for (target, status, body) in [
        ("/nothing", 404, json!({ "status": 404, "error": "nothing here" })),
        ("/teapot", 418, json!({ "status": 418, "error": "short and stout", "handle": true })),
        ("/broken", 500, json!({ "status": 500, "error": "Cannot read properties of null (reading 'broken')" })),
    ] {
        let answer = nano.get("app", target);
        assert_eq!((answer.status, answer.json()), (status, body), "{target}");
    }
}

#[test]
fn itty_router_answers_preflights() {
    let Some(nano) = serve("itty-router", "") else { return };
    let from = |method: &str, origin: &str| nano.send(&Request::new(method, "app", "/page").header("origin", origin));
    let preflight = from("OPTIONS", "https://app.example");
    assert_eq!((preflight.status, preflight.body.len()), (204, 0));
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(preflight.header("access-control-allow-methods"), Some("GET,PUT"));
    assert_eq!(preflight.header("access-control-max-age"), Some("60"));
    let shared = from("GET", "https://app.example");
    assert_eq!(shared.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(from("GET", "https://evil.example").header("access-control-allow-origin"), None);
}

#[test]
fn jose_signs_and_verifies_with_a_shared_secret() {
    let Some(nano) = serve("jose", "") else { return };
    let login = |expires: &str| {
        let answer = nano.post("app", "/login", json!({ "user": "zoë", "expires": expires }).to_string());
        answer.json()["token"].as_str().unwrap().to_owned()
    };
    let with = |target: &str, token: &str| {
        let answer = nano.send(&Request::get("app", target).header("authorization", &format!("Bearer {token}")));
        (answer.status, answer.json())
    };
    let token = login("2h");
    assert_eq!(with("/me", &token), (200, json!({ "user": "zoë", "role": "reader", "algorithm": "HS256" })));
    let (_, peek) = with("/peek", &token);
    assert_eq!(peek["header"], json!({ "alg": "HS256", "typ": "JWT" }));
    assert_eq!(peek["claims"]["exp"].as_u64().unwrap() - peek["claims"]["iat"].as_u64().unwrap(), 7200);

    let (content, _) = token.rsplit_once('.').unwrap();
    let forged = format!("{content}.{}", "A".repeat(43));
    for (token, code) in [
        (forged.as_str(), "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"),
        (&login("-1s"), "ERR_JWT_EXPIRED"),
        ("eyJhbGciOiJub25lIn0.e30.", "ERR_JOSE_ALG_NOT_ALLOWED"),
        ("", "ERR_JWS_INVALID"),
    ] {
        assert_eq!(with("/me", token), (401, json!({ "code": code })), "{token}");
    }
}

#[test]
fn jose_keeps_keys_and_reads_what_needs_none() {
    let Some(nano) = serve("jose", "") else { return };
    assert_eq!(nano.get("app", "/signed").json(), json!({ "payload": "h\u{e9}llo", "bytes": 64 }));
    // RFC 7638 §3.1
    let modulus = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB\
        ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8\
        KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_\
        xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let key = json!({ "kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29" });
    let thumbprint = json!({ "thumbprint": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" });
    assert_eq!(nano.post("app", "/thumbprint", key.to_string()).json(), thumbprint);
    let unsecured = nano.get("app", "/unsecured").json();
    assert_eq!(unsecured["claims"], json!({ "urn:example:claim": true, "iss": "joe" }));
    assert!(unsecured["token"].as_str().unwrap().starts_with("eyJhbGciOiJub25lIn0."));
}

#[test]
fn lodash_es_works_on_data_and_time() {
    let Some(nano) = serve("lodash-es", "") else { return };
    let orders = r#"[
        {"id": 1, "total": 5, "customer": {"name": "Ann"}, "tags": ["a"]},
        {"id": 2, "total": 9, "customer": {"name": "Bob"}},
        {"id": 3, "total": 5, "customer": {"name": "Ann"}}
    ]"#;
    let expected = json!({
        "totals": { "Ann": 10, "Bob": 9 },
        "order": [2, 1, 3],
        "pages": [2, 1],
        "same": false,
        "missing": "unknown",
        "merged": { "a": { "b": 1, "list": [3, 2], "c": 2 } },
        "words": ["contentType", "user-id-of-2-things", "deja vu"],
        "cut": "👩‍💻👩‍💻",
        "zipped": { "a": 1, "b": 2 },
        "kinds": [true, false],
        "calls": 1,
    });
    assert_eq!(nano.post("app", "/", orders).json(), expected);
}

#[test]
fn marked_renders_markdown() {
    let Some(nano) = serve("marked", "") else { return };
    let markdown = "# Über *nano*\n\n- [x] done\n- [ ] [next](next.html \"t\")\n\n| a | b |\n|--|:-:|\n| 1 | `2` |\n\n\
        ```js\nlet a = \"<b>\";\n```\n~~gone~~ <https://x.example>\n";
    let html = "<h1 id=\"über-em-nano-em-\">Über <em>nano</em></h1>\n\
        <ul>\n<li><input checked=\"\" disabled=\"\" type=\"checkbox\"> done</li>\n\
        <li><input disabled=\"\" type=\"checkbox\"> \
        <a href=\"https://docs.example/guide/next.html\" title=\"t\">next</a></li>\n\
        </ul>\n\
        <table>\n<thead>\n<tr>\n<th>a</th>\n<th align=\"center\">b</th>\n</tr>\n</thead>\n\
        <tbody><tr>\n<td>1</td>\n<td align=\"center\"><code>2</code></td>\n</tr>\n</tbody></table>\n\
        <pre><code class=\"language-js\">let a = &quot;&lt;b&gt;&quot;;\n</code></pre>\n\
        <p><del>gone</del> <a href=\"https://x.example/\">https://x.example</a></p>\n";
    nano.post("app", "/", markdown).says(html);
}

#[test]
fn nanoid_makes_ids() {
    let Some(nano) = serve("nanoid", "") else { return };
    let made = nano.get("app", "/").json();
    let ids: HashSet<_> = made["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(ids.len(), 1000);
    for id in ids {
        assert!(id.len() == 21 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{id}");
    }
    assert_eq!(made["short"].as_str().unwrap().len(), 5);
    let code = made["code"].as_str().unwrap();
    assert!(code.len() == 8 && !code.contains(['0', '1', 'i', 'l', 'o']), "{code}");
}

#[test]
fn preact_renders_pages() {
    let Some(nano) = serve("preact", "") else { return };
    let page = nano.get("app", "/?item=b&item=a%3Cb&name=Zo%C3%AB");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    page.says(
        "<!doctype html><html lang=\"en\"><body><h1 class=\"greeting\">Hello, Zoë!</h1><ul style=\"margin-top:4px;\">\
         <li>a&lt;b</li><li>b</li></ul><div><br></div><input disabled value=\"a\"/></body></html>",
    );
    nano.get("app", "/stream?language=fr").says(
        "<html lang=\"fr\"><body><h1 class=\"greeting\">Bonjour, world!</h1><p>Nothing &amp; nobody</p><div><br></div>\
         <input disabled value=\"a\"/></body></html>",
    );
}

#[test]
fn ulid_makes_ids_in_order() {
    let Some(nano) = serve("ulid", "") else { return };
    let made = nano.get("app", "/").json();
    assert_eq!(made["id"].as_str().unwrap().len(), 26);
    assert!(made["age"].as_u64().unwrap() < 10_000, "{}", made["age"]);
    assert_eq!(made["dated"], "01ARYZ6S41");
    assert_eq!(made["valid"], json!([true, false]));
    let ordered = made["ordered"].as_array().unwrap();
    assert!(ordered.is_sorted_by(|one, next| one.as_str() < next.as_str()), "{ordered:?}");
    assert_eq!((&made["uuid"], &made["back"]), (&"01563DF3-6481-D676-4C61-EFB99302BD5B".into(), &true.into()));
}

#[test]
fn zod_parses_what_is_right() {
    let Some(nano) = serve("zod", "") else { return };
    let given = json!({
        "name": " Zoë ", "email": "z@e.example", "age": "42", "born": "1990-02-28", "site": "https://nano.example/?q=ä",
        "contact": { "by": "phone", "number": "1" }, "password": "a", "again": "a",
    });
    let answer = nano.post("app", "/", given.to_string());
    let parsed = json!({
        "name": "Zoë", "email": "z@e.example", "age": 42, "role": "reader", "born": "1990-02-28T00:00:00.000Z",
        "site": "https://nano.example/?q=ä", "contact": { "by": "phone", "number": "1" }, "tags": [],
        "password": "a", "again": "a",
    });
    assert_eq!((answer.status, answer.json()), (201, parsed));
    assert_eq!(nano.get("app", "/name?name=free").json(), json!({ "success": true, "data": "free" }));
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "street": { "type": "string", "minLength": 1 },
            "zip": { "type": "string", "pattern": "^\\d{5}$" },
        },
        "required": ["street", "zip"],
        "additionalProperties": false,
    });
    assert_eq!(nano.get("app", "/schema").json(), schema);
}

#[test]
fn zod_says_what_is_wrong() {
    let Some(nano) = serve("zod", "") else { return };
    let given = json!({
        "name": " Z", "email": "no", "age": "old", "born": "2023-02-29", "site": "nano", "role": "x", "extra": 1,
        "contact": { "by": "post", "address": { "street": "", "zip": "1" } }, "tags": ["a", "b", "c"],
        "password": "a", "again": "b",
    });
    let answer = nano.post("app", "/", given.to_string());
    let errors = json!({
        "formErrors": ["Unrecognized key: \"extra\""],
        "fieldErrors": {
            "name": ["too short a name"],
            "email": ["Invalid email address"],
            "age": ["Invalid input: expected number, received NaN"],
            "role": ["Invalid option: expected one of \"reader\"|\"writer\""],
            "born": ["Invalid ISO date"],
            "site": ["Invalid URL"],
            "contact": [
                "Too small: expected string to have >=1 characters",
                "Invalid string: must match pattern /^\\d{5}$/",
            ],
            "tags": ["Too big: expected array to have <=2 items"],
        },
    });
    assert_eq!((answer.status, answer.json()), (422, errors));
    let differ = json!({
        "name": "Zo", "email": "z@e.example", "contact": { "by": "phone", "number": "1" }, "password": "a",
        "again": "b",
    });
    let errors = json!({ "formErrors": [], "fieldErrors": { "again": ["passwords differ"] } });
    assert_eq!(nano.post("app", "/", differ.to_string()).json(), errors);
    assert_eq!(nano.get("app", "/name?name=taken").json()["success"], false);
}
