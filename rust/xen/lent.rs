// SPDX-License-Identifier: GPL-2.0

//! Pages that another domain has lent, to stand in for those of a program.

use crate::{
    stand_in::Frames,
    window::Window,
    xen::{
        domain::DomId,
        grant::BATCH, //
    }, //
};
use core::ops::Range;
use kernel::prelude::*;

/// Grants of another domain, each mapped for a page.
///
/// # Invariants
///
/// What is mapped in the window is unmapped by [`Frames::release`] only, and when this is dropped.
#[pin_data]
pub struct Lent {
    #[pin]
    window: Window,
}

impl Lent {
    /// Returns room for so many pages of `domain`, which must not be this one.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(domain: DomId, pages: u32) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            window <- Window::new(domain, pages),
        })
    }

    /// Maps grants for pages, as [`Window::map`].
    ///
    /// Context: process context, may sleep.
    pub fn map(&self, wanted: &[(u32, u32)], result: impl FnMut(u32, Result)) {
        self.window.map(wanted, result);
    }
}

// SAFETY: A frame has the grant mapped for reading as long as that is there, by the type invariants
// until it is released. The hypervisor lets nobody write to it, or execute it.
unsafe impl Frames for Lent {
    fn number(&self, page: usize) -> Option<usize> {
        let view = self.window.view(u32::try_from(page).ok()?)?;
        view.number()
    }

    fn read(&self, page: usize, to: &mut [u8]) -> Result {
        let view = self.window.view(u32::try_from(page)?);
        view.ok_or(ENOENT)?.read(0, to)
    }

    unsafe fn release(&self, pages: Range<usize>) {
        let mut mapped = [0; BATCH];
        let mut at = pages.start;
        while at < pages.end {
            let end = pages.end.min(at + BATCH);
            let mut count = 0;
            for page in (at..end).filter(|&page| self.number(page).is_some()) {
                if let Some(to) = mapped.get_mut(count) {
                    *to = page as u32;
                    count += 1;
                }
            }
            // What Xen does not unmap stays, and is never used again.
            self.window
                .unmap(mapped.get(..count).unwrap_or(&[]), |_, _| {});
            at = end;
        }
    }
}
