//! The route table: listener, host and path, to an app.
//!
//! Hosts go from the exact one over `*.` wildcards, longest first, to none. At each step an app that names the
//! listener comes before one that does not, an exact path before a prefix, a longer prefix before a shorter one. Where
//! nothing at a step matches, the next step is tried.

use rustc_hash::FxHashMap;

use super::Claim;

/// Finds the app for a listener, host and path: a few hash lookups, no allocation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RouteTable {
    exact: FxHashMap<Box<str>, Paths>,
    /// By what follows `*.`
    wildcards: FxHashMap<Box<str>, Paths>,
    any: Paths,
}

/// What one host (or wildcard, or no host) answers.
#[derive(Debug, Clone, Default, PartialEq)]
struct Paths {
    /// By listener, sorted by it.
    named: Vec<(usize, PathTable)>,
    everywhere: PathTable,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct PathTable {
    exact: FxHashMap<Box<str>, usize>,
    /// Without the trailing `/*`; the empty one matches every path.
    prefixes: FxHashMap<Box<str>, usize>,
    /// Bytes of the longest prefix: how much of a path is worth looking at.
    longest: usize,
}

impl RouteTable {
    /// A table of claims, each with the index of its app. Of equal claims the first counts.
    pub fn new<'c>(claims: impl IntoIterator<Item = (&'c Claim, usize)>) -> Self {
        let mut table = Self::default();
        for (claim, app) in claims {
            let paths = match claim.host.as_deref() {
                None => &mut table.any,
                Some(host) => match host.strip_prefix("*.") {
                    Some(suffix) => table.wildcards.entry(suffix.into()).or_default(),
                    None => table.exact.entry(host.into()).or_default(),
                },
            };
            paths.of(claim.listener).insert(claim.path.as_deref(), app);
        }
        table
    }

    /// Index into [`Plan::apps`](super::Plan::apps) of the app that answers.
    ///
    /// `listener` is an index into [`Plan::listeners`](super::Plan::listeners); `host` and `path` are as
    /// [`normalize_host`](super::target::normalize_host) and [`normalize_path`](super::target::normalize_path) leave
    /// them.
    pub fn lookup(&self, listener: usize, host: &str, path: &str) -> Option<usize> {
        if let Some(app) = self.exact.get(host).and_then(|paths| paths.lookup(listener, path)) {
            return Some(app);
        }
        if !self.wildcards.is_empty() {
            let mut suffix = host;
            while let Some((_, rest)) = suffix.split_once('.') {
                suffix = rest;
                if let Some(app) = self.wildcards.get(suffix).and_then(|paths| paths.lookup(listener, path)) {
                    return Some(app);
                }
            }
        }
        self.any.lookup(listener, path)
    }
}

impl Paths {
    fn of(&mut self, listener: Option<usize>) -> &mut PathTable {
        let Some(listener) = listener else { return &mut self.everywhere };
        let at = match self.named.binary_search_by_key(&listener, |(listener, _)| *listener) {
            Ok(at) => at,
            Err(at) => {
                self.named.insert(at, (listener, PathTable::default()));
                at
            }
        };
        &mut self.named[at].1
    }

    fn lookup(&self, listener: usize, path: &str) -> Option<usize> {
        let named = self.named.binary_search_by_key(&listener, |(listener, _)| *listener).ok();
        let named = named.and_then(|at| self.named[at].1.lookup(path));
        named.or_else(|| self.everywhere.lookup(path))
    }
}

impl PathTable {
    fn insert(&mut self, path: Option<&str>, app: usize) {
        match path.map_or(Some(""), |path| path.strip_suffix("/*")) {
            Some(prefix) => {
                self.longest = self.longest.max(prefix.len());
                self.prefixes.entry(prefix.into()).or_insert(app);
            }
            None => {
                self.exact.entry(path.unwrap_or_default().into()).or_insert(app);
            }
        }
    }

    fn lookup(&self, path: &str) -> Option<usize> {
        if let Some(app) = self.exact.get(path) {
            return Some(*app);
        }
        if self.prefixes.is_empty() {
            return None;
        }
        // A prefix ends where the path does or before a slash. No prefix is longer than `longest`, so that a path
        // of many segments costs no more than the config's own longest one.
        if path.len() <= self.longest
            && let Some(app) = self.prefixes.get(path)
        {
            return Some(*app);
        }
        let mut end = path.len().min(self.longest + 1);
        while let Some(slash) = path.as_bytes()[..end].iter().rposition(|byte| *byte == b'/') {
            if let Some(app) = self.prefixes.get(&path[..slash]) {
                return Some(*app);
            }
            end = slash;
        }
        self.prefixes.get("").copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claim(listener: Option<usize>, host: &str, path: &str) -> Claim {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Claim { listener, host: some(host), path: some(path) }
    }

    /// The rules, one line each: what is claimed, by app 0, 1, 2 …, and who answers what.
    #[test]
    fn routing_follows_the_rules() {
        type Rule<'a> =
            (&'a str, &'a [(Option<usize>, &'a str, &'a str)], &'a [(usize, &'a str, &'a str, Option<usize>)]);
        let rules: &[Rule<'_>] = &[
            ("no claim answers nothing", &[], &[(0, "a.example", "/", None)]),
            (
                "no host, path or listener is everything, everywhere",
                &[(None, "", "")],
                &[(0, "a.example", "/", Some(0)), (7, "", "/x/y", Some(0)), (0, "a", "*", Some(0))],
            ),
            (
                "an exact host comes before a wildcard, that before no host",
                &[(None, "", ""), (None, "*.example", ""), (None, "a.example", "")],
                &[(0, "a.example", "/", Some(2)), (0, "b.example", "/", Some(1)), (0, "a.test", "/", Some(0))],
            ),
            (
                "a wildcard is one or more labels, not the apex",
                &[(None, "*.example.com", "")],
                &[
                    (0, "a.example.com", "/", Some(0)),
                    (0, "b.a.example.com", "/", Some(0)),
                    (0, "example.com", "/", None),
                    (0, "xexample.com", "/", None),
                ],
            ),
            (
                "the longest wildcard comes first",
                &[(None, "*.com", ""), (None, "*.a.com", ""), (None, "*.b.a.com", "")],
                &[(0, "x.b.a.com", "/", Some(2)), (0, "b.a.com", "/", Some(1)), (0, "a.com", "/", Some(0))],
            ),
            (
                "an app that names the listener comes before one that does not",
                &[(None, "a", ""), (Some(1), "a", "")],
                &[(0, "a", "/", Some(0)), (1, "a", "/", Some(1)), (2, "a", "/", Some(0))],
            ),
            (
                "naming the listener outweighs the path",
                &[(None, "a", "/x"), (Some(0), "a", "")],
                &[(0, "a", "/x", Some(1)), (1, "a", "/x", Some(0))],
            ),
            (
                "the host outweighs naming the listener",
                &[(Some(0), "", ""), (None, "a", "")],
                &[(0, "a", "/", Some(1)), (0, "b", "/", Some(0)), (1, "b", "/", None)],
            ),
            (
                "an exact path comes before a prefix, a longer prefix before a shorter",
                &[(None, "", "/a/*"), (None, "", "/a/b/*"), (None, "", "/a/b"), (None, "", "")],
                &[
                    (0, "h", "/a/b", Some(2)),
                    (0, "h", "/a/b/", Some(1)),
                    (0, "h", "/a/b/c/d", Some(1)),
                    (0, "h", "/a/bc", Some(0)),
                    (0, "h", "/a", Some(0)),
                    (0, "h", "/z", Some(3)),
                ],
            ),
            (
                "a prefix ends at a segment's end",
                &[(None, "", "/api/*")],
                &[
                    (0, "h", "/api", Some(0)),
                    (0, "h", "/api/", Some(0)),
                    (0, "h", "/api/x", Some(0)),
                    (0, "h", "/apix", None),
                ],
            ),
            (
                "an exact path is that path alone",
                &[(None, "", "/api")],
                &[(0, "h", "/api", Some(0)), (0, "h", "/api/", None), (0, "h", "/api/x", None), (0, "h", "/", None)],
            ),
            (
                "an encoded slash ends no segment",
                &[(None, "", "/api/*")],
                &[(0, "h", "/api%2Fx", None), (0, "h", "/api/a%2Fb", Some(0))],
            ),
            (
                "where no path of a host matches, the next class is tried",
                &[(None, "a.b", "/x"), (None, "*.b", "/y/*"), (None, "", "")],
                &[(0, "a.b", "/x", Some(0)), (0, "a.b", "/y/z", Some(1)), (0, "a.b", "/z", Some(2))],
            ),
            (
                "where no path of the listener's apps matches, those of every listener are tried",
                &[(Some(0), "a", "/x/*"), (None, "a", "/y")],
                &[(0, "a", "/x/1", Some(0)), (0, "a", "/y", Some(1)), (1, "a", "/x/1", None)],
            ),
        ];
        for (rule, claims, answers) in rules {
            let claims: Vec<_> = claims.iter().map(|(listener, host, path)| claim(*listener, host, path)).collect();
            let table = RouteTable::new(claims.iter().zip(0..));
            for (listener, host, path, app) in *answers {
                assert_eq!(table.lookup(*listener, host, path), *app, "{rule}: {listener} {host} {path}");
            }
        }
    }

    /// The rules again, as a sort of every claim that matches.
    fn naive(claims: &[Claim], listener: usize, host: &str, path: &str) -> Option<usize> {
        let matching = claims.iter().enumerate().filter_map(|(app, claim)| {
            let host_rank = match claim.host.as_deref() {
                None => 0,
                Some(known) => match known.strip_prefix('*') {
                    Some(suffix) if host.len() > suffix.len() && host.ends_with(suffix) => suffix.len(),
                    None if known == host => usize::MAX,
                    _ => return None,
                },
            };
            let listener_rank = match claim.listener {
                None => 0,
                Some(known) if known == listener => 1,
                _ => return None,
            };
            let path_rank = match claim.path.as_deref() {
                None => 0,
                Some(known) => match known.strip_suffix("/*") {
                    Some(prefix) if path == prefix || path.starts_with(&format!("{prefix}/")) => prefix.len(),
                    None if known == path => usize::MAX,
                    _ => return None,
                },
            };
            Some(((host_rank, listener_rank, path_rank, std::cmp::Reverse(app)), app))
        });
        matching.max_by_key(|(rank, _)| *rank).map(|(_, app)| app)
    }

    fn hosts() -> impl Strategy<Value = String> {
        "[ab](\\.[ab]){0,3}"
    }

    fn paths() -> impl Strategy<Value = String> {
        "(/[ab]{0,2}){1,4}"
    }

    fn claims() -> impl Strategy<Value = Claim> {
        let host = prop_oneof![Just(None), hosts().prop_map(Some), hosts().prop_map(|host| Some(format!("*.{host}")))];
        let path = prop_oneof![Just(None), paths().prop_map(Some), paths().prop_map(|path| Some(format!("{path}/*")))];
        (proptest::option::of(0..3usize), host, path).prop_map(|(listener, host, path)| Claim { listener, host, path })
    }

    proptest! {
        #[test]
        fn lookup_agrees_with_the_rules_taken_naively(
            claims in proptest::collection::vec(claims(), 0..40), listener in 0..4usize, host in hosts(), path in paths(),
        ) {
            let table = RouteTable::new(claims.iter().zip(0..));
            prop_assert_eq!(table.lookup(listener, &host, &path), naive(&claims, listener, &host, &path));
        }
    }
}
