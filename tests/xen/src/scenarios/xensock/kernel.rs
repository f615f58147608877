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
const LIMIT: Duration = Duration::from_secs(1200);

/// Tests that cannot pass: the end of `program: name`, and why.
type Cannot = &'static [(&'static str, &'static str)];

/// Between domains.
const CANNOT: Cannot = &[
    ("SOCK_STREAM MSG_ZEROCOPY", COPIED),
    ("SOCK_SEQPACKET MSG_ZEROCOPY", COPIED),
];
const COPIED: &str = "it wants that nothing is copied, and our transport copies, and says so";
/// Over the kernel's loopback.
const CANNOT_LOCALLY: Cannot = &[
    (
        "vsock_diag_test: Connect",
        "it counts the sockets of one end, and both are here",
    ),
    (
        "small packets backpressure",
        "under emulation it takes longer than it allows itself",
    ),
];

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

/// Why a test of a program cannot pass.
fn why_not(ends: &Ends<'_>, program: &str, name: &str) -> Option<&'static str> {
    let known = if ends.server.local {
        CANNOT_LOCALLY
    } else {
        CANNOT
    };
    let whole = format!("{program}: {name}");
    let mut known = known.iter().filter(|(part, _)| whole.ends_with(part));
    known.next().map(|(_, why)| *why)
}

/// Runs from a test on until the end or a failure; answers the number of the test that is next.
fn run_from(
    ends: &Ends<'_>,
    program: &str,
    tests: &[String],
    from: usize,
    cases: &mut Cases,
) -> Result<usize> {
    let numbered = tests.iter().enumerate();
    let skipped =
        numbered.filter(|(at, name)| *at < from || why_not(ends, program, name).is_some());
    let skipped: Vec<String> = skipped.map(|(at, _)| format!("--skip={at}")).collect();
    let (client, server) = play(ends, program, &skipped)?;
    let mut next = from;
    for (number, name, word) in client.lines().filter_map(result) {
        if number < from {
            continue;
        }
        // One that cannot be left out may pass all the same.
        let verdict = match (why_not(ends, program, name), word) {
            (_, "ok") => Verdict::Passed,
            (Some(why), _) => Verdict::Skipped(why.into()),
            (None, "skipped") => Verdict::Skipped("by the test itself".into()),
            (None, _) => Verdict::Failed(format!(
                "client: {}\nserver: {}",
                last(&client),
                last(&server)
            )),
        };
        cases.push((format!("{program}: {name}"), verdict));
        next = number + 1;
    }
    ensure!(next > from, "{program}: {client}\nserver: {server}");
    Ok(next)
}

/// Runs a program at both ends; answers what each says.
fn play(ends: &Ends<'_>, program: &str, skipped: &[String]) -> Result<(String, String)> {
    let port = format!("--control-port={CONTROL_PORT}");
    let client_cid = format!("--peer-cid={}", ends.cid(&ends.client)?);
    let server_cid = format!("--peer-cid={}", ends.server_cid()?);
    let host = format!("--control-host={}", ends.server.address);
    let skipped: Vec<&str> = skipped.iter().map(String::as_str).collect();
    let server = [program, &port, "--mode=server", &client_cid];
    let client = [program, &port, "--mode=client", &server_cid, &host];
    let started = ends.server.start(&[&server, &skipped[..]].concat())?;
    started.wait_for_word("listening")?;
    let argv = [&client, &skipped[..]].concat();
    let client = Program::new(&tools::command(&argv)).limit(LIMIT);
    let told = match ends.client.machine.exec(&client) {
        Ok(output) => format!("{}\n{}", output.stdout, output.stderr),
        // Killed, it has told nothing; the server has.
        Err(error) => format!("{}\n{error:#}", started.output()?),
    };
    Ok((told, started.output()?))
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
