// SPDX-License-Identifier: GPL-2.0

//! Instead of the driver's `lines`: a word of a ring may be another one.

#[path = "../../../rust/xen/lines.rs"]
mod honest;

use crate::{
    mutate,
    ring::{
        Fence,
        Field,
        Lines, //
    },
    words::flicker,
    wrong::What,
    xen::shared::Memory, //
};
use core::ops::Deref;
use kernel::sync::Arc;

/// As the driver's, but a word may be another one.
pub(crate) struct RingAt<M>(honest::RingAt<M>);

impl<M: Deref<Target = Memory>> RingAt<M> {
    pub(crate) fn new(memory: Arc<M>, at: usize) -> Self {
        Self(honest::RingAt::new(memory, at))
    }
}

fn spoilt(field: Field, value: u32) -> u32 {
    // Otherwise this end itself would never hear again.
    let is_own = matches!(field, Field::DataEvent | Field::SpaceEvent);
    match !is_own && mutate::strikes(What::Word) {
        true => mutate::instead_of(value),
        false => value,
    }
}

impl<M: Deref<Target = Memory>> Lines for RingAt<M> {
    fn load(&self, field: Field) -> u32 {
        self.0.load(field)
    }

    fn load_acquire(&self, field: Field) -> u32 {
        self.0.load_acquire(field)
    }

    fn store(&self, field: Field, value: u32) {
        flicker(&self.0, field);
        self.0.store(field, spoilt(field, value));
    }

    fn store_release(&self, field: Field, value: u32) {
        flicker(&self.0, field);
        self.0.store_release(field, spoilt(field, value));
    }

    fn barrier(&self, why: Fence) {
        self.0.barrier(why);
    }
}
