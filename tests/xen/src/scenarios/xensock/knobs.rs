// SPDX-License-Identifier: GPL-2.0
//! The module's files in sysfs, at either end.

use super::{End, Ends, wait_until};
use anyhow::{Context, Result, bail, ensure};
use bed::tools;

const FOLDER: &str = "/sys/class/misc/xensock";
/// What is changed here, and its default.
const DEFAULTS: [(&str, &str); 10] = [
    ("rules", "\n"),
    ("rules_out", "\n"),
    ("default_policy", "open"),
    ("largest_ring_kb", "1024"),
    ("first_ring_kb", "32"),
    ("max_sockets_per_peer", "2048"),
    ("memory_per_peer_kb", "98304"),
    ("events_per_link_hz", "0"),
    ("busy_poll_us", "0"),
    ("bulk_poll_us", "200"),
];

impl End<'_> {
    pub fn knob(&self, name: &str) -> Result<String> {
        self.machine.read(&format!("{FOLDER}/{name}"))
    }

    pub fn set(&self, name: &str, text: &str) -> Result<()> {
        let written = self.machine.write(&format!("{FOLDER}/{name}"), text);
        written.with_context(|| format!("{name} = {text:?}"))
    }

    /// The value is refused with that error, and nothing changes.
    pub fn cannot_set(&self, name: &str, text: &str, errno: u32) -> Result<()> {
        let before = self.knob(name)?;
        let Err(error) = self.set(name, text) else {
            bail!("{name} takes {text:?}");
        };
        let error = format!("{error:#}");
        ensure!(error.contains(&format!("os error {errno}")), "{error}");
        let after = self.knob(name)?;
        ensure!(after == before, "{name}: {before:?}, then {after:?}");
        Ok(())
    }

    pub fn figure(&self, name: &str) -> Result<u64> {
        self.machine.read_number(&format!("{FOLDER}/info/{name}"))
    }

    /// Waits until a figure has a value.
    pub fn wait_for_figure(&self, name: &str, value: u64) -> Result<()> {
        let what = format!("{name} = {value}");
        wait_until(&what, || Ok(self.figure(name)? == value))
    }

    /// Puts everything back.
    pub fn default_knobs(&self) -> Result<()> {
        DEFAULTS
            .iter()
            .try_for_each(|(name, value)| self.set(name, value))
    }
}

/// Defaults at both ends before and after.
pub struct Knobs<'a, 'b>(&'a Ends<'b>);

impl<'a, 'b> Knobs<'a, 'b> {
    pub fn new(ends: &'a Ends<'b>) -> Result<Self> {
        let knobs = Self(ends);
        for end in [&ends.client, &ends.server] {
            end.default_knobs()?;
            // Those of the last scenario may be about to end.
            end.wait_for_figure("sockets", 0)?;
        }
        Ok(knobs)
    }
}

impl Drop for Knobs<'_, '_> {
    fn drop(&mut self) {
        for end in [&self.0.client, &self.0.server] {
            if let Err(error) = end.default_knobs() {
                println!("# {}: {error:#}", end.machine.name());
            }
        }
    }
}

impl Ends<'_> {
    /// Connects with socat and closes again; answers `connected`, or what socat says.
    pub fn try_socat(&self, port: u32) -> Result<String> {
        let there = format!("VSOCK-CONNECT:{}:{port}", self.server_cid()?);
        let line = format!(
            "if socat -t 10 - {there} </dev/null >/dev/null 2>/tmp/said; then echo connected; \
             else cat /tmp/said; fi"
        );
        let output = self
            .client
            .machine
            .run(&tools::command(&["sh", "-c", &line]))?;
        Ok(output.ok()?.stdout.trim().to_string())
    }

    /// socat says so.
    pub fn socat_says(&self, port: u32, words: &str) -> Result<()> {
        let said = self.try_socat(port)?;
        ensure!(said.contains(words), "port {port}: {said:?}, not {words:?}");
        Ok(())
    }
}
