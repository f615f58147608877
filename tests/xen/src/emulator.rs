// SPDX-License-Identifier: GPL-2.0
//! Guests that QEMU has lost.
//!
//! Under TCG a PVH guest now and then goes on with the hypervisor's registers: Xen sees it end in a
//! triple fault and dumps, as the guest's, its own code segment and the address behind its own VMRUN.
//! No guest can get there by itself, so what it was doing was not tested.

/// Counts in Xen's log the guests lost.
pub fn losses(xen_log: &str) -> usize {
    let lines: Vec<&str> = xen_log.lines().collect();
    let lost = |pair: &&[&str]| {
        pair[0].contains("RIP:    e008:[<ffff82d") && pair[1].contains("CONTEXT: hvm guest")
    };
    lines.windows(2).filter(lost).count()
}

#[cfg(test)]
mod tests {
    use super::losses;

    const LOST: &str = "(XEN) d4v0 Triple fault - invoking HVM shutdown action 1\n\
         (XEN) CPU:    0\n\
         (XEN) RIP:    e008:[<ffff82d040215a6f>]\n\
         (XEN) RFLAGS: 0000000000000246   CONTEXT: hvm guest (d4v0)\n";

    #[test]
    fn counts_guests_with_xens_registers() {
        assert_eq!(losses(LOST), 1);
        assert_eq!(losses(&LOST.repeat(3)), 3);
    }

    #[test]
    fn a_guests_own_triple_fault_is_its_own() {
        assert_eq!(
            losses(&LOST.replace("e008:[<ffff82d040215a6f>]", "0010:[<ffffffff81001948>]")),
            0
        );
    }

    #[test]
    fn a_crash_of_xen_is_no_loss() {
        assert_eq!(losses(&LOST.replace("hvm guest (d4v0)", "hypervisor")), 0);
    }
}
