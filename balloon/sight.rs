// SPDX-License-Identifier: GPL-2.0

//! What the curious see: trace events, and the files in `/sys/kernel/debug/xenballoon/`.

#[cfg(CONFIG_KUNIT)]
use crate::linux::faults::{
    self,
    Site, //
};
use crate::{
    engine::View,
    invariants::Facts,
    linux::{
        memory::PAGE_KIB,
        pages::Order,
        timing::{
            LONGEST_CALL,
            LONGEST_STRETCH, //
        },
        work::Worker, //
    },
    trace,
    worker::Balloon,
    xen::{
        builtin,
        lifecycle::{
            Lifecycle,
            Registration, //
        },
        reservation::{
            self,
            Exchanged,
            Holes, //
        }, //
    }, //
};
use kernel::{
    debugfs::Scope,
    fmt,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    time::{
        Instant,
        Monotonic, //
    }, //
};

/// Bytes of a page.
const PAGE_BYTES: u64 = 4096;

/// Traces a batch that was asked for `runs` runs and began at `start`.
pub(crate) fn batch(
    action: trace::Action,
    order: Order,
    runs: usize,
    done: Exchanged,
    hypercalls: u64,
    start: Instant<Monotonic>,
) {
    trace::batch(
        action,
        runs * order.pages(),
        done.pages,
        done.error,
        hypercalls,
        start.elapsed(),
    );
}

/// What the files are about.
#[pin_data]
struct Subject {
    balloon: Arc<Worker<Balloon>>,
    /// What the hypervisor counts beyond what the guest does: fixed while the domain lives.
    #[pin]
    unseen: Mutex<Option<i64>>,
    /// The domain has been suspended since that was set.
    resumed: Atomic<bool>,
}

impl Subject {
    /// Gathers the figures. The balloon is between two steps: `view` and `holes` are of then.
    fn facts(&self, view: &View, holes: &Holes) -> Facts {
        let before = builtin::stats();
        builtin::wait_for_batch();
        let xen = reservation::current().ok();
        let counters = &self.balloon.counters;
        let counted = holes.pages();
        let walked = holes.walk();
        builtin::wait_for_batch();
        let after = builtin::stats();

        Facts {
            published: self.balloon.held(),
            counted: counted as u64,
            walked: walked as u64,
            taken: counters.taken_huge.load(Relaxed) + counters.taken_base.load(Relaxed),
            given: counters.given_huge.load(Relaxed) + counters.given_base.load(Relaxed),
            added: self.balloon.added.pages.load(Relaxed),
            current: view.current,
            reserve: after.reserve as u64,
            lent: after.lent as u64,
            total: after.total as u64,
            hotplug: builtin::CAN_HOTPLUG,
            at_rest: before == after
                && after.target == after.current
                && view.current + counted as u64 == after.current as u64,
            xen: xen.map(|pages| pages as u64),
            unseen: None,
            target: self.balloon.target(),
            floor: self.balloon.limits().floor,
            most: self.balloon.most(),
        }
    }

    /// Gathers the figures and compares them to those of before.
    fn look(&self) -> Facts {
        let mut facts = self.balloon.look(|view, holes| self.facts(view, holes));
        let mut unseen = self.unseen.lock();
        if self.resumed.xchg(false, Relaxed) {
            *unseen = None;
        }
        if unseen.is_none() {
            *unseen = facts.unseen_now();
        }
        facts.unseen = *unseen;
        facts
    }

    /// Writes a line for each invariant.
    fn invariants(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, verdict) in self.look().judge() {
            writeln!(f, "{name}: {verdict}")?;
        }
        Ok(())
    }

    /// Writes all figures.
    fn state(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (view, facts) = self
            .balloon
            .look(|view, holes| (*view, self.facts(view, holes)));
        let limits = self.balloon.limits();
        let counters = &self.balloon.counters;

        writeln!(f, "kind: {}", self.balloon.kind().name())?;
        for (name, pages) in [
            ("asked_kb", view.target),
            ("target_kb", facts.target),
            ("current_kb", view.current),
            ("most_kb", facts.most),
            ("floor_kb", limits.floor),
            ("reserve_kb", limits.reserve),
            ("available_kb", view.available),
            ("held_kb", facts.counted),
            ("added_kb", facts.added),
            ("growth_kb", view.reserve),
            ("builtin_kb", facts.reserve),
            ("builtin_lent_kb", facts.lent),
            ("builtin_total_kb", facts.total),
            ("hypervisor_kb", facts.xen.unwrap_or(0)),
        ] {
            writeln!(f, "{name}: {}", pages * PAGE_KIB)?;
        }
        for (name, count) in [
            ("held_huge", view.held_huge),
            ("held_base", view.held_base),
            ("hypercalls", counters.hypercalls.load(Relaxed)),
            ("failures", counters.failures.load(Relaxed)),
            ("refused_targets", counters.refused.load(Relaxed)),
        ] {
            writeln!(f, "{name}: {count}")?;
        }
        Ok(())
    }

    /// Writes the bytes held, taken and given, a line for each size of run.
    fn bytes_by_order(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = self.balloon.look(|view, _| *view);
        let counters = &self.balloon.counters;

        for (order, held, taken, given) in [
            (
                Order::Huge,
                view.held_huge,
                &counters.taken_huge,
                &counters.given_huge,
            ),
            (
                Order::Base,
                view.held_base,
                &counters.taken_base,
                &counters.given_base,
            ),
        ] {
            writeln!(
                f,
                "order {}: held {} taken {} given {}",
                order.log2(),
                held * order.pages() as u64 * PAGE_BYTES,
                taken.load(Relaxed) * PAGE_BYTES,
                given.load(Relaxed) * PAGE_BYTES,
            )?;
        }
        Ok(())
    }
}

impl Lifecycle for Subject {
    fn resumed(&self) {
        // It may be another host now, with a toolstack that counts otherwise.
        self.resumed.store(true, Relaxed);
    }
}

/// The files. Dropped, they are gone before what they are about.
#[pin_data]
pub(crate) struct Sight {
    #[pin]
    files: Scope<Arc<Subject>>,
    #[pin]
    lifecycle: Registration<Subject>,
}

impl Sight {
    /// Creates them. Without debugfs there are none, and that is no error.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(balloon: Arc<Worker<Balloon>>) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let subject = Arc::pin_init(
                pin_init!(Subject {
                    balloon,
                    unseen <- new_mutex!(None),
                    resumed: Atomic::new(false),
                }),
                GFP_KERNEL,
            )?;
            subject.look();

            Ok(try_pin_init!(Self {
                lifecycle <- Registration::new(subject.clone()),
                files <- Scope::dir(subject, c"xenballoon", |subject, dir| {
                    dir.read_callback_file(c"state", subject, &|s, f| s.state(f));
                    dir.read_callback_file(c"invariants", subject, &|s, f| s.invariants(f));
                    dir.read_callback_file(c"bytes_by_order", subject, &|s, f| s.bytes_by_order(f));
                    dir.read_callback_file(c"longest_call_us", subject, &|_, f| longest(f));
                    #[cfg(CONFIG_KUNIT)]
                    dir.write_only_file(c"fail_add_memory", faults::times(Site::AddMemory));
                }),
            }))
        })
    }
}

/// Writes the longest times, in microseconds.
fn longest(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "hypercall: {}", LONGEST_CALL.ns() / 1000)?;
    writeln!(f, "stretch: {}", LONGEST_STRETCH.ns() / 1000)
}
