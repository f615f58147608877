// SPDX-License-Identifier: GPL-2.0

//! What a member has of all areas together.

use super::counts::Counts;
use crate::xen::domain::DomId;
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// Pages that a member has given back, but has not told of yet, when it asks for others: all of the
/// batches that can be under way.
const UNTOLD: u32 = 16 * 128;

/// The account of a member.
pub(super) struct Account {
    number: u32,
    domain: DomId,
    /// How many pages it may have.
    most: Atomic<u32>,
    /// How many it has.
    granted: Atomic<u32>,
    counts: Counts,
}

impl Account {
    /// The domain `domain` has nothing, and may have nothing; areas know it as `number`.
    pub(super) fn new(number: u32, domain: DomId) -> Self {
        Self {
            number,
            domain,
            most: Atomic::new(0),
            granted: Atomic::new(0),
            counts: Counts::new(),
        }
    }

    /// What stands for it in areas.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn domain(&self) -> DomId {
        self.domain
    }

    /// What it has got.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How many pages it may have.
    pub(super) fn most(&self) -> u32 {
        self.most.load(Relaxed)
    }

    /// Sets how many pages it may have.
    pub(super) fn set_most(&self, pages: u32) {
        self.most.store(pages, Relaxed);
    }

    /// How many pages it has.
    pub(super) fn granted(&self) -> u32 {
        self.granted.load(Relaxed)
    }

    /// Whether it may have another page, with so many `others` that its domain has.
    pub(super) fn has_room(&self, others: u32) -> bool {
        self.granted().saturating_add(others) < self.most().saturating_add(UNTOLD)
    }

    /// It has a page more.
    pub(super) fn take(&self) {
        self.granted.fetch_add(1, Relaxed);
    }

    /// It has a page less.
    pub(super) fn give(&self) {
        self.granted.fetch_sub(1, Relaxed);
    }
}
