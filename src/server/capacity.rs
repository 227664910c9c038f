//! Whether the system allows what the plan may need: open files, memory mappings, threads.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::plan::Plan;

/// What one isolate and its thread take: an epoll, an eventfd and a socket pair with its copy, and one in reserve.
const FILES_PER_ISOLATE: u64 = 6;
/// A stack with its guard, and the heap's spaces, code range and pages.
const MAPS_PER_ISOLATE: u64 = 64;
/// What the process takes besides: libraries, listeners, logs, V8's own threads.
const FILES: u64 = 128;
const MAPS: u64 = 2048;
const THREADS: u64 = 64;

/// What a plan needs at most, or what the system gives. `None` is without limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Amounts {
    files: Option<u64>,
    maps: Option<u64>,
    threads: Option<u64>,
}

/// Raises the limit on open files to what the system allows, and says what may run short all the same, with the
/// setting to raise.
pub(super) fn check(plan: &Plan) -> Vec<String> {
    let files = raise_open_files();
    let maps = read_number("/proc/sys/vm/max_map_count".as_ref());
    let allowed = Amounts { files, maps, threads: pids_max() };
    shortages(needs(plan), allowed)
}

/// Isolates that the system has room for beside the plan's connections, at least one.
pub(super) fn max_isolates(plan: &Plan) -> usize {
    let files = raise_open_files();
    let maps = read_number("/proc/sys/vm/max_map_count".as_ref());
    let rest = [
        files.map(|files| files.saturating_sub(FILES + connections(plan)) / FILES_PER_ISOLATE),
        maps.map(|maps| maps.saturating_sub(MAPS) / MAPS_PER_ISOLATE),
        pids_max().map(|threads| threads.saturating_sub(THREADS + plan.io_threads as u64)),
    ];
    let most = rest.into_iter().flatten().min().unwrap_or(u64::MAX).max(1);
    usize::try_from(most).unwrap_or(usize::MAX)
}

fn needs(plan: &Plan) -> Amounts {
    let isolates: u64 = plan.apps.iter().map(|app| app.limits.isolates as u64).sum();
    Amounts {
        files: Some(FILES + connections(plan) + isolates * FILES_PER_ISOLATE),
        maps: Some(MAPS + isolates * MAPS_PER_ISOLATE),
        threads: Some(THREADS + plan.io_threads as u64 + isolates),
    }
}

fn connections(plan: &Plan) -> u64 {
    plan.listeners.iter().map(|listener| listener.max_connections as u64).sum()
}

fn shortages(needs: Amounts, allowed: Amounts) -> Vec<String> {
    let rows = [
        ("open files", needs.files, allowed.files, "`LimitNOFILE=` of the service, or `ulimit -Hn`"),
        ("memory mappings", needs.maps, allowed.maps, "`sysctl vm.max_map_count`"),
        ("threads", needs.threads, allowed.threads, "`TasksMax=` of the service (the cgroup's pids.max)"),
    ];
    let short = rows.into_iter().filter_map(|(what, needs, allowed, setting)| {
        let (needs, allowed) = (needs?, allowed?);
        (needs > allowed).then(|| {
            format!(
                "the system allows {allowed} {what}, but with every isolate and connection of the plan in use there \
                 may be {needs}: raise {setting}, or lower `isolates` or `max-connections`"
            )
        })
    });
    short.collect()
}

/// Sets the soft limit to the hard one, and gives what holds then.
fn raise_open_files() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

/// The cgroup's limit on threads (cgroup v2).
fn pids_max() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = Path::new("/sys/fs/cgroup");
    // The tightest of its own and its ancestors'.
    root.join(group)
        .ancestors()
        .take_while(|folder| folder.starts_with(root))
        .filter_map(|folder| read_number(&folder.join("pids.max")))
        .min()
}

/// A file's number; `None` if there is none (`max`) or no file.
fn read_number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_names_the_setting_and_both_numbers() {
        let needs = Amounts { files: Some(100), maps: Some(70_000), threads: Some(10) };
        let allowed = Amounts { files: None, maps: Some(65_530), threads: Some(10) };
        let said = shortages(needs, allowed);
        assert_eq!(said.len(), 1, "{said:?}");
        for part in ["65530 memory mappings", "70000", "vm.max_map_count"] {
            assert!(said[0].contains(part), "{part} is not in: {}", said[0]);
        }
    }

    #[test]
    fn the_open_files_limit_is_the_hard_one_afterwards() {
        raise_open_files();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
