// SPDX-License-Identifier: GPL-2.0
//! What the account of mapped pages takes: in the guest, of the memory that it has; in Xen, of the memory that no
//! domain has.
//!
//! The guest's is everything, from before the module is loaded until the whole file is mapped and nobody uses it:
//! the module, the account of what is mapped where, the kernel's tables for it, inodes. Xen's
//! is what it has taken for grants and for mappings: neither dom0 nor the guest changes its size meanwhile. Xen
//! never gives it back, so this comes before anything else is mapped.

use super::Options;
use super::places::{self, Dom0, MOUNT, SYSFS, TREE, mib};
use crate::metric::Metric;
use anyhow::{Result, ensure};
use bed::Machine;

const GUEST: &str = "none: memory that the guest lost, by what it has mapped";
const XEN: &str = "none: free memory of the host that went, by what the guest has mapped";

pub fn measure(dom0: &Dom0<'_>, guest: &Machine<'_>, options: &Options) -> Result<Vec<Metric>> {
    let before = (places::free_kb(guest)?, dom0.free()?);
    places::mount(guest, TREE)?;
    // All that is read stays mapped.
    guest.write(&format!("{SYSFS}/member/idle_seconds"), "0")?;
    let mounted = places::free_kb(guest)?;
    places::shell(guest, &format!("cat {MOUNT}/data > /dev/null"))?;
    let after = (places::free_kb(guest)?, dom0.free()?);
    let mapped = guest.read_number(&format!("{SYSFS}/member/mapped"))? * 4096;
    ensure!(
        mapped >= u64::from(options.data_mib) << 20,
        "only {:.1} MiB are mapped",
        mib(mapped)
    );
    let first = before.0.saturating_sub(mounted);
    let more = mounted.saturating_sub(after.0);
    let xen = before.1.saturating_sub(after.1) / 1024;
    println!(
        "{:.1} MiB mapped: the guest lost {first} KiB when it mounted the tree and {more} KiB when it read, Xen {xen} KiB",
        mib(mapped),
    );
    let share = |kb: u64| vec![(kb * 1024) as f64 / mapped as f64];
    Ok(vec![
        Metric::alone("guest-overhead", "share", GUEST, share(first + more)),
        Metric::alone("xen-overhead", "share", XEN, share(xen)),
    ])
}
