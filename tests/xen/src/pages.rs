// SPDX-License-Identifier: GPL-2.0
//! Xen's count of a domain's pages, followed from dom0 while it changes (`tests/xen/client/pages.c`).

use crate::describe::Host;
use crate::machine::Program;
use crate::{Bed, place};
use anyhow::{Context, Result};
use std::time::Duration;

const NAME: &str = "pages";
/// For the program to notice its own limit first.
const SLACK: Duration = Duration::from_secs(5);

/// When a count had changed: later than `not_yet`, no later than `by`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Of the last look that did not show it.
    pub not_yet: Duration,
    /// Of the first look that did.
    pub by: Duration,
}

impl Change {
    fn parse(text: &str) -> Result<Self> {
        let (not_yet, by) = text.trim().split_once(' ').context("no two numbers")?;
        let time = |word: &str| word.parse().map(Duration::from_nanos);
        Ok(Self {
            not_yet: time(not_yet)?,
            by: time(by)?,
        })
    }
}

/// Compiles the program and adds it to dom0.
pub fn equip(host: Host) -> Result<Host> {
    let folder = place::clone_path("build/client");
    std::fs::create_dir_all(&folder)?;
    let (source, program) = (
        place::clone_path("tests/xen/client/pages.c"),
        folder.join(NAME),
    );
    duct::cmd!(
        "gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-s", "-o", &program, &source
    )
    .run()
    .with_context(|| format!("compile {}", source.display()))?;
    Ok(host.file(program, NAME))
}

impl Bed {
    /// Waits until Xen counts `kib` more or fewer of a guest's than now, after a write to a xenstore node of
    /// the guest's if there is one: times are from the write, else from the start.
    pub fn follow_pages(
        &self,
        guest: &str,
        kib: u64,
        limit: Duration,
        write: Option<(&str, &str)>,
    ) -> Result<Change> {
        let domid = self.domid(guest)?;
        let mut argv = vec![
            format!("/bed/{NAME}"),
            domid.to_string(),
            (kib / 4).to_string(),
            limit.as_secs().to_string(),
        ];
        if let Some((path, value)) = write {
            argv.extend([format!("/local/domain/{domid}/{path}"), value.to_string()]);
        }
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let program = Program::new(&argv).limit(limit + SLACK);
        let output = self.dom0().exec(&program)?.ok()?;
        Change::parse(&output.stdout).with_context(|| format!("{output:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_times() {
        let change = Change::parse("1500 2000000\n").unwrap();
        assert_eq!(change.not_yet, Duration::from_nanos(1500));
        assert_eq!(change.by, Duration::from_millis(2));
        for bad in ["", "1", "1 x", "-1 2"] {
            assert!(Change::parse(bad).is_err(), "{bad}");
        }
    }
}
