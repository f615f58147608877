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
const SIGNS: [&str; 20] = [
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

/// Finds what is wrong in logs.
pub fn find(logs: &BTreeMap<String, Vec<LogLine>>) -> Vec<Problem> {
    let lines = logs
        .iter()
        .flat_map(|(machine, log)| log.iter().map(move |line| (machine, line)));
    let bad = lines.filter(|(_, line)| is_bad(&line.text));
    bad.map(|(machine, line)| Problem {
        machine: machine.clone(),
        line: line.to_string(),
    })
    .collect()
}

fn is_bad(text: &str) -> bool {
    let harmless = HARMLESS.iter().any(|(known, _)| text.contains(known));
    !harmless && SIGNS.iter().any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_seen() {
        let line = |text: &str| LogLine {
            us: Some(1),
            text: text.into(),
        };
        let log = vec![
            line("all is well"),
            line("WARNING: CPU: 0 PID: 1 at mm/x.c"),
            line("rcu: INFO: rcu_sched self-detected stall on CPU"),
            line("kmemleak: Kernel memory leak detector initialized (mem pool available: 15726)"),
        ];
        let found = find(&BTreeMap::from([("a".to_string(), log)]));
        assert_eq!(found.len(), 2);
        assert!(
            found[0]
                .to_string()
                .starts_with("a: [    0.000001] WARNING:")
        );
    }
}
