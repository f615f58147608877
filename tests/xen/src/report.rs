// SPDX-License-Identifier: GPL-2.0
//! Results of `bed test`: KTAP, then one line that counts.

use anyhow::Result;
use std::sync::{Arc, Mutex, MutexGuard};
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
    fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed(_) => self.failed += 1,
            Verdict::Skipped(_) => self.skipped += 1,
        }
    }

    fn all(&self) -> u32 {
        self.passed + self.failed + self.skipped
    }

    /// Whether all is well: something ran, and nothing failed.
    pub fn is_good(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
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

/// What suites tell that run side by side: the lines of one together, in the order of the suites.
#[derive(Default)]
struct Page {
    turn: usize,
    /// What those tell whose turn has not come, and whether they have ended.
    kept: Vec<(String, bool)>,
}

impl Page {
    /// Answers what is to be printed now.
    fn tell(&mut self, suite: usize, text: &str) -> String {
        if suite == self.turn {
            return text.into();
        }
        self.kept[suite].0.push_str(text);
        String::new()
    }

    /// The same for a suite that has ended.
    fn end(&mut self, suite: usize) -> String {
        self.kept[suite].1 = true;
        let mut now = String::new();
        while self.kept.get(self.turn).is_some_and(|(_, ended)| *ended) {
            self.turn += 1;
            if let Some((text, _)) = self.kept.get_mut(self.turn) {
                now += &std::mem::take(text);
            }
        }
        now
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A suite whose cases come in, from one thread or several.
pub struct Suite {
    number: usize,
    counts: Mutex<Counts>,
    page: Arc<Mutex<Page>>,
}

impl Suite {
    /// Tells how a case ended.
    pub fn case(&self, name: &str, verdict: impl Into<Verdict>) {
        self.add(name, &verdict.into(), None);
    }

    /// Runs a case, and tells how it ended and how long it took.
    pub fn run<V: Into<Verdict>>(&self, name: &str, case: impl FnOnce() -> V) {
        let start = Instant::now();
        let verdict = case().into();
        self.add(name, &verdict, Some(start.elapsed()));
    }

    fn add(&self, name: &str, verdict: &Verdict, took: Option<Duration>) {
        let mut counts = lock(&self.counts);
        counts.count(verdict);
        self.tell(&indent(&line(counts.all(), name, verdict, took)));
    }

    /// Tells something that is no result.
    pub fn note(&self, text: &str) {
        let _in_turn = lock(&self.counts);
        self.tell(&indent(&comment(text)));
    }

    fn tell(&self, text: &str) {
        let mut page = lock(&self.page);
        print!("{}", page.tell(self.number, text));
    }

    /// Runs it; one that cannot run, or has no cases, has failed.
    fn run_all(&self, name: &str, body: Body<'_>) -> Counts {
        self.tell(&indent(&format!("KTAP version 1\n# Subtest: {name}\n")));
        let start = Instant::now();
        if let Err(error) = body(self) {
            self.case(
                "suite runs to its end",
                Verdict::Failed(format!("{error:#}")),
            );
        }
        if *lock(&self.counts) == Counts::default() {
            self.case("suite has cases", Verdict::Failed("no case ran".into()));
        }
        self.note(&format!("took {:.1} s", start.elapsed().as_secs_f32()));
        let counts = *lock(&self.counts);
        self.tell(&indent(&format!("1..{}\n", counts.all())));
        let word = if counts.failed == 0 { "ok" } else { "not ok" };
        self.tell(&format!("{word} {} {name}\n", self.number + 1));
        let mut page = lock(&self.page);
        print!("{}", page.end(self.number));
        counts
    }
}

/// What a suite does.
pub type Body<'a> = Box<dyn FnOnce(&Suite) -> Result<()> + Send + 'a>;

/// Runs suites: those that `is_aside` one after the other, beside the others one after the other. Answers whether
/// all is well.
pub fn run(suites: Vec<(&str, Body<'_>)>, is_aside: impl Fn(&str) -> bool) -> bool {
    println!("KTAP version 1");
    let count = suites.len();
    let page = Arc::new(Mutex::new(Page {
        turn: 0,
        kept: vec![Default::default(); count],
    }));
    let suite = |number| Suite {
        number,
        counts: Mutex::default(),
        page: page.clone(),
    };
    let numbered = suites.into_iter().enumerate();
    let (aside, others): (Vec<_>, Vec<_>) = numbered.partition(|(_, (name, _))| is_aside(name));
    let run_all = |suites: Vec<(usize, (&str, Body<'_>))>| {
        let suites = suites.into_iter();
        suites.fold(Counts::default(), |all, (number, (name, body))| {
            all + suite(number).run_all(name, body)
        })
    };
    let all = std::thread::scope(|scope| {
        let beside = scope.spawn(|| run_all(aside));
        let counts = run_all(others);
        let beside = beside.join();
        counts + beside.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    println!("1..{count}\n{all}");
    all.is_good()
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
    fn suites_that_run_side_by_side_are_told_in_turn() {
        let mut page = Page {
            turn: 0,
            kept: vec![Default::default(); 3],
        };
        assert_eq!(page.tell(0, "a"), "a");
        assert_eq!(page.tell(2, "x"), "");
        assert_eq!(page.tell(1, "m"), "");
        assert_eq!(page.end(2), "");
        assert_eq!(page.end(0), "m");
        assert_eq!(page.tell(1, "n"), "n");
        assert_eq!(page.end(1), "x");
    }

    #[test]
    fn counting() {
        let mut counts = Counts::default();
        assert!(!counts.is_good());
        counts.count(&Verdict::Passed);
        assert!(counts.is_good());
        assert_eq!(counts.to_string(), "1 passed, 0 failed");
        counts.count(&Verdict::Skipped(String::new()));
        counts.count(&Verdict::Failed(String::new()));
        assert!(!counts.is_good());
        assert_eq!(counts.to_string(), "1 passed, 1 failed, 1 skipped");
    }
}
