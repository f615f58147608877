// SPDX-License-Identifier: GPL-2.0

//! How a link hears that the peer's domain is no more: a watch on a node of the domain's own, which
//! goes with it. Where there is none, the link has to look from time to time.

use super::Peer;
use crate::{
    linux::{
        irqlock::IrqLock,
        work::{
            Task,
            Worker, //
        }, //
    },
    new_irq_lock,
    rendezvous,
    xen::store::{
        Watch,
        Watcher, //
    }, //
};
use kernel::{
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
    time::Msecs, //
};

/// How often the worker looks whether a peer is still there that it cannot watch, in milliseconds.
const LOOK_MS: Msecs = 500;

/// At most so often the node is looked at, in milliseconds: the peer may change it all the time.
const CHANGES_MS: Msecs = 20;

type HomeWatch = Pin<KBox<Watch<Listener>>>;

/// Who is told. It outlives the link, and has none of its memory.
#[pin_data]
struct Listener {
    /// The node has changed.
    changed: Atomic<bool>,
    #[pin]
    worker: IrqLock<Option<Arc<Worker<Peer>>>>,
}

impl Listener {
    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                changed: Atomic::new(false),
                worker <- new_irq_lock!(None),
            }),
            GFP_KERNEL,
        )
    }

    /// Says whom to kick; [`None`] ends a circle of references.
    fn set_worker(&self, worker: Option<Arc<Worker<Peer>>>) {
        let before = core::mem::replace(&mut *self.worker.lock(), worker);
        drop(before);
    }
}

impl Watcher for Listener {
    fn changed(&self, path: &CStr) {
        // What is below is about calls.
        if path.to_bytes().ends_with(b"/xsock") {
            self.changed.store(true, Relaxed);
            if let Some(worker) = &*self.worker.lock() {
                worker.kick();
            }
        }
    }
}

/// Ends watches. That waits for the kernel's thread that calls watchers, and this thread suspends
/// the domain, for which it waits for the links' workers: so they cannot do it.
#[pin_data]
pub(crate) struct Ending {
    #[pin]
    watches: Mutex<KVec<HomeWatch>>,
}

impl Ending {
    /// There are none.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            watches <- new_mutex!(KVec::new()),
        })
    }
}

impl Task for Ending {
    fn step(&self) -> Option<Msecs> {
        let watches = core::mem::take(&mut *self.watches.lock());
        drop(watches);
        None
    }
}

/// The watch.
#[pin_data]
pub(super) struct Home {
    /// [`None`] before the first try, [`Err`] where it cannot be.
    #[pin]
    watch: Mutex<Option<Result<HomeWatch>>>,
    listener: Arc<Listener>,
    /// When the node was looked at, in milliseconds since the link came about.
    looked_at: Atomic<u64>,
}

impl Home {
    /// There is no watch yet.
    pub(super) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            watch <- new_mutex!(None),
            listener: Listener::new()?,
            looked_at: Atomic::new(0),
        })
    }
}

impl Peer {
    /// Looks whether the peer's domain is there. Returns when to look again; [`None`] if a change
    /// will tell.
    ///
    /// Context: process context, sleeps; the worker only.
    pub(super) fn look_home(&self) -> Option<Msecs> {
        if !self.watches_home() {
            return Some(LOOK_MS);
        }
        let changed = &self.home.listener.changed;
        if !changed.load(Relaxed) {
            return None;
        }
        let now = self.now();
        if now < self.home.looked_at.load(Relaxed) + u64::from(CHANGES_MS) {
            return Some(CHANGES_MS);
        }
        self.home.looked_at.store(now, Relaxed);
        changed.store(false, Relaxed);
        match rendezvous::is_gone(self.domain) {
            Ok(false) => return None,
            Ok(true) => self.end(),
            Err(_) => changed.store(true, Relaxed),
        }
        Some(CHANGES_MS)
    }

    /// Whether there is a watch; sets one, if that has not been tried.
    fn watches_home(&self) -> bool {
        let mut watch = self.home.watch.lock();
        // Whoever tears the link down says so first, then takes the watch.
        self.is_alive() && watch.get_or_insert_with(|| self.watch_home()).is_ok()
    }

    fn watch_home(&self) -> Result<HomeWatch> {
        if rendezvous::is_gone(self.domain)? {
            return Err(ENOENT);
        }
        let node = rendezvous::directory(self.domain)?;
        let listener = &self.home.listener;
        listener.set_worker(self.bells.worker());
        KBox::pin_init(Watch::named(node, listener.clone()), GFP_KERNEL)
    }

    /// Ends the watch, soon.
    pub(super) fn leave_home(&self) {
        let watch = self.home.watch.lock().take();
        self.home.listener.set_worker(None);
        if let Some(Ok(watch)) = watch {
            let ending = &self.settings.ending;
            // With no memory it ends here.
            let _ = ending.watches.lock().push(watch, GFP_KERNEL);
            ending.kick();
        }
    }
}
