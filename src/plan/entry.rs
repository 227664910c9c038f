//! Which module of an app's folder comes first.

use std::path::{Component, Path};

use crate::config::{self, App, Context, Problem, Span, plain, refuse_unavailable};

/// Looked for, in this order, where neither `entry` nor `package.json` names one.
const NAMES: [&str; 8] = [
    "index.ts",
    "index.mts",
    "index.js",
    "index.mjs",
    "src/index.ts",
    "src/index.mts",
    "src/index.js",
    "src/index.mjs",
];

/// The entry of the app in `folder`, relative to it and `/`-separated.
pub(super) fn find(cx: &Context, app: &App, folder: &Path) -> Option<String> {
    if let Some(entry) = &app.entry {
        return Candidate { cx, folder, span: entry.span, said_by: "`entry`" }.check(&entry.value);
    }
    let span = app.folder.as_ref().map_or(app.span, |folder| folder.span);
    let found = match package(cx, folder, span) {
        Ok(Some(main)) => return Candidate { cx, folder, span, said_by: "package.json" }.check(&main),
        Ok(None) => NAMES.into_iter().find(|name| folder.join(name).is_file()),
        Err(Reported) => return None,
    };
    match found {
        Some(name) => Candidate { cx, folder, span, said_by: "the app" }.check(name),
        None => {
            let shown = app.folder.as_ref().map_or(folder, |folder| &folder.value);
            cx.push(
                Problem::error(format!("no app in {}: nothing says where its code begins", shown.display()))
                    .at(span, "expected an index.js in this folder")
                    .help("looked for `main` and `module` in package.json, index.{ts,mts,js,mjs} and src/index.*"),
            );
            None
        }
    }
}

/// The reason is in the report.
struct Reported;

/// What `package.json` names, if it is there.
fn package(cx: &Context, folder: &Path, span: Span) -> Result<Option<String>, Reported> {
    let bytes = match config::read(&folder.join("package.json"), config::LARGEST) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            cx.push(
                Problem::error(format!("its package.json cannot be read: {}", plain(&error)))
                    .at(span, "in this folder"),
            );
            return Err(Reported);
        }
    };
    let package: serde_json::Value = match serde_json::from_slice(&bytes) {
        Ok(package) => package,
        Err(error) => {
            cx.push(Problem::error(format!("its package.json is not JSON: {error}")).at(span, "in this folder"));
            return Err(Reported);
        }
    };
    let named = ["main", "module"].into_iter().find_map(|key| package.get(key)?.as_str());
    Ok(named.map(str::to_owned))
}

/// Somebody's word for the entry.
struct Candidate<'a> {
    cx: &'a Context,
    folder: &'a Path,
    span: Span,
    said_by: &'a str,
}

impl Candidate<'_> {
    fn refuse(&self, message: String, expected: &str) -> Option<String> {
        self.cx.push(Problem::error(message).at(self.span, format!("expected {expected}")));
        None
    }

    fn check(&self, written: &str) -> Option<String> {
        let inside = "a path inside the app's folder";
        let mut parts = Vec::new();
        for part in Path::new(written).components() {
            match part {
                Component::CurDir => {}
                Component::Normal(part) => parts.push(part.to_str()?),
                _ => return self.refuse(format!("{} leads out of the folder: {written}", self.said_by), inside),
            }
        }
        let entry = parts.join("/");
        let path = self.folder.join(&entry);
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let names = format!("{} names {written}, which does not exist", self.said_by);
                return self.refuse(names, "a file in the app's folder");
            }
            Err(error) => {
                return self.refuse(format!("{entry} cannot be read: {}", plain(&error)), "a file nano may read");
            }
        };
        if !real.starts_with(self.folder) {
            return self.refuse(format!("{entry} is a link out of the folder"), inside);
        }
        if !real.is_file() {
            return self
                .refuse(format!("{} names {written}, which is no file", self.said_by), "a module, such as index.js");
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("js" | "mjs") => Some(entry),
            Some("ts" | "mts") => {
                if refuse_unavailable(self.cx, "app.entry=typescript", self.span) {
                    return None;
                }
                Some(entry)
            }
            Some("cjs") => self.refuse(format!("{entry} is a CommonJS module"), "an ES module: .js or .mjs"),
            _ => self.refuse(format!("{entry} is not JavaScript by its name"), "a file that ends in .js or .mjs"),
        }
    }
}
