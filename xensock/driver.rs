// SPDX-License-Identifier: GPL-2.0

//! All links of this domain, and how they come about.
//!
//! Lock order: `making`, then `links`. Only the first is held while xenstored is asked.

use crate::{
    account::Account,
    admission,
    counters::Figures,
    link::{
        policy::Verdict,
        slots::SLOTS,
        wire, //
    },
    linux::work::{
        Task,
        Worker, //
    },
    peer::{
        FoundInLink,
        Peer, //
    },
    rendezvous::{
        self,
        Rendezvous, //
    },
    settings::Settings,
    vsock::{
        Kind,
        SocketError, //
    },
    xen::{
        domain::DomId,
        lifecycle::Pausing,
        store::Watcher, //
    }, //
};
use kernel::{
    fmt,
    new_mutex,
    pr_warn_once,
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
        Monotonic,
        Msecs, //
    }, //
};

/// How long calls wait after others were answered, so that nobody can keep the worker busy with calls
/// alone.
const CALLS_MS: Msecs = 20;

/// More domains than a host has.
const CALLERS: usize = 4096;

/// So many domains that have no driver are called at once, at the most: any program may call, and each
/// call has a link's memory and an event channel until it is given up.
const CALLS: usize = 32;

/// A connection of any link.
pub(crate) struct Found {
    /// What stands for it, and for the place behind it.
    pub(crate) cursor: u64,
    pub(crate) kind: Kind,
    pub(crate) opened_here: bool,
    pub(crate) figures: Figures,
}

impl Found {
    fn new(link: &Peer, found: FoundInLink) -> Self {
        Self {
            cursor: cursor_of(link) + found.slot.index() as u64 + 1,
            kind: found.kind,
            opened_here: found.opened_here,
            figures: found.figures,
        }
    }
}

/// What stands for the place before a link's connections.
fn cursor_of(link: &Peer) -> u64 {
    let side = u64::from(link.is_initiator());
    (2 * u64::from(link.domain().number()) + side) * u64::from(SLOTS)
}

/// The state behind the module.
#[pin_data]
pub(crate) struct Driver {
    settings: Arc<Settings>,
    #[pin]
    rendezvous: Rendezvous,
    /// Held by whoever makes a link, so that each domain has one account.
    #[pin]
    making: Mutex<()>,
    #[pin]
    links: Mutex<KVec<Arc<Worker<Peer>>>>,
    /// Domains that have called since the worker last looked.
    #[pin]
    callers: Mutex<KVec<DomId>>,
    start: Instant<Monotonic>,
    /// When calls are answered again, in milliseconds since the start.
    answer_at: Atomic<u64>,
}

impl Driver {
    /// Context: a user's process, may sleep.
    pub(crate) fn new(settings: Arc<Settings>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            settings,
            rendezvous <- Rendezvous::new(),
            making <- new_mutex!(()),
            links <- new_mutex!(KVec::new()),
            callers <- new_mutex!(KVec::new()),
            start: Instant::now(),
            answer_at: Atomic::new(0),
        })
    }

    /// What all links share.
    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// The domain this kernel runs in.
    pub(crate) fn own(&self) -> DomId {
        self.settings.own()
    }

    /// Asks the rules whether `peer` may connect to a port of this domain.
    ///
    /// Context: process context, sleeps until xenstored has answered where a rule names a UUID.
    pub(crate) fn incoming(&self, peer: DomId, port: u32) -> Verdict {
        let default = self.settings.default_verdict();
        let rules = &self.settings.incoming;
        rules.decide(peer, port, default, || admission::uuid(peer))
    }

    /// Asks the rules whether programs of this domain may connect to a port of `peer`.
    ///
    /// Context: process context, sleeps until xenstored has answered where a rule names a UUID.
    pub(crate) fn outgoing(&self, peer: DomId, port: u32) -> Verdict {
        let rules = &self.settings.outgoing;
        rules.decide(peer, port, Verdict::Allow, || admission::uuid(peer))
    }

    /// Keeps programs of this domain from connecting where they may not.
    ///
    /// Context: process context, sleeps until xenstored has answered where a rule names a UUID.
    ///
    /// # Errors
    ///
    /// `EACCES` if they may not.
    pub(crate) fn may_connect(&self, peer: DomId, port: u32) -> Result {
        match self.outgoing(peer, port) {
            Verdict::Allow => Ok(()),
            Verdict::Deny => {
                self.settings.counters.denied.up();
                Err(EACCES)
            }
        }
    }

    /// The connection between a port here and one of `peer`.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn find(&self, peer: DomId, local: u32, remote: u32) -> Option<Found> {
        let links = self.links.lock();
        let mut links = links.iter().filter(|link| link.domain() == peer);
        links.find_map(|link| Some(Found::new(link, link.find(local, remote)?)))
    }

    /// The connection after the one that `cursor` stands for, or the first one, after 0: they go by
    /// domain, side of the link and slot.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn next(&self, cursor: u64) -> Option<Found> {
        let links = self.links.lock();
        let alive = links.iter().filter(|link| link.is_alive());
        let after = alive.filter_map(|link| {
            let from = cursor.saturating_sub(cursor_of(link));
            let found = link.next(usize::try_from(from).ok()?)?;
            Some(Found::new(link, found))
        });
        after.min_by_key(|found| found.cursor)
    }

    /// Writes all there is to know of each link.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links = self.links.lock();
        links.iter().try_for_each(|link| link.describe(f))
    }

    /// Makes it possible for others to be called.
    ///
    /// Context: a privileged program or a thread of the kernel, sleeps until xenstored has answered.
    ///
    /// # Errors
    ///
    /// As for [`Rendezvous::prepare`].
    pub(crate) fn prepare(&self) -> Result {
        self.rendezvous.prepare(&self.settings)
    }

    /// Returns a link to the domain `peer`, and whether it is a new one.
    ///
    /// Context: a user's process, sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENOSPC` (no event channel or grant is left), what xenstored says; `ENOBUFS` if the
    /// domain has no driver, and as many such are called as may be.
    pub(crate) fn link(&self, peer: DomId) -> Result<(Arc<Worker<Peer>>, bool)> {
        if let Some(link) = self.alive(peer) {
            return Ok((link, false));
        }
        let _making = self.making.lock();
        // Whoever was before us may have called the same domain.
        if let Some(link) = self.alive(peer) {
            return Ok((link, false));
        }
        let calls = |link: &&Arc<Worker<Peer>>| link.is_calling();
        let calling = self.links.lock().iter().filter(calls).count();
        if calling >= CALLS && rendezvous::is_gone(peer)? {
            return Err(SocketError::NoBuffers.into());
        }
        self.prepare()?;
        let link = Peer::call(self.settings.clone(), self.account(peer)?, peer)?;
        self.keep(&link)?;
        Ok((link, true))
    }

    /// The link to `peer`, if there is one.
    fn alive(&self, peer: DomId) -> Option<Arc<Worker<Peer>>> {
        let links = self.links.lock();
        let mut links = links.iter();
        links
            .find(|link| link.domain() == peer && link.is_alive())
            .cloned()
    }

    /// Has a new link among the others.
    fn keep(&self, link: &Arc<Worker<Peer>>) -> Result {
        let kept = self.links.lock().push(link.clone(), GFP_KERNEL);
        kept.map_err(|error| {
            link.tear_down();
            error.into()
        })
    }

    /// The account of a domain: that of a link with it, also of one that ends, if there is one.
    fn account(&self, domain: DomId) -> Result<Arc<Account>> {
        let links = self.links.lock();
        match links.iter().find(|link| link.domain() == domain) {
            Some(link) => Ok(link.account().clone()),
            None => Arc::pin_init(Account::new(self.settings.clone()), GFP_KERNEL),
        }
    }

    /// Answers the call of `caller`, unless it has been answered.
    fn answer(&self, caller: DomId) -> Result {
        let Some(call) = rendezvous::answer(caller, &self.settings)? else {
            pr_warn_once!("domain {caller} calls in a way that makes no sense\n");
            return Ok(());
        };
        let _making = self.making.lock();
        for link in self.links.lock().iter() {
            if !link.answers(caller) {
                continue;
            }
            if link.is_call(&call) && link.is_alive() {
                return Ok(());
            }
            // It has begun anew.
            link.end();
        }
        let account = self.account(caller)?;
        let link = Peer::answer(self.settings.clone(), account, caller, call)?;
        self.keep(&link)
    }

    /// Answers all calls, unless others were answered just now. Returns when to try again.
    fn answer_all(&self) -> Option<Msecs> {
        if self.now() < self.answer_at.load(Relaxed) {
            return (!self.callers.lock().is_empty()).then_some(CALLS_MS);
        }
        let callers = core::mem::take(&mut *self.callers.lock());
        for caller in &callers {
            if let Err(error) = self.answer(*caller) {
                pr_debug!("domain {caller} has called in vain: {error:?}\n");
            }
        }
        if !callers.is_empty() {
            let then = self.now() + u64::from(CALLS_MS);
            self.answer_at.store(then, Relaxed);
        }
        None
    }

    /// Milliseconds since the start.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(0)
    }

    /// Drops the links that have come to their end.
    fn reap(&self) {
        let over = || {
            let mut links = self.links.lock();
            let at = links.iter().position(|link| link.is_over());
            at.and_then(|at| links.remove(at).ok())
        };
        while let Some(link) = over() {
            // Not under the lock: it waits for the link's worker.
            drop(link);
        }
    }

    /// Ends all links.
    ///
    /// Context: process context, sleeps; nobody opens new ones.
    pub(crate) fn close(&self) {
        let links = core::mem::take(&mut *self.links.lock());
        for link in &links {
            link.tear_down();
        }
    }
}

impl Task for Driver {
    fn step(&self) -> Option<Msecs> {
        self.reap();
        self.answer_all()
    }
}

impl Watcher for Worker<Driver> {
    fn changed(&self, path: &CStr) {
        let Some(wire::Path { from, to }) = wire::parse_path(path.to_bytes()) else {
            return;
        };
        let own = self.own();
        let Some(caller) = DomId::new(u32::from(from)) else {
            return;
        };
        if to != own.number() || caller == own {
            return;
        }
        let mut callers = self.callers.lock();
        if callers.contains(&caller) || callers.len() == CALLERS {
            return;
        }
        // With no memory to note it the caller will call again.
        if callers.push(caller, GFP_KERNEL).is_ok() {
            self.kick();
        }
    }
}

impl Pausing for Worker<Driver> {
    fn pause(&self) -> Result {
        self.close();
        Ok(())
    }

    fn proceed(&self) {
        self.rendezvous.forget();
        let ready = self.settings.ask_again().and_then(|()| self.prepare());
        if let Err(error) = ready {
            pr_warn!("no other domain can be called any more: {error:?}\n");
        }
    }
}
