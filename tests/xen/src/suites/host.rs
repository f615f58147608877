// SPDX-License-Identifier: GPL-2.0
//! Tests that need no guest: cargo runs them, libtest's lines are counted.

use crate::report::{Suite, Verdict};
use anyhow::{Context, Result, ensure};
use bed::place;

/// Runs the tests of the whole workspace.
pub fn run(suite: &Suite) -> Result<()> {
    let command = duct::cmd!(
        "cargo",
        "test",
        "--quiet",
        "--workspace",
        "--release",
        "--locked",
        "--no-fail-fast",
        "--",
        "--format=pretty"
    );
    let command = command
        .dir(place::clone_path("tests"))
        .stderr_to_stdout()
        .stdout_capture();
    let output = command.unchecked().run().context("start cargo")?;
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
