// SPDX-License-Identifier: GPL-2.0
//! What a log says went wrong.

use crate::state::LogLine;
use std::collections::BTreeMap;

/// A line that should not be there.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Whose log.
    pub machine: String,
    /// The line.
    pub line: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.machine, self.line)
    }
}

/// Words that tell of a broken kernel, or of a broken machine under it.
const SIGNS: [&str; 21] = [
    "WARNING:",
    "BUG:",
    "kernel BUG at",
    "Oops",
    "Kernel panic",
    "general protection fault",
    "segfault at",
    "traps: ",
    "possible recursive locking",
    "possible circular locking dependency",
    "inconsistent lock state",
    "INFO: task",
    "suspicious RCU usage",
    "KASAN:",
    "kmemleak:",
    "pagealloc:",
    "Call Trace:",
    "detected stall",
    "soft lockup",
    "Xen BUG at",
    "Panic on CPU",
];

/// Lines that are there on a sound machine too: a part of the line, and why it is harmless.
const HARMLESS: [(&str, &str); 1] = [(
    "kmemleak: Kernel memory leak detector",
    "it says that it works",
)];

/// Where a kernel begins to report that it is out of memory: who is asked for some cannot have it, or who is killed
/// for it has used up the reserves as well.
const STARVED: [&str; 2] = ["invoked oom-killer:", "page allocation failure:"];
/// Where such a report has no signs any more.
const TOLD: &str = "Mem-Info:";

/// Finds what is wrong in logs; that a machine is out of memory is nothing of that where it is one of `starved`.
pub fn find(logs: &BTreeMap<String, Vec<LogLine>>, starved: &[&str]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (machine, log) in logs {
        let mut in_report = false;
        for line in log {
            if starved.contains(&machine.as_str()) {
                in_report |= STARVED.iter().any(|begin| line.text.contains(begin));
                in_report &= !line.text.contains(TOLD);
            }
            if !in_report && is_bad(&line.text) {
                problems.push(Problem {
                    machine: machine.clone(),
                    line: line.to_string(),
                });
            }
        }
    }
    problems
}

fn is_bad(text: &str) -> bool {
    let harmless = HARMLESS.iter().any(|(known, _)| text.contains(known));
    !harmless && SIGNS.iter().any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> LogLine {
        LogLine {
            us: Some(1),
            text: text.into(),
        }
    }

    #[test]
    fn who_starves_on_purpose_may_say_so() {
        let log = [
            "dd invoked oom-killer: gfp_mask=0x140dca",
            "Call Trace:",
            "Mem-Info:",
            "dd: page allocation failure: order:0, mode:0x140dca",
            "Call Trace:",
            "Mem-Info:",
            "Call Trace:",
        ];
        let log = BTreeMap::from([("a".to_string(), log.map(line).to_vec())]);
        assert_eq!(find(&log, &["a"]).len(), 1);
        assert_eq!(find(&log, &["b"]).len(), 3);
    }

    #[test]
    fn signs_are_seen() {
        let log = vec![
            line("all is well"),
            line("WARNING: CPU: 0 PID: 1 at mm/x.c"),
            line("pagealloc: memory corruption"),
            line("rcu: INFO: rcu_sched self-detected stall on CPU"),
            line("kmemleak: Kernel memory leak detector initialized (mem pool available: 15726)"),
        ];
        let found = find(&BTreeMap::from([("a".to_string(), log)]), &[]);
        assert_eq!(found.len(), 3);
        assert!(
            found[0]
                .to_string()
                .starts_with("a: [    0.000001] WARNING:")
        );
    }
}
