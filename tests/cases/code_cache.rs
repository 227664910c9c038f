//! The code cache: the second start is spared the compiling, and nothing that lies in its folder can do harm.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::says;
use crate::support::{Nano, Setup, eventually};

/// So much source that its code is worth keeping.
fn filler() -> String {
    (0..60).map(|n| format!("export function unused{n}(x) {{ return x.map((y) => y * {n} + x.length); }}\n")).collect()
}

/// An app that answers with `text`, and has some code.
fn large(text: &str) -> String {
    filler() + &says(text)
}

fn folder(setup: &Setup) -> PathBuf {
    setup.path("state/code-cache")
}

/// The files whose names begin with `kind`.
fn files_of(setup: &Setup, kind: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(setup)).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(kind)).collect()
}

fn files(setup: &Setup) -> Vec<PathBuf> {
    files_of(setup, "code-")
}

fn snapshot(setup: &Setup) -> Option<PathBuf> {
    files_of(setup, "snapshot-").pop()
}

/// Waits until the code of so many modules is kept.
#[track_caller]
fn kept(nano: &Nano, number: usize) -> Vec<PathBuf> {
    eventually(&format!("{number} files"), || Some(files(nano.setup())).filter(|files| files.len() == number))
}

/// Of the larger modules of the isolate that `app` started last: how many there are, how many came from the cache.
#[track_caller]
fn loaded(nano: &Nano, app: &str) -> (u64, u64) {
    let is = |line: &serde_json::Value| line["app"] == app && line["modules"].is_u64();
    nano.logged("that the app is loaded", is);
    let line = nano.log().into_iter().rfind(is).unwrap();
    (line["modules"].as_u64().unwrap(), line["cached"].as_u64().unwrap())
}

/// Lines whose message contains `text`.
fn said(nano: &Nano, text: &str) -> usize {
    let has = |line: &&serde_json::Value| line["message"].as_str().is_some_and(|message| message.contains(text));
    nano.log().iter().filter(has).count()
}

#[test]
fn a_second_start_takes_the_code_from_the_cache() {
    let script = "import { b } from \"./b.js\";\nimport \"./small.js\";\n".to_owned()
        + &filler()
        + "export default { fetch: () => new Response(b()) };";
    let nano = Setup::new()
        .app("a", "", &script)
        .file("a/b.js", filler() + "export const b = () => \"b\";")
        .file("a/small.js", "export {};")
        .start();
    nano.get("a", "/").says("b");
    assert_eq!(loaded(&nano, "a"), (2, 0), "a small module is no matter for the cache");
    kept(&nano, 2);
    let nano = nano.restart();
    nano.get("a", "/").says("b");
    assert_eq!(loaded(&nano, "a"), (2, 2));
    assert_eq!(said(&nano, "the code cache in"), 0);
}

#[test]
fn what_is_kept_has_the_functions_that_ran() {
    let much: String = (0..200).map(|n| format!("  text = text.concat(\"of \", \"the second {n}\");\n")).collect();
    let script = filler()
        + "function first() { return \"a text \" + \"of the first\"; }\n"
        + &format!("function second(text) {{\n{much}  return \"the other\";\n}}\n")
        + "export default { fetch: ({ url }) => new Response(url.endsWith(\"/2\") ? second(\"\") : first()) };";
    let has = |nano: &Nano, text: &str| {
        let file = fs::read(&kept(nano, 1)[0]).unwrap();
        file.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let nano = Setup::new().app("a", "idle \"1s\"", &script).start();
    nano.get("a", "/1").says("a text of the first");
    assert!(has(&nano, "of the first"), "its code was compiled by the time the app had answered");
    assert!(!has(&nano, "the second 199"));
    nano.get("a", "/2").says("the other");
    eventually("the isolate to be given back, and its code kept", || has(&nano, "the second 199").then_some(()));
}

/// A file as nano would write it, around anything.
fn file_with(key: &[u8], code: &[u8]) -> Vec<u8> {
    let fields = [&b"nanocc\x01\n"[..], key, &(code.len() as u64).to_le_bytes()].concat();
    let digest = Sha256::new().chain_update(&fields).chain_update(code).finalize();
    [&fields[..], &digest[..], code].concat()
}

#[test]
fn a_damaged_file_is_refused_and_made_anew() {
    type Damage = fn(&[u8]) -> Vec<u8>;
    let damages: [Damage; 7] = [
        |_| Vec::new(),
        |file| file[..40].to_vec(),
        |file| file[..file.len() - 1].to_vec(),
        |file| [file, &[0]].concat(),
        // The version in V8's own header, and a byte of the code.
        |file| file.iter().enumerate().map(|(at, byte)| if at == 84 { byte ^ 1 } else { *byte }).collect(),
        |file| file.iter().enumerate().map(|(at, byte)| if at == file.len() / 2 { byte ^ 16 } else { *byte }).collect(),
        // Whole, but other code than the name says: what the collision of two names would be.
        |file| file_with(&[7; 32], &file[80..]),
    ];
    let names: Vec<_> = (0..damages.len()).map(|n| format!("a{n}")).collect();
    let setup = names.iter().fold(Setup::new(), |setup, name| setup.app(name, "", &large(name)));
    let nano = setup.start();
    names.iter().for_each(|name| nano.get(name, "/").says(name));
    let damaged = kept(&nano, names.len()).into_iter().zip(damages).map(|(path, damage)| {
        let bytes = damage(&fs::read(&path).unwrap());
        fs::write(&path, &bytes).unwrap();
        (path, bytes)
    });
    let damaged: Vec<_> = damaged.collect();
    let nano = nano.restart();
    names.iter().for_each(|name| nano.get(name, "/").says(name));
    assert!(names.iter().all(|name| loaded(&nano, name) == (1, 0)));
    assert_eq!(said(&nano, "a file of the code cache is not used, but made anew"), names.len());
    eventually("the files to be made anew", || {
        damaged.iter().all(|(path, bytes)| fs::read(path).unwrap() != *bytes).then_some(())
    });
    let nano = nano.restart();
    names.iter().for_each(|name| nano.get(name, "/").says(name));
    assert!(names.iter().all(|name| loaded(&nano, name) == (1, 1)));
}

#[test]
fn a_file_that_cannot_be_made_anew_is_told_of_once() {
    let nano = Setup::new().app("a", "idle \"200ms\"", &large("a")).start();
    nano.get("a", "/").says("a");
    let path = kept(&nano, 1).remove(0);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let nano = nano.restart();
    for _ in 0..3 {
        nano.get("a", "/").says("a");
        eventually("the isolate to end", || (nano.metric("nano_isolates", &[("app", "a")]) == 0.0).then_some(()));
    }
    assert_eq!(nano.metric("nano_isolate_starts_total", &[("app", "a")]), 3.0);
    assert_eq!(said(&nano, "it is not a regular file"), 1);
}

#[test]
fn code_of_another_v8_is_refused_by_v8_and_made_anew() {
    let nano = Setup::new().app("a", "", &large("a")).start();
    nano.get("a", "/").says("a");
    let path = kept(&nano, 1).remove(0);
    let whole = fs::read(&path).unwrap();
    // As if a V8 under the same name and version had other flags: they are the fourth field of its header.
    let mut code = whole[80..].to_vec();
    code[12] ^= 1;
    fs::write(&path, file_with(&whole[8..40], &code)).unwrap();
    let nano = nano.restart();
    nano.get("a", "/").says("a");
    assert_eq!((loaded(&nano, "a"), said(&nano, "V8 refused")), ((1, 0), 1));
    eventually("the file to be made anew", || (fs::read(&path).unwrap()[80 + 12] == whole[80 + 12]).then_some(()));
    let nano = nano.restart();
    nano.get("a", "/").says("a");
    assert_eq!(loaded(&nano, "a"), (1, 1));
}

#[test]
fn a_damaged_snapshot_is_made_anew_and_all_code_with_it() {
    let nano = Setup::new().app("a", "", &large("a")).start();
    nano.get("a", "/").says("a");
    kept(&nano, 1);
    let path = snapshot(nano.setup()).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let nano = nano.restart();
    nano.get("a", "/").says("a");
    assert_eq!((loaded(&nano, "a"), said(&nano, "but made anew: snapshot-")), ((1, 0), 1));
    kept(&nano, 2);
    let nano = nano.restart();
    nano.get("a", "/").says("a");
    assert_eq!((loaded(&nano, "a"), said(&nano, "but made anew")), ((1, 1), 0));
}

#[test]
fn without_a_place_for_it_apps_answer_all_the_same() {
    let nano = Setup::new().file("state", "no folder").app("a", "", &large("a")).app("b", "", &large("b")).start();
    for _ in 0..3 {
        nano.get("a", "/").says("a");
        nano.get("b", "/").says("b");
    }
    nano.logged("why", |line| line["level"] == "warn" && line["message"].to_string().contains("Not a directory"));
    assert_eq!(said(&nano, "the code cache in"), 1);
}

#[test]
fn what_cannot_be_written_is_said_once() {
    let nano = Setup::new().app("a", "", &large("a")).app("b", "", &large("b")).start();
    eventually("the snapshot to be kept", || snapshot(nano.setup()));
    // Nobody, not even root, can make a file in a folder that is no more.
    fs::remove_dir_all(folder(nano.setup())).unwrap();
    nano.get("a", "/").says("a");
    nano.logged("why", |line| line["message"].as_str().is_some_and(|message| message.contains("cannot be written")));
    nano.get("b", "/").says("b");
    std::thread::sleep(Duration::from_millis(500));
    nano.get("a", "/").says("a");
    assert_eq!(said(&nano, "cannot be written"), 1);
}

#[test]
fn a_folder_that_others_may_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let setup = Setup::new().app("a", "", &large("a"));
    fs::create_dir_all(folder(&setup)).unwrap();
    fs::set_permissions(folder(&setup), PermissionsExt::from_mode(0o777)).unwrap();
    let nano = setup.start();
    nano.get("a", "/").says("a");
    nano.logged("why", |line| line["level"] == "warn" && line["message"].to_string().contains("may write to it"));
    assert_eq!(files(nano.setup()).len(), 0);
}

/// An app whose folder is the one the state folder is in.
const AROUND: &str = "app \"around\" \".\" {\n    host \"around.test\"\n    entry \"a/index.js\"\n}\n";

#[test]
fn a_cache_inside_an_apps_folder_is_not_used() {
    let nano = Setup::new().app("a", "idle \"100ms\"", &large("a")).config(AROUND).start();
    nano.get("a", "/").says("a");
    nano.get("around", "/").says("a");
    eventually("the isolate to be given back", || (nano.metric("nano_isolates", &[("app", "a")]) == 0.0).then_some(()));
    assert_eq!(said(&nano, "is inside an app's folder"), 1);
    assert!(!nano.setup().path("state").exists(), "nothing is left there either");
}

#[test]
fn a_cache_that_comes_to_lie_inside_an_apps_folder_is_not_used_any_more() {
    let mut nano = Setup::new().app("a", "", &large("old")).start();
    nano.get("a", "/").says("old");
    let before = kept(&nano, 1);
    assert!(nano.change(|setup| setup.config(AROUND).app("a", "idle \"100ms\"", &large("new"))));
    nano.get("a", "/").says("new");
    eventually("the isolate to be given back", || (nano.metric("nano_isolates", &[("app", "a")]) == 0.0).then_some(()));
    assert_eq!(said(&nano, "is inside an app's folder"), 1);
    assert_eq!(files(nano.setup()), before);
}

#[test]
fn an_app_cannot_read_the_cache() {
    let script = filler()
        + "export default { async fetch({ url }) {\n\
           const name = \"../state/code-cache/\" + new URL(url).pathname.slice(1);\n\
           const read = import(name, { with: { type: \"bytes\" } });\n\
           return new Response(await read.then(() => \"read\", (error) => error.name));\n} };";
    let nano = Setup::new().app("a", "", &script).start();
    nano.get("a", "/").says("TypeError");
    let path = kept(&nano, 1).remove(0);
    nano.get("a", &format!("/{}", path.file_name().unwrap().to_str().unwrap())).says("TypeError");
}

#[test]
fn apps_of_the_same_source_share_its_code_and_keep_their_names() {
    let script = filler() + "export default { fetch() { throw new Error(\"mine\"); } };";
    let setup = Setup::new().app("a", "", &script).file("b/lib/main.js", &script);
    let nano = setup.claim("b", "host \"b.test\"\n    entry \"lib/main.js\"").start();
    nano.get("a", "/").fails(500, "app_error");
    kept(&nano, 1);
    let nano = nano.restart();
    for (app, place) in [("b", "file:///lib/main.js:61:"), ("a", "file:///index.js:61:")] {
        nano.get(app, "/").fails(500, "app_error");
        assert_eq!(loaded(&nano, app), (1, 1));
        nano.logged("the stack", |line| line["app"] == app && line["message"].to_string().contains(place));
    }
    kept(&nano, 1);
}

#[test]
fn changed_code_is_compiled_and_old_code_is_found_again() {
    let mut nano = Setup::new().app("a", "", &large("old")).start();
    nano.get("a", "/").says("old");
    kept(&nano, 1);
    // As long as before: V8 itself looks at the length only.
    for (text, cached, files) in [("new", 0, 2), ("old", 1, 2)] {
        assert!(nano.change(|setup| setup.file("a/index.js", large(text))));
        eventually("the other code", || (nano.get("a", "/").text() == text).then_some(()));
        assert_eq!(loaded(&nano, "a"), (1, cached));
        kept(&nano, files);
    }
}
