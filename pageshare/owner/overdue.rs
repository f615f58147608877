// SPDX-License-Identifier: GPL-2.0

//! Grants that are over, but whose pages members still have mapped: because their link was lost, or because
//! they say what is not so. They take room until they are unmapped, and count as what the domain has.

use crate::{
    frame::Overdue,
    xen::domain::DomId, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::Mutex,
    time::{
        Instant,
        Monotonic, //
    }, //
};

/// At most so often it is looked again for a domain that wants more, in milliseconds: it may do so all
/// the time.
const LOOK_MS: i64 = 20;

/// Those of one domain.
struct Kept {
    domain: DomId,
    grants: KVVec<Overdue>,
    looked: Instant<Monotonic>,
}

impl Kept {
    /// Ends those that are not mapped any more.
    fn look(&mut self) {
        self.grants.retain(|grant| !grant.try_end());
        self.looked = Instant::now();
    }
}

/// Those of all domains.
#[pin_data]
pub(super) struct OverdueGrants {
    #[pin]
    list: Mutex<KVec<Kept>>,
}

impl OverdueGrants {
    /// None yet.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            list <- new_mutex!(KVec::new()),
        })
    }

    /// Keeps a grant that a domain still has mapped. With no memory for that the kernel keeps it, and it
    /// does not count.
    ///
    /// Context: process context, may sleep.
    pub(super) fn keep(&self, domain: DomId, grant: Overdue) {
        let mut list = self.list.lock();
        let at = list.iter().position(|kept| kept.domain == domain);
        let at = at.unwrap_or(list.len());
        if at == list.len() {
            let none = Kept {
                domain,
                grants: KVVec::new(),
                looked: Instant::now(),
            };
            if list.push(none, GFP_KERNEL).is_err() {
                return;
            }
        }
        if let Some(kept) = list.get_mut(at) {
            // What cannot be pushed is dropped.
            let _ = kept.grants.push(grant, GFP_KERNEL);
        }
    }

    /// Returns how many a domain has.
    ///
    /// Context: process context, may sleep.
    pub(super) fn count(&self, domain: DomId) -> u32 {
        let list = self.list.lock();
        let kept = list.iter().find(|kept| kept.domain == domain);
        kept.map_or(0, |kept| kept.grants.len() as u32)
    }

    /// As [`OverdueGrants::count`], after it was looked again, unless it just was.
    pub(super) fn count_again(&self, domain: DomId) -> u32 {
        let mut list = self.list.lock();
        let Some(kept) = list.iter_mut().find(|kept| kept.domain == domain) else {
            return 0;
        };
        if kept.looked.elapsed().as_millis() >= LOOK_MS {
            kept.look();
        }
        kept.grants.len() as u32
    }

    /// Ends those that are not mapped any more. Returns how many are left.
    ///
    /// Context: process context, may sleep.
    pub(super) fn look(&self) -> u64 {
        let mut list = self.list.lock();
        list.iter_mut().for_each(Kept::look);
        list.retain(|kept| !kept.grants.is_empty());
        list.iter().map(|kept| kept.grants.len() as u64).sum()
    }

    /// Calls `each` with all of them: the domain, and the reference.
    ///
    /// Context: process context, may sleep.
    pub(super) fn each(&self, mut each: impl FnMut(DomId, u32)) {
        for kept in self.list.lock().iter() {
            for grant in &kept.grants {
                each(kept.domain, grant.reference());
            }
        }
    }

    /// Returns how many there are.
    ///
    /// Context: process context, may sleep.
    pub(super) fn total(&self) -> u64 {
        let list = self.list.lock();
        list.iter().map(|kept| kept.grants.len() as u64).sum()
    }
}
