// SPDX-License-Identifier: GPL-2.0
//! Tests that need no guest: cargo runs them, libtest's lines are counted.

use crate::report::{Suite, Verdict};
use anyhow::{Context, Result, anyhow, ensure};
use bed::place;
use std::process::Output;
use std::thread::JoinHandle;

/// Tests that are under way, in the background.
pub struct UnderWay(JoinHandle<std::io::Result<Output>>);

/// Builds the tests of the whole workspace, and begins to run them; who has a guest to wait for comes first.
pub fn start() -> Result<UnderWay> {
    const TEST: [&str; 5] = ["test", "--quiet", "--workspace", "--release", "--locked"];
    const NO_RUN: [&str; 1] = ["--no-run"];
    const RUN: [&str; 3] = ["--no-fail-fast", "--", "--format=pretty"];
    let tests = place::clone_path("tests");
    let build = duct::cmd("cargo", TEST.into_iter().chain(NO_RUN));
    build
        .dir(&tests)
        .stdout_to_stderr()
        .run()
        .context("build the tests")?;

    let run = ["cargo"].into_iter().chain(TEST).chain(RUN);
    let command = duct::cmd("nice", run)
        .dir(tests)
        .stderr_to_stdout()
        .stdout_capture()
        .unchecked();
    Ok(UnderWay(std::thread::spawn(move || command.run())))
}

/// Waits for the tests, and tells of each.
pub fn run(suite: &Suite, tests: UnderWay) -> Result<()> {
    let ended = tests
        .0
        .join()
        .map_err(|_| anyhow!("who waits for cargo panics"))?;
    let output = ended.context("start cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let cases: Vec<_> = text.lines().filter_map(parse).collect();
    for (name, verdict) in &cases {
        suite.case(name, verdict.clone());
    }
    let failed = cases
        .iter()
        .any(|(_, verdict)| matches!(verdict, Verdict::Failed(_)));
    if !output.status.success() {
        suite.note(&text);
    }
    ensure!(
        output.status.success() || failed,
        "cargo test: {}",
        output.status
    );
    Ok(())
}

/// `test engine::grows ... ok`
fn parse(line: &str) -> Option<(String, Verdict)> {
    let (name, end) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let verdict = match end.split(',').next()? {
        "ok" => Verdict::Passed,
        "FAILED" => Verdict::Failed("see below".into()),
        "ignored" => Verdict::Skipped("ignored".into()),
        _ => return None,
    };
    Some((name.to_string(), verdict))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_libtest() {
        assert_eq!(
            parse("test a::b ... ok"),
            Some(("a::b".into(), Verdict::Passed))
        );
        assert!(matches!(
            parse("test a ... FAILED"),
            Some((_, Verdict::Failed(_)))
        ));
        assert!(matches!(
            parse("test a ... ignored, slow"),
            Some((_, Verdict::Skipped(_)))
        ));
        assert_eq!(parse("test result: ok. 3 passed; 0 failed"), None);
        assert_eq!(parse("running 3 tests"), None);
    }
}
