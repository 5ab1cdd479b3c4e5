//! Real processes that die, or whose disk is full, at a chosen system call: `strace` (Debian: `strace`) lets the n-th
//! call of a kind fail, or kills the process before it. The program under test knows nothing about it.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output};

/// What happens at the chosen call instead of the call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The process is killed and can not clean up.
    Death,
    /// The call fails because there is no room.
    FullDisk,
}

/// System calls that change files; a question mark lets `strace` skip those that a processor does not have.
const CHANGES: [&str; 8] = [
    "write",
    "fsync",
    "?rename",
    "?renameat",
    "?mkdir",
    "?mkdirat",
    "?unlink",
    "?unlinkat",
];

/// Runs a command again and again, once for each of its changes to files, of which that one goes wrong; `check` gets
/// the name of the call and what the command printed.
///
/// `command` puts everything in order first. Returns how many calls went wrong, or nothing where `strace` does not
/// work.
pub(crate) fn at_every_change(
    fault: Fault,
    command: impl Fn() -> Command,
    mut check: impl FnMut(&str, Output),
) -> Option<usize> {
    if !works() {
        skipped("strace does not work here, so no process was stopped between system calls");
        return None;
    }
    let mut struck = 0;
    for call in CHANGES {
        for number in 1.. {
            let Some(output) = strike(fault, call, number, &command()) else {
                break;
            };
            struck += 1;
            check(&format!("{call} {number}"), output);
        }
    }
    Some(struck)
}

/// Runs a command under `strace`; nothing where it made fewer such calls.
fn strike(fault: Fault, call: &str, number: usize, command: &Command) -> Option<Output> {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let what = match fault {
        Fault::Death => "signal=KILL",
        Fault::FullDisk => "error=ENOSPC",
    };
    let mut strace = Command::new("strace");
    // Not with --seccomp-bpf, however much faster: then strace 6.1 sends signals at a first call only.
    strace.args(["-f", "-qqq", "-o"]).arg(trace.path());
    strace
        .arg(format!("--trace={call}"))
        .arg(format!("--inject={call}:{what}:when={number}"));
    strace
        .arg("--")
        .arg(command.get_program())
        .args(command.get_args());
    strace.current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    let output = strace.output().unwrap();
    let seen = String::from_utf8_lossy(&fs::read(trace.path()).unwrap()).into_owned();
    let struck = match fault {
        Fault::Death => !output.status.success() && seen.contains("killed by SIGKILL"),
        Fault::FullDisk => seen.contains("(INJECTED)"),
    };
    struck.then_some(output)
}

fn works() -> bool {
    Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .status()
        .is_ok_and(|status| status.success())
}

/// Says on the terminal, past the test harness, that something was not tested.
pub(crate) fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}
