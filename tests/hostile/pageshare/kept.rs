// SPDX-License-Identifier: GPL-2.0

//! What is kept beyond links: others' pages that stay mapped, and own ones that are still to change.

use crate::{
    area::wire::Refs,
    mutate,
    window::Window,
    wrong::What,
    xen::{
        domain::DomId,
        honest::grant::Granted, //
    }, //
};
use kernel::{
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        Arc,
        Mutex,
        SetOnce, //
    }, //
};

/// As many pages of an owner stay mapped.
const MOST: u32 = 4096;

/// As many own pages may change.
const PAGES: usize = 256;

/// All that stays mapped is unmapped once in so many times.
const CLEARED_ONE_IN: u64 = 256;

/// Pages that stay mapped.
struct Mapped {
    domain: DomId,
    window: Pin<KBox<Window>>,
    /// How many slots are in use.
    used: u32,
}

#[pin_data]
struct Kept {
    #[pin]
    mapped: Mutex<Option<Mapped>>,
    #[pin]
    pages: Mutex<KVec<Arc<Granted>>>,
}

static KEPT: SetOnce<Arc<Kept>> = SetOnce::new();

/// Something may be kept. When it is dropped, nothing is.
pub(crate) struct Keeper(Arc<Kept>);

impl Keeper {
    /// Nothing is kept yet.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let kept = pin_init!(Kept {
            mapped <- new_mutex!(None),
            pages <- new_mutex!(KVec::new()),
        });
        let kept = Arc::pin_init(kept, GFP_KERNEL)?;
        KEPT.populate(kept.clone());
        Ok(Self(kept))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let mapped = self.0.mapped.lock().take();
        drop(mapped);
        let pages = core::mem::take(&mut *self.0.pages.lock());
        drop(pages);
    }
}

/// Maps grants once more, perhaps.
pub(crate) fn map(domain: DomId, refs: Refs<'_>) -> Result {
    let Some(kept) = KEPT.as_ref().filter(|_| mutate::strikes(What::Keep)) else {
        return Ok(());
    };
    let mut mapped = kept.mapped.lock();
    let is_usable = mapped
        .as_ref()
        .is_some_and(|mapped| mapped.domain == domain && mapped.used + refs.count() <= MOST);
    if !is_usable || mutate::below(CLEARED_ONE_IN) == 0 {
        // Before there is another one.
        *mapped = None;
        *mapped = Some(Mapped {
            domain,
            window: KBox::pin_init(Window::new(domain, MOST), GFP_KERNEL)?,
            used: 0,
        });
    }
    let Some(mapped) = &mut *mapped else {
        return Ok(());
    };
    let mut wanted = KVec::new();
    for (slot, reference) in (mapped.used..).zip(refs.iter().flatten()) {
        wanted.push((slot, reference), GFP_KERNEL)?;
    }
    mapped.used += wanted.len() as u32;
    // What cannot be mapped is of no interest.
    mapped.window.map(&wanted, |_, _| {});
    Ok(())
}

/// Takes note of a page that was just granted: it may change.
pub(crate) fn may_alter(page: &Arc<Granted>) {
    let Some(kept) = KEPT.as_ref() else {
        return;
    };
    let before = {
        let mut pages = kept.pages.lock();
        let before = match pages.len() < PAGES {
            true => None,
            false => pages.remove(mutate::below(PAGES as u64) as usize).ok(),
        };
        // One that is not noted does not change.
        let _ = pages.push(page.clone(), GFP_KERNEL);
        before
    };
    drop(before);
}

/// Writes something else to one of those pages, perhaps: where most of what is read of files, and of what
/// describes them, begins.
pub(crate) fn alter() {
    let Some(kept) = KEPT.as_ref().filter(|_| mutate::strikes(What::Alter)) else {
        return;
    };
    let pages = kept.pages.lock();
    let Some(page) = pages.get(mutate::below(pages.len() as u64) as usize) else {
        return;
    };
    let end = match mutate::below(2) {
        0 => 256,
        _ => PAGE_SIZE,
    };
    let at = mutate::below(end as u64) as usize & !3;
    let mut word = [0; 4];
    let read = page.read(at, &mut word);
    mutate::replace(&mut word);
    // There are words in each page.
    let _ = read.and_then(|()| page.write(at, &word));
}
