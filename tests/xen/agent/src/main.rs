// SPDX-License-Identifier: GPL-2.0
//! PID 1 of the bed's machines: in dom0's ramdisk, in dom0, and in every guest.

mod channel;
mod dom0;
mod early;
mod guest;
mod init;
mod kmsg;
mod load;
mod outfit;
mod relay;
mod requests;
mod stream;
mod xenstore;

use std::process::ExitCode;

fn main() -> ExitCode {
    let role = std::env::args().nth(1);
    let result = match role.as_deref() {
        Some("dom0") => init::supervise("serve-dom0"),
        Some("serve-dom0") => dom0::serve(),
        Some("serve-guest") => guest::serve(),
        Some("stream") => stream::run(std::env::args().skip(2)),
        Some("load") => return load(),
        // The kernel passes what it does not know of its command line on to /init.
        _ if init::has_word("bed.dom0") => early::switch_to_dom0(),
        _ => init::prepare_guest().and_then(|()| init::supervise("serve-guest")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            init::last_words(&format!("agent: {error:#}"));
            if std::process::id() == 1 {
                // The kernel would panic instead.
                let _ = init::power_off();
            }
            ExitCode::FAILURE
        }
    }
}

/// A program like any other: what goes wrong there is not the machine's end.
fn load() -> ExitCode {
    match load::run(std::env::args().skip(2)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}
