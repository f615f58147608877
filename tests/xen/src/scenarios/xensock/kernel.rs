// SPDX-License-Identifier: GPL-2.0
//! The kernel tree's own tests, `tools/testing/vsock`: a server at one end, a client at the other, and TCP
//! between them to keep step.

use super::{Cases, Ends};
use crate::report::Verdict;
use anyhow::{Result, ensure};
use bed::{Program, tools};
use std::time::Duration;

const PROGRAMS: [&str; 3] = ["vsock_test", "vsock_diag_test", "vsock_uring_test"];
const CONTROL_PORT: &str = "1234";
/// For all tests of a program; each has limits of its own.
const LIMIT: Duration = Duration::from_secs(400);

/// Tests that cannot pass: the end of their names, and why.
const CANNOT: [(&str, &str); 0] = [];

/// Runs them all. A test that fails ends the program at both ends; those after it then have their own turn.
pub fn run(ends: &Ends<'_>) -> Result<Cases> {
    let mut cases = Cases::new();
    for program in PROGRAMS {
        if let Err(error) = run_program(ends, program, &mut cases) {
            cases.push((program.into(), Verdict::from(Err(error))));
        }
    }
    Ok(cases)
}

fn run_program(ends: &Ends<'_>, program: &str, cases: &mut Cases) -> Result<()> {
    let tests = list(ends, program)?;
    let mut from = 0;
    loop {
        let next = run_from(ends, program, &tests, from, cases)?;
        ensure!(next > from, "{program} does not come beyond {from}");
        if next >= tests.len() {
            return Ok(());
        }
        from = next;
    }
}

/// Names of a program's tests, in order; none of one that cannot be asked, and has only a few.
fn list(ends: &Ends<'_>, program: &str) -> Result<Vec<String>> {
    // Its status is that of a failure.
    let argv = tools::command(&[program, "--list"]);
    let output = ends.client.machine.run(&argv)?;
    let lines = output.stdout.lines();
    let names = lines.filter_map(|line| {
        let (number, name) = line.split_once('\t')?;
        let _: usize = number.parse().ok()?;
        Some(name.to_string())
    });
    let names: Vec<String> = names.collect();
    ensure!(
        !names.is_empty() || output.stderr.contains("unrecognized option"),
        "{program} lists no tests: {output:?}"
    );
    Ok(names)
}

/// Runs from a test on until the end or a failure; answers the number of the test that is next.
fn run_from(
    ends: &Ends<'_>,
    program: &str,
    tests: &[String],
    from: usize,
    cases: &mut Cases,
) -> Result<usize> {
    let why_not = |number: usize| {
        let name = tests.get(number)?;
        CANNOT
            .iter()
            .find(|(end, _)| name.ends_with(end))
            .map(|(_, why)| *why)
    };
    let skipped = (0..tests.len()).filter(|&number| number < from || why_not(number).is_some());
    let skipped: Vec<String> = skipped.map(|number| format!("--skip={number}")).collect();
    let side = |words: &[String]| -> Vec<String> {
        let port = format!("--control-port={CONTROL_PORT}");
        [&[program.into(), port], words, &skipped].concat()
    };
    let server = side(&[
        "--mode=server".into(),
        format!("--peer-cid={}", ends.cid(&ends.client)?),
    ]);
    let client = side(&[
        "--mode=client".into(),
        format!("--peer-cid={}", ends.server_cid()?),
        format!("--control-host={}", ends.server.address),
    ]);
    let started = ends.server.start(&words(&server))?;
    started.wait_for_word("listening")?;
    let argv = words(&client);
    let done = Program::new(&tools::command(&argv)).limit(LIMIT);
    // Killed, it tells nothing; the server still does.
    let (told, status) = match ends.client.machine.exec(&done) {
        Ok(output) => (
            format!("{}\n{}", output.stdout, output.stderr),
            output.status,
        ),
        Err(error) => (format!("{}\n{error:#}", started.output()?), -1),
    };
    let mut next = from;
    for (number, name, word) in told.lines().filter_map(result) {
        if number < from {
            continue;
        }
        let verdict = match (why_not(number), word) {
            (Some(why), _) => Verdict::Skipped(why.into()),
            (None, "ok") => Verdict::Passed,
            (None, "skipped") => Verdict::Skipped("by the test itself".into()),
            (None, _) => Verdict::Failed(format!(
                "client: {}\nserver: {}",
                last(&told),
                last(&started.output()?)
            )),
        };
        cases.push((format!("{program}: {name}"), verdict));
        next = number + 1;
    }
    ensure!(
        status == 0 || next > from,
        "{program}: status {status}: {told}\nserver: {}",
        started.output()?
    );
    Ok(next)
}

fn words(side: &[String]) -> Vec<&str> {
    side.iter().map(String::as_str).collect()
}

/// `12 - SOCK_STREAM name...ok`: number, name and what stands behind the dots. A test that has not come to
/// its end has nothing there, or what it prints of itself.
fn result(line: &str) -> Option<(usize, &str, &str)> {
    let (number, rest) = line.split_once(" - ")?;
    let (name, word) = rest.split_once("...")?;
    Some((number.parse().ok()?, name, word))
}

fn last(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().rev().take(4).collect();
    let lines: Vec<&str> = lines.into_iter().rev().collect();
    lines.join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read() {
        assert_eq!(
            result("3 - SOCK_STREAM a...ok"),
            Some((3, "SOCK_STREAM a", "ok"))
        );
        assert_eq!(
            result("12 - SOCK_STREAM b..."),
            Some((12, "SOCK_STREAM b", ""))
        );
        assert_eq!(result("Control socket connected"), None);
        assert_eq!(result("a - b...ok"), None);
    }
}
