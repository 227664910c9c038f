//! Whether the system allows what the plan may need: open files, memory mappings, threads, memory.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::plan::Plan;

/// What a live isolate and its thread take with a heap of a few MiB: 28 mappings, measured with 50 of them.
const MAPS_PER_ISOLATE: u64 = 32;
/// Mappings for each MiB that its heap grows, measured at 80 MiB: 2.4. V8 maps a heap in pages of 256 KiB, of which some
/// are neighbours and count as one.
const MAPS_PER_MIB: u64 = 3;
/// What an isolate's event loop waits with: an epoll, what wakes it, and what tells of signals.
const FILES_PER_ISOLATE: u64 = 3;
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
    shortages(needs(plan), allowed())
}

/// Isolates that the system has files and threads for, at least one. They may take half of the files: a connection that
/// finds none left waits, an isolate cannot.
pub(super) fn max_isolates(plan: &Plan) -> usize {
    room(allowed(), plan.io_threads as u64)
}

/// Memory mappings that isolates may take: all but what the process takes besides.
pub(super) fn max_mappings() -> usize {
    let maps = allowed().maps.map_or(u64::MAX, |maps| maps.saturating_sub(MAPS));
    usize::try_from(maps).unwrap_or(usize::MAX)
}

/// Bytes that all isolates may take together: as the plan says, else four fifths of the machine's memory, or of the
/// cgroup's.
pub(super) fn memory_total(plan: &Plan) -> usize {
    plan.memory_total.unwrap_or_else(|| {
        let present = [machine_memory(), cgroup_limit("memory.max")].into_iter().flatten().min();
        present.map_or(usize::MAX, |bytes| usize::try_from(bytes / 5 * 4).unwrap_or(usize::MAX))
    })
}

fn machine_memory() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

fn allowed() -> Amounts {
    let maps = read_number("/proc/sys/vm/max_map_count".as_ref());
    Amounts { files: raise_open_files(), maps, threads: cgroup_limit("pids.max") }
}

fn room(allowed: Amounts, io_threads: u64) -> usize {
    let rest = [
        allowed.files.map(|files| files / 2 / FILES_PER_ISOLATE),
        allowed.threads.map(|threads| threads.saturating_sub(THREADS + io_threads)),
    ];
    let most = rest.into_iter().flatten().min().unwrap_or(u64::MAX).max(1);
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// Mappings of one isolate with a heap of `heap` MiB.
fn maps_of(heap: u64) -> u64 {
    MAPS_PER_ISOLATE + heap * MAPS_PER_MIB
}

fn needs(plan: &Plan) -> Amounts {
    let limits = || plan.apps.iter().map(|app| (app.limits.isolates as u64, app.limits.memory as u64 >> 20));
    let isolates: u64 = limits().map(|(isolates, _)| isolates).sum();
    let maps: u64 = limits().map(|(isolates, memory)| isolates * maps_of(memory)).sum();
    Amounts {
        files: Some(FILES + connections(plan) + isolates * FILES_PER_ISOLATE),
        maps: Some(MAPS + maps),
        threads: Some(THREADS + plan.io_threads as u64 + isolates),
    }
}

fn connections(plan: &Plan) -> u64 {
    let outgoing = plan.apps.iter().map(|app| app.egress.max_connections as u64);
    plan.listeners.iter().map(|listener| listener.max_connections as u64).chain(outgoing).sum()
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
                 may be {needs}: raise {setting}, or lower `isolates`, `memory` or \
                 `max-connections`"
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

/// A limit of the cgroup's (cgroup v2).
fn cgroup_limit(file: &str) -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = Path::new("/sys/fs/cgroup");
    // The tightest of its own and its ancestors'.
    root.join(group)
        .ancestors()
        .take_while(|folder| folder.starts_with(root))
        .filter_map(|folder| read_number(&folder.join(file)))
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
    fn isolates_are_capped_by_what_they_take_and_by_nothing_else() {
        let allowed = Amounts { files: Some(1000), maps: Some(65_530), threads: None };
        assert_eq!(room(allowed, 2), 166);
        assert_eq!(room(Amounts { threads: Some(100), ..allowed }, 2), 34);
        assert_eq!(room(Amounts { threads: Some(10), ..allowed }, 2), 1);
        assert_eq!(room(Amounts { files: None, maps: None, threads: None }, 2), usize::MAX);
    }

    #[test]
    fn the_open_files_limit_is_the_hard_one_afterwards() {
        raise_open_files();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
