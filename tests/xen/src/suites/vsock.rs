// SPDX-License-Identifier: GPL-2.0
//! The scenarios for sockets over the kernel's own loopback, in one guest: what does not work here is no fault
//! of ours.

use super::{check_logs, tell_boot};
use crate::report::Suite;
use crate::scenarios::xensock::{BETWEEN_ENDS, Ends};
use anyhow::Result;
use bed::{Bed, Guest, Host};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(900);
const GUEST: &str = "pvh1";

/// Boots a guest and runs them.
pub fn run(suite: &Suite, accel: &str) -> Result<()> {
    let guest = Guest::pvh(GUEST).network().tools();
    let guest = guest
        .kernel_module("vsock_loopback")
        .kernel_module("vsock_diag");
    let bed = Bed::boot(Host::new("vsock").limit(LIMIT).accel(accel).guest(guest))?;
    tell_boot(suite, &bed);
    let ends = Ends::loopback(&bed, GUEST)?;
    for scenario in &BETWEEN_ENDS {
        for (name, verdict) in scenario.run(&ends) {
            suite.case(&name, verdict);
        }
    }
    check_logs(suite, &bed);
    bed.power_off();
    Ok(())
}
