//! Code that runs for long gives way to code that does not.

use rustix::process::{getpriority_process, setpriority_process};

use super::answers;
use crate::support::{Nano, Request, Setup, eventually};

/// Nice values of the threads that run apps (proc(5): stat, field 19).
fn nices(nano: &Nano) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", nano.pid())).unwrap();
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("stat")).ok());
    let workers = stats.filter(|stat| stat.contains("(worker-"));
    workers.map(|stat| stat.rsplit_once(") ").unwrap().1.split(' ').nth(16).unwrap().parse().unwrap()).collect()
}

/// Whether a thread of this user may return from the last place.
fn may_return() -> bool {
    let tried = std::thread::spawn(|| {
        let normal = getpriority_process(None).unwrap();
        setpriority_process(None, 19).is_ok() && setpriority_process(None, normal).is_ok()
    });
    tried.join().unwrap()
}

#[test]
fn a_long_turn_runs_after_all_others_and_a_short_one_does_not() {
    let normal = getpriority_process(None).unwrap();
    let spin = "(() => { for (const end = Date.now() + 1500; Date.now() < end;); return 'spun'; })()";
    let script = answers(&format!("url.pathname === '/long' ? {spin} : 'short'"));
    let nano = Setup::new().app("a", "limits isolates=1 cpu=\"20s\" wall=\"60s\"", &script).start();
    nano.get("a", "/").says("short");
    assert!(nices(&nano).iter().all(|nice| *nice == normal));
    let mut client = nano.connect();
    client.write(Request::get("a", "/long").bytes());
    let last = if may_return() { 19 } else { normal };
    eventually("the long turn to give way", || nices(&nano).contains(&last).then_some(()));
    client.response().says("spun");
    for _ in 0..2 {
        nano.get("a", "/").says("short");
    }
    eventually("all to run alike", || nices(&nano).iter().all(|nice| *nice == normal).then_some(()));
}
