// SPDX-License-Identifier: GPL-2.0

//! Frames that are granted to this domain itself.
//!
//! Only in a PV guest can a domain map its own.

use crate::{
    frame::Frame,
    window::Window,
    xen::{
        domain::{
            self,
            Kind, //
        },
        store, //
    }, //
};
use kernel::prelude::*;

#[kunit_tests(xen_frame)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_mapped_ends_at_once() -> Result {
        let mut frame = Frame::new(b"content")?;
        let reference = frame.grant(store::own_domid()?)?;
        assert!(frame.end(reference).is_none());
        assert!(frame.end(reference).is_none());
        Ok(())
    }

    #[test]
    fn what_is_mapped_is_overdue_until_it_is_not() -> Result {
        if domain::kind() != Some(Kind::Pv) {
            return Ok(());
        }
        let own = store::own_domid()?;
        let mut frame = Frame::new(b"content")?;
        let reference = frame.grant(own)?;
        let window = KBox::pin_init(Window::new(own, 1), GFP_KERNEL)?;
        let mut mapped = false;
        window.map(&[(0, reference)], |_, result| mapped = result.is_ok());
        assert!(mapped);
        let overdue = frame.end(reference);
        assert!(overdue.is_some() && frame.end(reference).is_none());
        let mut overdue = overdue.ok_or(EINVAL)?;
        assert!(!overdue.try_end());
        // The page is there without the frame.
        drop(frame);
        let mut read = [0; 7];
        window.view(0).ok_or(EINVAL)?.read(0, &mut read)?;
        assert!(read == *b"content");
        window.unmap(&[0], |_, empty| mapped = !empty);
        assert!(!mapped && overdue.try_end() && overdue.try_end());
        Ok(())
    }
}
