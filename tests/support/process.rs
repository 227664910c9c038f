//! Ports to listen on, and what the kernel says a process uses.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// A port nobody listens on, given out once. All lie below the range the kernel takes for outgoing connections, so
/// that no connection of another test can be in the way when nano binds it.
pub fn free_port() -> u16 {
    const FIRST: u16 = 10_000;
    const SPAN: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() as u16).wrapping_mul(61); // processes beside this one start elsewhere
    loop {
        let offset = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % SPAN;
        if TcpListener::bind(("127.0.0.1", FIRST + offset)).is_ok() {
            return FIRST + offset;
        }
    }
}

/// What a process holds.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Resident memory, in bytes.
    pub memory: u64,
    /// Threads.
    pub threads: usize,
    /// Open file descriptors.
    pub files: usize,
    /// CPU time of all threads so far.
    pub cpu: Duration,
}

/// Reads what process `pid` holds now.
pub fn usage(pid: u32) -> Usage {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is alive");
    let field = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let clocks = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is alive");
    // User and system time are the 12th and 13th field after the name, which ends with the last parenthesis.
    let (_, clocks) = clocks.rsplit_once(") ").unwrap();
    let ticks: u64 = clocks.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Usage {
        memory: field("VmRSS:") * 1024,
        threads: field("Threads:") as usize,
        files: std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
        cpu: Duration::from_millis(10 * ticks), // USER_HZ is 100 on every Linux of today
    }
}
