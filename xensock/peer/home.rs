// SPDX-License-Identifier: GPL-2.0

//! How a link hears that the peer's domain is no more: a watch on a node of the domain's own, which
//! goes with it. Where there is none, the link has to look from time to time.

use super::Peer;
use crate::{
    linux::work::Worker,
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
        Mutex, //
    },
    time::Msecs, //
};

/// How often the worker looks whether a peer is still there that it cannot watch, in milliseconds.
const LOOK_MS: Msecs = 500;

/// At most so often the node is looked at, in milliseconds: the peer may change it all the time.
const CHANGES_MS: Msecs = 20;

type PeerWatch = Pin<KBox<Watch<Worker<Peer>>>>;

/// The watch.
#[pin_data]
pub(super) struct Home {
    /// [`None`] before the first try, [`Err`] where it cannot be.
    #[pin]
    watch: Mutex<Option<Result<PeerWatch>>>,
    /// The node has changed.
    changed: Atomic<bool>,
    /// When the node was looked at, in milliseconds since the link came about.
    looked_at: Atomic<u64>,
}

impl Home {
    /// There is no watch yet.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            watch <- new_mutex!(None),
            changed: Atomic::new(false),
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
        if !self.home.changed.load(Relaxed) {
            return None;
        }
        let now = self.now();
        if now < self.home.looked_at.load(Relaxed) + u64::from(CHANGES_MS) {
            return Some(CHANGES_MS);
        }
        self.home.looked_at.store(now, Relaxed);
        self.home.changed.store(false, Relaxed);
        match rendezvous::is_gone(self.domain) {
            Ok(false) => return None,
            Ok(true) => self.end(),
            Err(_) => self.home.changed.store(true, Relaxed),
        }
        Some(CHANGES_MS)
    }

    /// Whether there is a watch; sets one, if that has not been tried.
    fn watches_home(&self) -> bool {
        let mut watch = self.home.watch.lock();
        // Whoever tears the link down says so first, then takes the watch.
        self.is_alive() && watch.get_or_insert_with(|| self.watch_home()).is_ok()
    }

    fn watch_home(&self) -> Result<PeerWatch> {
        if rendezvous::is_gone(self.domain)? {
            return Err(ENOENT);
        }
        let node = rendezvous::directory(self.domain)?;
        let worker = self.bells.worker().ok_or(ENODEV)?;
        KBox::pin_init(Watch::named(node, worker), GFP_KERNEL)
    }

    /// Ends the watch, and with it a circle of references.
    pub(super) fn leave_home(&self) {
        let watch = self.home.watch.lock().take();
        // Not under the lock: it waits until nobody is told any more.
        drop(watch);
    }
}

impl Watcher for Worker<Peer> {
    fn changed(&self, path: &CStr) {
        // What is below is about calls.
        if path.to_bytes().ends_with(b"/xsock") {
            self.home.changed.store(true, Relaxed);
            self.kick();
        }
    }
}
