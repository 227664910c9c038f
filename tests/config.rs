//! The config language from outside: every file of `tests/config/bad` with what is said of it, those of `good`, the
//! reference, and bytes of all kinds. `BLESS=1 cargo test config` writes the expected texts anew.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nano::plan::{Diff, EnvValue, Level, Plan};
use proptest::prelude::*;

/// Every `.kdl` file right in a folder, sorted.
fn configs(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "kdl"));
    paths.sort();
    paths
}

/// Compares with the text beside `config`, or writes it.
fn expect(config: &Path, said: &str, failures: &mut Vec<String>) {
    let beside = config.with_extension("txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&beside, said).expect("writable");
        return;
    }
    let expected = std::fs::read_to_string(&beside).unwrap_or_default();
    if expected != said {
        failures.push(format!("{}\nexpected:\n{expected}\nsaid:\n{said}", config.display()));
    }
}

#[test]
fn every_bad_config_is_refused_in_the_words_beside_it() {
    let mut failures = Vec::new();
    let configs = configs("tests/config/bad");
    assert!(configs.len() >= 45, "only {}", configs.len());
    for config in configs {
        match Plan::load(&config) {
            Ok(_) => failures.push(format!("{} is accepted", config.display())),
            Err(report) => expect(&config, &report.to_string(), &mut failures),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_good_config_is_summed_up_in_the_words_beside_it() {
    let here = std::env::current_dir().expect("there is one").display().to_string();
    let mut failures = Vec::new();
    for config in configs("tests/config/good") {
        match Plan::load(&config) {
            Ok((mut plan, warnings)) => {
                plan.io_threads = 2;
                let said = warnings
                    .iter()
                    .fold(nano::cli::check::summary(&config, &plan), |said, warning| said + &warning.render(false));
                let said = said.replace(&here, "");
                expect(&config, &said, &mut failures);
            }
            Err(report) => failures.push(report.to_string()),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The reference on a machine that has all it names.
#[test]
fn the_reference_is_refused_only_for_what_this_build_lacks() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    for file in [
        "examples/hello/index.js",
        "srv/apps/shop/src/index.ts",
        "srv/apps/auth/index.js",
        "run/nano-admin",
        "run/api_key",
    ] {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("created");
        std::fs::write(path, "text").expect("written");
    }
    let reference = std::fs::read_to_string("tests/config/reference.kdl").expect("it is there");
    let here = |path: &str| format!("\"{}/", root.join(path).display());
    let moved = reference
        .replace("\"/srv/", &here("srv"))
        .replace("\"/run/secrets/", &here("run"))
        .replace("(env)\"SHOP_TOKEN\"", "(env)\"PATH\"");
    std::fs::write(root.join("nano.kdl"), moved).expect("written");
    let report = Plan::load(&root.join("nano.kdl")).expect_err("it has it all");
    let said: Vec<_> =
        report.lines().map(|line| line.rsplit(": ").next().map(str::to_owned).expect("one part")).collect();
    let lacks = |what: &&str| format!("{what} not available in this build");
    let expected = [
        "TLS is",
        "TypeScript is",
        "key-value storage is",
        "key-value storage is",
        "SQLite storage is",
        "the cache is",
        "bindings between apps are",
        "serving static files is",
        "scheduled events are",
        "rate limiting is",
        "an app without a listener, reached through service bindings alone, is",
    ];
    assert_eq!(said, expected.iter().map(lacks).collect::<Vec<_>>());
}

#[test]
fn wildcards_stand_in_what_is_written_and_not_in_the_name_of_the_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("[v1]*");
    for (path, text) in [
        ("app/index.js", "export default {};"),
        ("nano.kdl", "include \"one.kdl\" \"conf.d/*.kdl\""),
        ("one.kdl", "app \"one\" \"app\" { host \"one\"; }"),
        ("conf.d/two.kdl", "app \"two\" \"../app\" { host \"two\"; }"),
    ] {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("created");
        std::fs::write(path, text).expect("written");
    }
    let (plan, _) = Plan::load(&root.join("nano.kdl")).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(plan.apps.iter().map(|app| &*app.name).collect::<Vec<_>>(), ["one", "two"]);
    assert!(plan.files.contains(&root.join("conf.d")), "{:?}", plan.files);
}

#[test]
fn a_folder_that_a_pattern_may_not_look_into_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [config, parts] = ["nano.kdl", "conf.d"].map(|name| folder.path().join(name));
    std::fs::write(&config, "include \"conf.d/*.kdl\"").expect("written");
    std::fs::create_dir(&parts).expect("created");
    std::fs::set_permissions(&parts, Permissions::from_mode(0o300)).expect("it is ours");
    if std::fs::read_dir(&parts).is_ok() {
        return; // root may look into any
    }
    let report = Plan::load(&config).expect_err("there may be apps in it");
    let expected = format!("cannot look into {}: permission denied", parts.display());
    assert!(report.lines().any(|line| line.contains(&expected)), "{report}");
}

#[test]
fn the_example_is_good() {
    let (plan, warnings) = Plan::load(Path::new("nano.kdl.example")).unwrap_or_else(|report| panic!("{report}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    let examples = std::fs::read_dir("examples").unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(plan.apps.len(), examples.count(), "every example is served");
}

#[test]
fn a_warning_is_a_line_in_the_log() {
    let (_, warnings) =
        Plan::load(Path::new("tests/config/good/warnings.kdl")).unwrap_or_else(|error| panic!("{error}"));
    let lines: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(lines[1], "tests/config/good/warnings.kdl:6:10: no app answers on listener `idle`");
}

#[test]
fn a_missing_config_is_named() {
    let report = Plan::load(Path::new("no/such/nano.kdl")).expect_err("it is not there");
    assert_eq!(report.lines().collect::<Vec<_>>(), ["cannot read no/such/nano.kdl: no such file or directory"]);
}

#[test]
fn a_folder_alone_is_a_plan() {
    let (plan, _) = Plan::for_folder(Path::new("tests/config/apps/ok")).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(&*plan.apps[0].name, "ok");
    assert_eq!(plan.apps[0].entry, "index.js");
    assert!(plan.apps[0].folder.is_absolute());
    assert_eq!(plan.listeners[0].address.to_string(), "127.0.0.1:8080");
    assert_eq!(plan.routes.lookup(0, "any.example", "/any"), Some(0));
}

#[test]
fn a_folder_without_an_app_says_what_it_lacks() {
    let report = Plan::for_folder(Path::new("tests/config/apps/empty")).expect_err("there is no code in it");
    assert!(report.to_string().contains("nothing says where its code begins"), "{report}");
}

/// A folder with an app and a config beside it that can be rewritten.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for app in ["a", "b", "c"] {
            std::fs::create_dir(folder.path().join(app)).expect("created");
            std::fs::write(folder.path().join(app).join("index.js"), "").expect("written");
        }
        Self(folder)
    }

    fn load(&self, config: &[u8]) -> Result<Plan, nano::config::Report> {
        let path = self.0.path().join("nano.kdl");
        std::fs::write(&path, config).expect("written");
        Plan::load(&path).map(|(plan, _)| plan)
    }

    fn plan(&self, config: &str) -> Plan {
        self.load(config.as_bytes()).unwrap_or_else(|report| panic!("{report}"))
    }
}

#[test]
fn defaults_reach_an_app_a_name_at_a_time() {
    let plan = Folder::new().plan(
        r#"
        log { level "warn"; }
        defaults {
            limits cpu="1s" memory="64MiB"
            env { A 1; B 1; }
            log max-lines="5/s"
        }
        app "a" "a" {
            limits cpu="2s"
            env { B 2; C 2; }
        }
        "#,
    );
    let app = &plan.apps[0];
    assert_eq!((app.limits.cpu.as_secs(), app.limits.memory, app.limits.wall.as_secs()), (2, 64 << 20, 30));
    let env: Vec<_> = app.env.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let number = EnvValue::Number;
    assert_eq!(env, [("A", number(1.0)), ("B", number(2.0)), ("C", number(2.0))]);
    assert_eq!((app.log.level, app.log.max_lines), (Level::Warn, 5.0));
}

#[test]
fn a_secret_is_read_without_its_newline_and_never_shown() {
    let folder = Folder::new();
    std::fs::write(folder.0.path().join("key"), "hush \r\n").expect("written");
    let plan =
        folder.plan("admin \"127.0.0.1:1\" { token (file)\"key\"; }\napp \"a\" \"a\" { env { KEY (file)\"key\"; } }");
    let secret = EnvValue::String { value: "hush ".into(), secret: true };
    assert_eq!(plan.apps[0].env["KEY"], secret);
    assert_eq!(plan.admin_token.as_ref().map(|token| token.expose()), Some("hush "));
    let shown = format!("{plan:?}{}", nano::cli::check::summary(Path::new("x"), &plan));
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn two_plans_differ_by_the_apps_and_listeners_that_do() {
    let folder = Folder::new();
    let old = folder.plan(
        r#"
        listener "one" "127.0.0.1:1"
        listener "two" "127.0.0.1:2"
        app "a" "a" { listen "two"; }
        app "b" "b" { path "/b"; }
        "#,
    );
    let new = folder.plan(
        r#"
        listener "two" "127.0.0.1:2"
        listener "one" "127.0.0.1:3"
        listener "three" "127.0.0.1:4"
        app "c" "c"
        app "a" "a" { listen "two"; }
        app "b" "b" { path "/b"; limits cpu="1s"; }
        "#,
    );
    let Diff { listeners, apps } = old.diff(&new);
    assert_eq!(
        (listeners.to_add, listeners.to_change, listeners.to_remove),
        (vec!["three".into()], vec!["one".into()], vec![])
    );
    assert_eq!((apps.to_add, apps.to_change, apps.to_remove), (vec!["c".into()], vec!["b".into()], vec![]));
    let back = new.diff(&old);
    assert_eq!((back.apps.to_remove, back.listeners.to_remove), (vec!["c".to_owned()], vec!["three".to_owned()]));
    assert!(old.diff(&old).apps.is_empty());
}

#[test]
fn a_changed_secret_changes_its_app() {
    let folder = Folder::new();
    let config = "app \"a\" \"a\" { env { KEY (file)\"key\"; } }\napp \"b\" \"b\" { path \"/b\"; }";
    std::fs::write(folder.0.path().join("key"), "old").expect("written");
    let old = folder.plan(config);
    std::fs::write(folder.0.path().join("key"), "new").expect("written");
    assert_eq!(old.diff(&folder.plan(config)).apps.to_change, ["a"]);
}

#[test]
fn a_failed_load_still_tells_which_files_to_watch() {
    let folder = Folder::new();
    std::fs::write(folder.0.path().join("more.kdl"), "app {").expect("written");
    let report = folder.load(b"include \"more.kdl\"").expect_err("it is broken");
    assert_eq!(report.files(), [folder.0.path().join("nano.kdl"), folder.0.path().join("more.kdl")]);
}

/// Whatever a file holds, loading it says something and can be shown.
fn survives(config: &[u8]) {
    match Folder::new().load(config) {
        Ok(plan) => drop(nano::cli::check::summary(Path::new("nano.kdl"), &plan)),
        Err(report) => {
            assert!(!report.render(true).is_empty());
            assert_ne!(report.lines().count(), 0);
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_loader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        survives(&bytes);
    }

    #[test]
    fn no_text_of_tokens_makes_the_loader_panic(
        text in "(app|env|log|\"a\"|#\"|\"|\"\"\"|=|\\{|\\}|\\(file\\)|\\(|#true|true|/-|/\\*|\\*/|//|\\\\|[0-9]|;|,|é|\u{2028}|\n| ){0,60}",
    ) {
        survives(text.as_bytes());
    }

    #[test]
    fn no_change_to_a_valid_file_makes_the_loader_panic(
        at in any::<proptest::sample::Index>(), length in 0..12usize, with in proptest::collection::vec(any::<u8>(), 0..6),
    ) {
        let mut config = std::fs::read("tests/config/reference.kdl").expect("it is there");
        let at = at.index(config.len());
        let end = (at + length).min(config.len());
        config.splice(at..end, with);
        survives(&config);
    }
}

#[test]
fn deep_nesting_is_refused_rather_than_followed() {
    survives("a {".repeat(100_000).as_bytes());
    survives("/*".repeat(100_000).as_bytes());
    survives("}".repeat(100_000).as_bytes());
    survives("/-".repeat(100_000).as_bytes());
    survives("(a)".repeat(100_000).as_bytes());
    survives("a = = ".repeat(100_000).as_bytes());
}
