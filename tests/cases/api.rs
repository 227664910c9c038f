//! The web platform: each file of `tests/api/` runs in an app, which reports the checks it made.

use std::path::Path;

use crate::support::Setup;

#[test]
fn the_web_platform_does_what_its_standards_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api");
    let nano = Setup::new()
        .config(&format!("app \"api\" {folder:?} {{ host \"api.test\"; limits wall=\"120s\"; }}\n"))
        .start();
    let mut failures = Vec::new();
    let mut passed = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_none_or(|extension| extension != "js") || name == "index" {
            continue;
        }
        let answer = nano.get("api", &format!("/{name}"));
        if answer.status != 200 {
            failures.push(format!("{name}: {} {}", answer.status, answer.text()));
            continue;
        }
        let report = answer.json();
        let checks = report["passed"].as_array().unwrap().len();
        let failed = report["failed"].as_array().unwrap();
        println!("{name}: {checks} passed, {} failed", failed.len());
        passed += checks;
        failures.extend(failed.iter().map(|check| format!("{name}: {}: {}", check["name"], check["error"])));
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
    assert!(passed > 0, "there are checks to run");
}
