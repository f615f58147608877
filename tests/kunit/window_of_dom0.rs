// SPDX-License-Identifier: GPL-2.0

//! Windows that nothing gets mapped in: dom0 grants this domain nothing. What is read and shown is tested by
//! scenarios.

use crate::{
    once::Once,
    space::Space,
    vfs::Mount,
    window::Window,
    xen::domain::{
        self,
        DomId,
        Kind, //
    }, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// A reference that dom0 has not given us.
const NOT_OURS: u32 = 1;

fn window(slots: u32) -> Result<Pin<KBox<Window>>> {
    KBox::pin_init(Window::new(DomId::new(0).ok_or(EINVAL)?, slots), GFP_KERNEL)
}

#[kunit_tests(xen_window)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_granted_is_not_there() -> Result {
        let window = window(300)?;
        assert_eq!(window.slots(), 384);
        let wanted = [(0, NOT_OURS), (299, NOT_OURS), (384, NOT_OURS)];
        let mut told = KVec::new();
        window.map(&wanted, |slot, result| {
            let _ = told.push((slot, result.is_ok()), GFP_KERNEL);
        });
        assert_eq!(told.len(), 3);
        assert!([0, 299, 384].map(|slot| told.contains(&(slot, false))) == [true; 3]);
        assert_eq!((window.calls().maps, window.calls().unmaps), (1, 0));
        for slot in [0, 1, 299, 384] {
            assert!(window.view(slot).is_none());
        }
        Ok(())
    }

    #[test]
    fn all_is_mapped_by_one_call() -> Result {
        let window = window(1024)?;
        let mut wanted = KVec::with_capacity(1024, GFP_KERNEL)?;
        for slot in 0..1024 {
            wanted.push((slot, NOT_OURS), GFP_KERNEL)?;
        }
        for calls in 1..=2 {
            let mut next = 0;
            window.map(&wanted, |slot, result| {
                next += u32::from(slot == next && result.is_err());
            });
            assert_eq!((next, window.calls().maps), (1024, calls));
        }
        Ok(())
    }

    #[test]
    fn what_is_not_mapped_is_not_unmapped() -> Result {
        let window = window(1)?;
        let mut told = 0;
        window.map(&[(0, NOT_OURS)], |_, _| ());
        window.unmap(&[0, 1, 1000], |_, empty| told += u32::from(!empty));
        assert_eq!((told, window.calls().unmaps), (3, 0));
        assert!(!window.has_left_over() && !window.was_used(0));
        Ok(())
    }

    #[test]
    fn screens_have_different_places() -> Result {
        let window = window(1)?;
        let new = || Arc::pin_init(Mount::new(), GFP_KERNEL);
        let (first, second) = (window.add_screen(new()?)?, window.add_screen(new()?)?);
        assert!(first.place(1, 2) == first.place(1, 2));
        assert!(first.place(1, 2) != second.place(1, 2));
        assert!(first.place(1, 2) != first.place(2, 1));
        assert!(first.place(0, 1 << 28) == second.place(1 << 28, 0));
        window.remove_screen(&first);
        let third = window.add_screen(new()?)?;
        assert!(third.place(1, 2) == first.place(1, 2));
        Ok(())
    }

    #[test]
    fn addresses_are_taken_once() -> Result {
        if domain::kind() == Some(Kind::Pv) {
            return Ok(());
        }
        let first = Space::new(PAGE_SIZE)?;
        let second = Space::new(3 << 20)?;
        assert!(first.start() % PAGE_SIZE as u64 == 0 && first.start() != second.start());
        assert!(second.address((3 << 20) - 1).is_some() && second.address(3 << 20).is_none());
        let start = first.start();
        drop(first);
        assert_eq!(Space::new(PAGE_SIZE)?.start(), start);
        Ok(())
    }

    #[test]
    fn the_first_value_stays() -> Result {
        let once = Once::empty();
        assert!(once.get().is_none());
        once.set(KBox::new(1, GFP_KERNEL)?);
        once.set(KBox::new(2, GFP_KERNEL)?);
        assert_eq!(once.get(), Some(&1));
        Ok(())
    }
}
