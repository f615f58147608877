// SPDX-License-Identifier: GPL-2.0

//! Nodes in xenstore, and watches.

use crate::{
    eventually,
    xen::{
        barrier::Barrier,
        store::{
            self,
            Watch,
            Watcher, //
        }, //
    },
    Calls, //
};
use kernel::{
    prelude::*,
    sync::atomic::Relaxed,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

const DIR: &CStr = c"data/xen_kunit";

impl Watcher for Calls {
    fn changed(&self, path: &CStr) {
        if path.to_bytes().starts_with(b"data/xen_kunit") {
            self.0.add(1, Relaxed);
        }
    }
}

#[kunit_tests(xen_store)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() -> Result {
        store::write(DIR, c"node", c"some text")?;
        assert!(&*store::read(DIR, c"node")? == b"some text");
        store::remove(DIR, c"node")?;
        assert!(store::read(DIR, c"node").is_err_and(|e| e == ENOENT));
        Ok(())
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let written = store::write(c"/local/domain/0", c"xen_kunit", c"x");
        assert!(written.is_err_and(|e| e == EACCES));
    }

    #[test]
    fn numbers_are_digits_and_nothing_else() -> Result {
        let cases = [
            (c"524288", Some(524288)),
            (c" 12\n", Some(12)),
            (c"18446744073709551615", Some(u64::MAX)),
            (c"18446744073709551616", None),
            (c"", None),
            (c"-1", None),
            (c"+1", None),
            (c"0x10", None),
            (c"12 34", None),
            (c"\xff\xfe", None),
        ];
        for (text, number) in cases {
            store::write(DIR, c"number", text)?;
            assert_eq!(store::read(DIR, c"number")?.number(), number);
        }
        store::remove(DIR, c"number")
    }

    #[test]
    fn a_watch_tells_of_changes_until_it_is_dropped() -> Result {
        let calls = Calls::new()?;
        let watch = KBox::pin_init(
            Watch::new(c"data/xen_kunit/watched", calls.clone()),
            GFP_KERNEL,
        )?;
        assert!(eventually(|| calls.count() == 1));
        store::write(DIR, c"watched", c"1")?;
        assert!(eventually(|| calls.count() == 2));

        drop(watch);
        store::write(DIR, c"watched", c"2")?;
        store::remove(DIR, c"watched")?;
        fsleep(Delta::from_millis(100));
        assert_eq!(calls.count(), 2);
        Ok(())
    }

    #[test]
    fn draining_waits_for_events_on_their_way() -> Result {
        let calls = Calls::new()?;
        let _watch = KBox::pin_init(
            Watch::new(c"data/xen_kunit/drained", calls.clone()),
            GFP_KERNEL,
        )?;
        // Xenstored drops an event if the same one still waits to be sent: without this the first
        // write's event may be one with the watch's own first event.
        store::drain_events()?;
        assert_eq!(calls.count(), 1);
        for n in 2..6 {
            store::write(DIR, c"drained", c"x")?;
            store::drain_events()?;
            assert_eq!(calls.count(), n);
        }
        store::remove(DIR, c"drained")
    }

    #[test]
    fn a_barrier_passes_after_events_on_their_way() -> Result {
        let calls = Calls::new()?;
        let _watch = KBox::pin_init(
            Watch::new(c"data/xen_kunit/barred", calls.clone()),
            GFP_KERNEL,
        )?;
        let key = kernel::static_lock_class!();
        let barrier = KBox::pin_init(Barrier::new(c"xen_kunit", key), GFP_KERNEL)?;
        let first = barrier.raise();
        assert!(eventually(|| barrier.has_passed(first)));
        for n in 2..6 {
            store::write(DIR, c"barred", c"x")?;
            let ticket = barrier.raise();
            assert!(eventually(|| barrier.has_passed(ticket)));
            assert_eq!(calls.count(), n);
            assert!(barrier.has_passed(first));
        }
        store::remove(DIR, c"barred")
    }
}
