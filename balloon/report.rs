// SPDX-License-Identifier: GPL-2.0

//! Tells the host how the domain's memory is doing, in xenstore.

use crate::{
    linux::{
        memory::{
            self,
            PAGE_KIB, //
        },
        vmstat::{
            Events,
            Pages, //
        },
        work::{
            Task,
            Worker, //
        }, //
    },
    statistics::{
        self,
        Figures,
        Ledger,
        Strain, //
    },
    worker::Balloon,
    xen::{
        lifecycle::{
            Lifecycle,
            Registration, //
        },
        store, //
    }, //
};
use kernel::{
    new_mutex,
    prelude::*,
    str::CString,
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
        Monotonic,
        Msecs, //
    }, //
};

/// What the last report left behind.
struct Last {
    ledger: Ledger,
    at: Option<Instant<Monotonic>>,
    strain: Strain,
    /// `control/feature-balloon` is there, and it is ours.
    announced: bool,
    /// There may be figures in `data/xenballoon`.
    told: bool,
}

/// Writes the figures, now and then.
#[pin_data(PinnedDrop)]
pub(crate) struct Report {
    balloon: Arc<Worker<Balloon>>,
    /// Milliseconds between two reports; 0: none.
    interval: Atomic<u32>,
    /// The domain has been suspended since the last report.
    resumed: Atomic<bool>,
    #[pin]
    last: Mutex<Last>,
}

/// Reads the figures; `pressure` is left to the caller.
fn figures(balloon: &Balloon, events: &Events, pages: &Pages) -> Figures {
    let kib = |pages: u64| pages * PAGE_KIB;
    let available = kib(memory::available_pages() as u64);
    let cached = pages.file.saturating_sub(pages.swap_cache);
    let (hugetlb_allocations, hugetlb_failures) = events.hugetlb();

    Figures {
        meminfo_total: kib(pages.total),
        meminfo_free: available,
        meminfo: kib(pages.total.saturating_sub(pages.free + cached)),
        swap_in: kib(events.swap_in()),
        swap_out: kib(events.swap_out()),
        major_faults: events.major_faults(),
        minor_faults: events.faults(),
        free_memory: kib(pages.free),
        total_memory: kib(pages.total),
        available_memory: available,
        disk_caches: kib(pages.file),
        hugetlb_allocations,
        hugetlb_failures,
        oom_kill: events.oom_kills(),
        alloc_stall: events.alloc_stalls(),
        async_scan: kib(pages.async_scan),
        direct_scan: kib(pages.direct_scan),
        async_reclaim: kib(pages.async_reclaim),
        direct_reclaim: kib(pages.direct_reclaim),
        pressure: 0,
        current_kb: kib(balloon.current()),
        target_kb: kib(balloon.target()),
        floor_kb: kib(balloon.limits().floor),
        max_kb: kib(balloon.most()),
        offline_kb: kib(balloon.added.offline.load(Relaxed)),
        held_kb: kib(balloon.held()),
    }
}

impl Report {
    /// Announces the balloon.
    fn new(balloon: Arc<Worker<Balloon>>) -> impl PinInit<Self> {
        pin_init!(Self {
            balloon,
            interval: Atomic::new(0),
            resumed: Atomic::new(false),
            last <- new_mutex!(Last {
                ledger: Ledger::new(),
                at: None,
                strain: Strain::default(),
                announced: announce(),
                told: false,
            }),
        })
    }

    /// Writes what has changed, for as long as there are to be reports. What may not be written is
    /// left out from then on; what fails otherwise is tried again with the next report.
    fn write(&self, last: &mut Last, figures: &Figures) {
        for (n, (value, node)) in figures.values().into_iter().zip(Figures::NODES).enumerate() {
            if self.interval.load(Relaxed) == 0 {
                return;
            }
            if !last.ledger.is_due(n, value) {
                continue;
            }
            let Ok(text) = CString::try_from_fmt(fmt!("{value}")) else {
                return;
            };
            match store::write(node.dir, node.name, &text) {
                Ok(()) => last.ledger.written(n, value),
                Err(e) if e == EACCES => last.ledger.denied(n),
                Err(_) => {}
            }
        }
    }

    /// Removes the figures: what nobody keeps up to date any more misleads. Nodes that other agents
    /// write as well stay: who removes them may not be let to make them again.
    fn retract(last: &mut Last) {
        if last.told {
            let _ = store::remove(c"data", c"xenballoon");
            last.told = false;
            last.ledger.forget();
        }
    }

    /// Returns how many milliseconds there are between two reports; 0: there are none.
    pub(crate) fn interval(&self) -> u32 {
        self.interval.load(Relaxed)
    }

    /// Reads and writes.
    fn report(&self, last: &mut Last) {
        let events = Events::now();
        let pages = Pages::now();
        let strain = Strain {
            alloc_stalls: events.alloc_stalls(),
            direct_scans: pages.direct_scan,
            refaults: pages.refaults,
        };
        let mut figures = figures(&self.balloon, &events, &pages);
        if let Some(at) = last.at {
            let elapsed = at.elapsed().as_millis().max(0) as u64;
            figures.pressure = strain.pressure(&last.strain, elapsed);
        }
        last.at = Some(Instant::now());
        last.strain = strain;
        last.told = true;
        self.write(last, &figures);
    }
}

/// Tells the toolstack that there is a balloon, where the domain may, and returns whether it did.
fn announce() -> bool {
    store::write(c"control", c"feature-balloon", c"1").is_ok()
}

impl Task for Report {
    fn step(&self) -> Option<Msecs> {
        let mut last = self.last.lock();

        if self.resumed.xchg(false, Relaxed) {
            last.ledger.forget();
            last.announced = announce();
        }
        let interval = self.interval();
        if interval == 0 {
            Self::retract(&mut last);
            return None;
        }
        match statistics::to_wait(last.at.map(|at| at.elapsed().as_millis())) {
            0 => {
                self.report(&mut last);
                Some(interval)
            }
            left => Some(left),
        }
    }
}

impl Lifecycle for Worker<Report> {
    fn resumed(&self) {
        self.resumed.store(true, Relaxed);
        self.kick();
    }
}

#[pinned_drop]
impl PinnedDrop for Report {
    fn drop(self: Pin<&mut Self>) {
        let mut last = self.last.lock();
        Self::retract(&mut last);
        if last.announced {
            let _ = store::remove(c"control", c"feature-balloon");
        }
    }
}

/// Reports for as long as it lives.
#[pin_data(PinnedDrop)]
pub(crate) struct Reports {
    #[pin]
    lifecycle: Registration<Worker<Report>>,
    report: Arc<Worker<Report>>,
}

/// Creates what reports, and does not yet.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn worker(balloon: Arc<Worker<Balloon>>) -> Result<Arc<Worker<Report>>> {
    Arc::pin_init(
        Worker::new(
            c"xenballoon_report",
            kernel::static_lock_class!(),
            Report::new(balloon),
        ),
        GFP_KERNEL,
    )
}

#[pinned_drop]
impl PinnedDrop for Reports {
    fn drop(self: Pin<&mut Self>) {
        // Each node is a way to the store and back: whoever unloads us should not wait for all of a
        // report.
        self.report.interval.store(0, Relaxed);
    }
}

impl Reports {
    /// Has `report` begin, every `ms` milliseconds, or never if that is 0.
    ///
    /// # Errors
    ///
    /// `ERANGE` if `ms` is less than a second.
    pub(crate) fn new(report: Arc<Worker<Report>>, ms: u32) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            set_interval(&report, ms)?;

            Ok(try_pin_init!(Self {
                lifecycle <- Registration::new(report.clone()),
                report,
            }))
        })
    }
}

/// Sets the time between two reports, in milliseconds; 0: none. The next one is due at once, but
/// never within a second of the last.
///
/// Context: any.
///
/// # Errors
///
/// `ERANGE` if it is less than a second.
pub(crate) fn set_interval(report: &Worker<Report>, ms: u32) -> Result {
    let ms = statistics::check_interval(ms).map_err(|_| ERANGE)?;
    report.interval.store(ms, Relaxed);
    report.kick();
    Ok(())
}
