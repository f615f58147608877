// SPDX-License-Identifier: GPL-2.0

//! KUnit suites for the `xen` layer, loaded in a guest. They run when the module is loaded.
//!
//! What needs user space or the toolstack (sysfs files, save and restore) is tested by scenarios.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    }, //
};

#[path = "../../rust/bindings/mod.rs"]
pub mod bindings;
#[path = "../../rust/linux/disk/mod.rs"]
pub mod disk;
mod event_line;
#[path = "../../rust/linux/failure.rs"]
pub mod failure;
mod faults;
mod folders;
#[path = "../../rust/xen/frame.rs"]
pub mod frame;
mod growth;
mod lent;
#[path = "../../rust/linux/mod.rs"]
pub mod linux;
mod memory_disk;
mod memory_tree;
mod offered_pages;
#[path = "../../rust/linux/once.rs"]
pub mod once;
mod own_frames;
mod reservation;
mod shared_words;
#[path = "../../rust/linux/space.rs"]
pub mod space;
#[path = "../../rust/linux/stand_in/mod.rs"]
pub mod stand_in;
mod store;
#[path = "../../rust/linux/vfs/mod.rs"]
pub mod vfs;
#[path = "../../rust/xen/window/mod.rs"]
pub mod window;
mod window_of_dom0;
mod work;
#[path = "../../rust/xen/mod.rs"]
pub mod xen;
mod zeroes;

module! {
    type: XenKunit,
    name: "xen_kunit",
    authors: ["The Xenoxide authors"],
    description: "KUnit suites for the xen layer",
    license: "GPL v2",
    params: {
        fault_seed: u64 {
            default: 0,
            description: "Seed of the faults in any order, as an earlier run said it; 0: another one",
        },
    },
}

/// Returns the seed of what is random: how long a nap was, if none was given.
fn seed() -> u64 {
    let given = linux::param::value::<u64>(module_parameters::fault_seed.value());
    if given != 0 {
        return given;
    }
    let start = Instant::<Monotonic>::now();
    fsleep(Delta::from_millis(1));
    start.elapsed().as_nanos().unsigned_abs() | 1
}

/// Only carries the suites.
struct XenKunit;

impl kernel::Module for XenKunit {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}

/// Waits until `done` says so, for ten seconds at the most, and returns its last answer.
fn eventually(done: impl Fn() -> bool) -> bool {
    for _ in 0..1000 {
        if done() {
            return true;
        }
        fsleep(Delta::from_millis(10));
    }
    done()
}

/// Counts how often it was called.
struct Calls(Atomic<u32>);

impl Calls {
    fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(Self(Atomic::new(0)), GFP_KERNEL)?)
    }

    fn count(&self) -> u32 {
        self.0.load(Relaxed)
    }
}

impl xen::lifecycle::Lifecycle for Calls {
    fn resumed(&self) {
        self.0.add(1, Relaxed);
    }
}

#[kunit_tests(xen_domain)]
mod domain_tests {
    use crate::xen::domain::{
        self,
        Feature,
        Kind, //
    };

    #[test]
    fn runs_on_xen() {
        assert!(domain::require().is_ok());
        assert!(!domain::is_initial());
    }

    #[test]
    fn kind_fits_features() {
        let translated = domain::has(Feature::AutoTranslatedPhysmap);
        assert_eq!((domain::kind() == Some(Kind::Pv)), !translated);
    }
}

#[kunit_tests(xen_pages)]
mod pages_tests {
    use crate::linux::{
        memory,
        pages::{
            Extents,
            Order, //
        }, //
    };

    #[test]
    fn extents_are_aligned_to_their_size() {
        for order in [Order::Base, Order::Huge] {
            let mut extents = Extents::new(order);
            assert!(extents.grow());
            assert_eq!(extents.len(), 1);
            let aligned = extents
                .top_pfn()
                .is_some_and(|pfn| pfn % order.pages() == 0);
            assert!(aligned);
        }
    }

    #[test]
    fn dropped_extents_are_available_again() {
        const COUNT: usize = 32;
        // What earlier tests have let go of may come back meanwhile.
        let half = COUNT / 2 * Order::Huge.pages();
        let before = memory::available_pages();
        let mut extents = Extents::new(Order::Huge);
        while extents.len() < COUNT && extents.grow() {}
        assert_eq!(extents.len(), COUNT);
        assert!(memory::available_pages() + half < before);

        drop(extents);
        assert!(memory::available_pages() + half > before);
    }

    #[test]
    fn a_huge_run_splits_into_single_pages() {
        let mut extents = Extents::new(Order::Huge);
        let mut singles = Extents::new(Order::Base);
        assert!(extents.grow());
        let first = extents.top_pfn();

        assert!(extents.stack().split_top_into(singles.stack()));
        assert!(extents.is_empty());
        assert_eq!(singles.len(), Order::Huge.pages());
        assert_eq!(singles.top_pfn(), first);
        assert!(!extents.stack().split_top_into(singles.stack()));
    }
}

#[kunit_tests(xen_builtin)]
mod builtin_tests {
    use super::*;
    use crate::xen::builtin;

    #[test]
    fn a_held_driver_rests() {
        let hold = builtin::Hold::acquire();
        hold.freeze();
        let stats = builtin::stats();
        assert_eq!(stats.target, stats.current);
        assert_eq!(hold.release_target(), stats.target);
    }

    #[test]
    fn a_released_driver_goes_to_its_release_target() {
        let before = builtin::stats().current;
        let hold = builtin::Hold::acquire();
        hold.set_release_target(before - 700);
        drop(hold);
        assert!(eventually(|| builtin::stats().current == before - 700));

        let hold = builtin::Hold::acquire();
        hold.borrow(700);
        assert!(eventually(|| builtin::stats().current == before));
        hold.set_release_target(before);
    }
}

#[kunit_tests(xen_lifecycle)]
mod lifecycle_tests {
    use super::*;
    use crate::xen::lifecycle::Registration;

    #[test]
    fn registers_and_leaves() -> Result {
        let calls = Calls::new()?;
        let first = KBox::pin_init(Registration::new(calls.clone()), GFP_KERNEL)?;
        let second = KBox::pin_init(Registration::new(calls.clone()), GFP_KERNEL)?;
        drop(first);
        drop(second);
        assert_eq!(calls.count(), 0);
        Ok(())
    }
}

#[kunit_tests(xen_device)]
mod device_tests {
    use super::*;
    use crate::linux::device::{
        Attribute,
        Device,
        Entries,
        Entry,
        Group,
        Groups,
        Ioctl, //
    };
    use core::fmt::Write;
    use kernel::str::Formatter;

    impl Ioctl for u32 {}

    struct Answer;

    impl Attribute<u32> for Answer {
        const NAME: &'static CStr = c"answer";

        fn show(state: &u32, out: &mut Formatter<'_>) -> Result {
            Ok(write!(out, "{state}")?)
        }
    }

    static ANSWER: Entry = Entry::new::<u32, Answer>();
    static ENTRIES: Entries<2> = Entries::new([&ANSWER]);
    static GROUP: Group = Group::new(Some(c"info"), &ENTRIES);
    static GROUPS: Groups<2> = Groups::new([&GROUP]);

    fn device(state: u32) -> Result<Pin<KBox<Device<u32>>>> {
        let state = Arc::new(state, GFP_KERNEL)?;
        KBox::pin_init(
            Device::new(&THIS_MODULE, c"xen_kunit", state, &GROUPS),
            GFP_KERNEL,
        )
    }

    #[test]
    fn a_name_is_free_again_when_the_device_is_dropped() -> Result {
        drop(device(42)?);
        drop(device(43)?);
        Ok(())
    }
}

#[kunit_tests(xen_percpu)]
mod percpu_tests {
    use super::*;
    use crate::linux::percpu::PerCpuCounter;

    #[test]
    fn a_counter_sums_up_what_was_added() -> Result {
        let counter = PerCpuCounter::new()?;
        assert_eq!(counter.sum(), 0);
        // More than 32 bits.
        for _ in 0..4 {
            counter.add(u32::MAX);
        }
        counter.add(1);
        assert_eq!(counter.sum(), 4 * u64::from(u32::MAX) + 1);
        Ok(())
    }
}
