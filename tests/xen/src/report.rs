// SPDX-License-Identifier: GPL-2.0
//! Results of `bed test`: KTAP, then one line that counts.

use anyhow::Result;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How a case ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// As it should.
    Passed,
    /// Not, and why.
    Failed(String),
    /// Not run, and why.
    Skipped(String),
}

impl From<Result<()>> for Verdict {
    fn from(result: Result<()>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(error) => Self::Failed(format!("{error:#}")),
        }
    }
}

/// Cases by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Counts {
    fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed(_) => self.failed += 1,
            Verdict::Skipped(_) => self.skipped += 1,
        }
    }

    /// Whether all is well: something ran, and nothing failed.
    pub fn is_good(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// A suite whose cases come in, from one thread or several.
#[derive(Default)]
pub struct Suite(Mutex<Counts>);

impl Suite {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Tells how a case ended.
    pub fn case(&self, name: &str, verdict: impl Into<Verdict>) {
        self.tell(name, &verdict.into(), None);
    }

    /// Runs a case, and tells how it ended and how long it took.
    pub fn run<V: Into<Verdict>>(&self, name: &str, case: impl FnOnce() -> V) {
        let start = Instant::now();
        let verdict = case().into();
        self.tell(name, &verdict, Some(start.elapsed()));
    }

    fn tell(&self, name: &str, verdict: &Verdict, took: Option<Duration>) {
        let mut counts = self.counts();
        counts.add(verdict);
        let number = counts.passed + counts.failed + counts.skipped;
        print!("{}", indent(&line(number, name, verdict, took)));
    }

    /// Tells something that is no result.
    pub fn note(&self, text: &str) {
        let _in_turn = self.counts();
        print!("{}", indent(&comment(text)));
    }
}

/// All suites.
#[derive(Default)]
pub struct Report {
    all: Counts,
    suites: u32,
}

impl Report {
    /// Runs a suite; one that cannot run, or has no cases, has failed.
    pub fn suite(&mut self, name: &str, body: impl FnOnce(&Suite) -> Result<()>) {
        if self.suites == 0 {
            println!("KTAP version 1");
        }
        self.suites += 1;
        print!(
            "{}",
            indent(&format!("KTAP version 1\n# Subtest: {name}\n"))
        );
        let (suite, start) = (Suite::default(), Instant::now());
        if let Err(error) = body(&suite) {
            suite.case(
                "suite runs to its end",
                Verdict::Failed(format!("{error:#}")),
            );
        }
        if *suite.counts() == Counts::default() {
            suite.case("suite has cases", Verdict::Failed("no case ran".into()));
        }
        suite.note(&format!("took {:.1} s", start.elapsed().as_secs_f32()));
        let counts = *suite.counts();
        print!(
            "{}",
            indent(&format!(
                "1..{}\n",
                counts.passed + counts.failed + counts.skipped
            ))
        );
        let word = if counts.failed == 0 { "ok" } else { "not ok" };
        println!("{word} {} {name}", self.suites);
        self.all.passed += counts.passed;
        self.all.failed += counts.failed;
        self.all.skipped += counts.skipped;
    }

    /// The closing line; answers whether all is well.
    pub fn finish(self) -> bool {
        println!("1..{}", self.suites);
        println!("{}", self.all);
        self.all.is_good()
    }
}

fn line(number: u32, name: &str, verdict: &Verdict, took: Option<Duration>) -> String {
    let took = took.map(|took| format!(" # {:.1} s", took.as_secs_f32()));
    let took = took.unwrap_or_default();
    match verdict {
        Verdict::Passed => format!("ok {number} {name}{took}\n"),
        Verdict::Skipped(why) => format!("ok {number} {name} # SKIP {why}\n"),
        Verdict::Failed(why) => format!("{}not ok {number} {name}{took}\n", comment(why)),
    }
}

fn comment(text: &str) -> String {
    prefix_lines("# ", text)
}

fn indent(text: &str) -> String {
    prefix_lines("    ", text)
}

fn prefix_lines(prefix: &str, text: &str) -> String {
    text.lines().flat_map(|line| [prefix, line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(line(1, "a", &Verdict::Passed, None), "ok 1 a\n");
        let took = Some(Duration::from_millis(1250));
        assert_eq!(line(1, "a", &Verdict::Passed, took), "ok 1 a # 1.2 s\n");
        assert_eq!(
            line(2, "b", &Verdict::Failed("x\ny".into()), None),
            "# x\n# y\nnot ok 2 b\n"
        );
        assert_eq!(
            line(3, "c", &Verdict::Skipped("no".into()), None),
            "ok 3 c # SKIP no\n"
        );
    }

    #[test]
    fn counting() {
        let mut counts = Counts::default();
        assert!(!counts.is_good());
        counts.add(&Verdict::Passed);
        assert!(counts.is_good());
        assert_eq!(counts.to_string(), "1 passed, 0 failed");
        counts.add(&Verdict::Skipped(String::new()));
        counts.add(&Verdict::Failed(String::new()));
        assert!(!counts.is_good());
        assert_eq!(counts.to_string(), "1 passed, 1 failed, 1 skipped");
    }
}
