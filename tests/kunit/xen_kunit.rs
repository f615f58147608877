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
#[path = "../../rust/linux/failure.rs"]
pub mod failure;
mod faults;
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
#[path = "../../rust/linux/space.rs"]
pub mod space;
#[path = "../../rust/linux/stand_in/mod.rs"]
pub mod stand_in;
#[path = "../../rust/linux/vfs/mod.rs"]
pub mod vfs;
#[path = "../../rust/xen/window/mod.rs"]
pub mod window;
mod window_of_dom0;
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

impl xen::store::Watcher for Calls {
    fn changed(&self, path: &CStr) {
        if path.to_bytes().starts_with(b"data/xen_kunit") {
            self.0.add(1, Relaxed);
        }
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

#[kunit_tests(xen_reservation)]
mod reservation_tests {
    use super::*;
    use crate::{
        linux::pages::{
            Extents,
            Order, //
        },
        xen::{
            builtin,
            reservation::{
                self,
                Exchange,
                Holes, //
            }, //
        }, //
    };

    /// Allocates `runs` extents.
    fn extents(order: Order, runs: usize) -> Extents {
        let mut extents = Extents::new(order);
        while extents.len() < runs && extents.grow() {}
        extents
    }

    #[test]
    fn counts_are_plausible() -> Result {
        assert!(reservation::current()? > 0);
        assert!(reservation::maximum()? >= reservation::current()?);
        Ok(())
    }

    #[test]
    fn surrenders_and_reclaims_to_the_page() -> Result {
        let mut exchange = Exchange::new()?;
        let before = reservation::current()?;

        for (order, runs) in [(Order::Base, 100), (Order::Huge, 3)] {
            let pages = runs * order.pages();
            let mut holes = Holes::new();
            let done = exchange.surrender(extents(order, runs), &mut holes);
            assert!(done.error.is_none());
            assert_eq!(done.pages, pages);
            assert_eq!(holes.pages(), pages);
            assert_eq!(holes.count(order), runs);
            assert_eq!(reservation::current()?, before - pages);

            let done = exchange.reclaim(&mut holes, order, runs);
            assert!(done.error.is_none());
            assert_eq!(done.pages, pages);
            assert_eq!(holes.pages(), 0);
            assert_eq!(reservation::current()?, before);
        }
        Ok(())
    }

    #[test]
    fn reclaims_no_more_than_there_is() -> Result {
        let mut exchange = Exchange::new()?;
        let mut holes = Holes::new();
        exchange.surrender(extents(Order::Base, 5), &mut holes);

        assert_eq!(exchange.reclaim(&mut holes, Order::Huge, 1).pages, 0);
        assert_eq!(exchange.reclaim(&mut holes, Order::Base, 100).pages, 5);
        Ok(())
    }

    #[test]
    fn a_huge_hole_splits_and_comes_back_singly() -> Result {
        let mut exchange = Exchange::new()?;
        let mut holes = Holes::new();
        let before = reservation::current()?;
        exchange.surrender(extents(Order::Huge, 1), &mut holes);

        assert!(holes.split_one());
        assert!(!holes.split_one());
        let pages = Order::Huge.pages();
        assert_eq!(holes.count(Order::Base), pages);
        let done = exchange.reclaim(&mut holes, Order::Base, pages);
        assert_eq!(done.pages, pages);
        assert_eq!(reservation::current()?, before);
        Ok(())
    }

    #[test]
    fn surrenders_no_more_than_a_batch() -> Result {
        let mut exchange = Exchange::new()?;
        let mut holes = Holes::new();
        let most = exchange.capacity(Order::Base);
        let done = exchange.surrender(extents(Order::Base, most + 10), &mut holes);

        assert_eq!(done.pages, most);
        let done = exchange.reclaim(&mut holes, Order::Base, most);
        assert_eq!(done.pages, most);
        Ok(())
    }

    #[test]
    fn dropped_holes_go_to_the_built_in_driver() -> Result {
        let hold = builtin::Hold::acquire();
        let before = builtin::stats();
        let reservation = reservation::current()?;
        let mut exchange = Exchange::new()?;
        let mut holes = Holes::new();
        exchange.surrender(extents(Order::Base, 100), &mut holes);
        exchange.surrender(extents(Order::Huge, 1), &mut holes);
        let pages = holes.pages();
        assert_eq!(pages, 100 + Order::Huge.pages());

        drop(holes);
        let after = builtin::stats();
        assert_eq!(after.reserve, before.reserve + pages);
        assert_eq!(after.current, before.current - pages);
        assert_eq!(after.target, after.current);
        assert_eq!(reservation::current()?, reservation - pages);

        // Released, it goes back to its old target with the pages that it was handed.
        drop(hold);
        assert!(eventually(|| builtin::stats().current == before.current));
        assert_eq!(builtin::stats().reserve, before.reserve);
        assert_eq!(reservation::current()?, reservation);
        Ok(())
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

#[kunit_tests(xen_store)]
mod store_tests {
    use super::*;
    use crate::xen::store::{
        self,
        Watch, //
    };

    const DIR: &CStr = c"data/xen_kunit";

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

#[kunit_tests(xen_work)]
mod work_tests {
    use super::*;
    use crate::linux::work::{
        Task,
        Worker, //
    };
    use kernel::time::Msecs;

    /// Runs until it has run `until` times, or only when kicked if that is 0.
    struct Counter {
        runs: Atomic<u32>,
        until: u32,
        delay: Msecs,
    }

    impl Task for Counter {
        fn step(&self) -> Option<Msecs> {
            self.runs.add(1, Relaxed);
            (self.runs.load(Relaxed) < self.until).then_some(self.delay)
        }
    }

    fn worker(until: u32, delay: Msecs) -> Result<Pin<KBox<Worker<Counter>>>> {
        let counter = Counter {
            runs: Atomic::new(0),
            until,
            delay,
        };
        KBox::pin_init(
            Worker::new(
                c"xen_kunit",
                kernel::static_lock_class!(),
                Ok::<_, Error>(counter),
            ),
            GFP_KERNEL,
        )
    }

    #[test]
    fn runs_when_kicked() -> Result {
        let worker = worker(0, 0)?;
        fsleep(Delta::from_millis(50));
        assert_eq!(worker.runs.load(Relaxed), 0);
        for n in 1..4 {
            worker.kick();
            assert!(eventually(|| worker.runs.load(Relaxed) == n));
        }
        Ok(())
    }

    #[test]
    fn runs_again_after_its_delay() -> Result {
        let worker = worker(5, 1)?;
        worker.kick();
        assert!(eventually(|| worker.runs.load(Relaxed) == 5));
        Ok(())
    }

    #[test]
    fn a_kick_does_not_wait_for_the_delay() -> Result {
        let worker = worker(u32::MAX, 3_600_000)?;
        worker.kick();
        assert!(eventually(|| worker.runs.load(Relaxed) == 1));
        worker.kick();
        assert!(eventually(|| worker.runs.load(Relaxed) == 2));
        // Dropping it with an hour to go must not take one.
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

#[kunit_tests(xen_folder)]
mod folder_tests {
    use super::*;
    use crate::linux::{
        device::{
            Device,
            Groups,
            Ioctl, //
        },
        folder::{
            Figure,
            Folder,
            Folders,
            Subject, //
        }, //
    };

    /// How many there are.
    static ALIVE: Atomic<u32> = Atomic::new(0);

    /// What folders are about.
    struct Number(u32);

    impl Number {
        fn new(number: u32) -> Result<Arc<Self>> {
            ALIVE.fetch_add(1, Relaxed);
            Ok(Arc::new(Self(number), GFP_KERNEL)?)
        }
    }

    impl Drop for Number {
        fn drop(&mut self) {
            ALIVE.fetch_sub(1, Relaxed);
        }
    }

    impl Subject for Arc<Number> {
        const FIGURES: &'static [Figure<Self>] = &[
            Figure::new(c"number", |number| number.0.into()),
            Figure::new(c"twice", |number| u64::from(number.0) * 2),
        ];
    }

    struct Nothing;

    impl Ioctl for Nothing {}

    static GROUPS: Groups<1> = Groups::new([]);

    fn device() -> Result<Pin<KBox<Device<Nothing>>>> {
        let state = Arc::new(Nothing, GFP_KERNEL)?;
        KBox::pin_init(
            Device::new(&THIS_MODULE, c"xen_kunit", state, &GROUPS),
            GFP_KERNEL,
        )
    }

    fn numbers(folders: &Folders<Number>) -> impl Iterator<Item = u32> + '_ {
        folders.iter().map(|(number, _)| number.0)
    }

    #[test]
    fn what_has_no_folder_any_more_is_dropped() -> Result {
        let device = device()?;
        for _ in 0..3 {
            let folder = Folder::new(device.place(), fmt!("one"), Number::new(1)?);
            let folder = KBox::pin_init(folder, GFP_KERNEL)?;
            assert_eq!(folder.about().0, 1);
            assert_eq!(ALIVE.load(Relaxed), 1);
            drop(folder);
            assert_eq!(ALIVE.load(Relaxed), 0);
        }
        Ok(())
    }

    #[test]
    fn there_is_a_folder_for_each_that_is_wanted() -> Result {
        let device = device()?;
        let mut folders = Folders::new(device.place(), fmt!("numbers"))?;
        let (one, two, other) = (Number::new(1)?, Number::new(2)?, Number::new(2)?);
        folders.agree(&[one.clone(), two.clone()], |number| number.0)?;
        assert!(numbers(&folders).eq([1, 2]));
        // Another one with the same name takes its place.
        folders.agree(&[other.clone(), one.clone()], |number| number.0)?;
        assert!(numbers(&folders).eq([1, 2]));
        assert!(folders
            .iter()
            .any(|(number, _)| Arc::ptr_eq(number, &other)));
        let inside = folders
            .iter()
            .next()
            .map(|(_, place)| Folders::<Number>::new(place, fmt!("in")));
        drop(inside.ok_or(ENOENT)??);
        folders.agree(&[], |number| number.0)?;
        assert_eq!(folders.iter().count(), 0);
        drop((one, two, other));
        assert_eq!(ALIVE.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn a_device_may_go_first() -> Result {
        let device = device()?;
        let mut folders = Folders::new(device.place(), fmt!("numbers"))?;
        folders.agree(&[Number::new(1)?], |number| number.0)?;
        drop(device);
        drop(folders);
        assert_eq!(ALIVE.load(Relaxed), 0);
        Ok(())
    }
}

#[kunit_tests(xen_percpu)]
mod percpu_tests {
    use super::*;
    use crate::linux::percpu::PerCpuCounter;

    #[test]
    fn a_counter_sums_up_what_was_added() -> Result {
        let counter = KBox::pin_init(PerCpuCounter::new(), GFP_KERNEL)?;
        assert_eq!(counter.sum(), 0);
        // More than a CPU's own part has room for.
        for _ in 0..4 {
            counter.add(u32::MAX);
        }
        counter.add(1);
        assert_eq!(counter.sum(), 4 * u64::from(u32::MAX) + 1);
        Ok(())
    }
}
