// SPDX-License-Identifier: GPL-2.0

//! What this domain reads of others' areas.
//!
//! ```text
//!   vfs ───▶ files ──┐
//!                    ├─▶ area::tree ──▶ blocks ──▶ Owner ──▶ window ──▶ hypervisor
//!   disk ──▶ image ──┘                               │
//!                                                    └──▶ link ──▶ the owner's domain
//! ```
//!
//! Pages that programs have borrowed for their own take another way: `offer`, `asking`, `loan`.
//!
//! Memory may be free only after a disk was read. So whoever holds what a reader of one needs, or
//! works for it, does so within a [`NoIo`].

mod asking;
mod attach;
mod batch;
mod blocks;
mod disks;
mod fetch;
mod figures;
mod files;
mod finding;
mod gate;
mod held;
mod hints;
mod image;
mod leaving;
mod loan;
pub(crate) mod offer;
mod request;
mod sight;
mod state;
mod tree;
mod worker;

pub(crate) use disks::Disks;
pub(crate) use figures::Figures;
pub(crate) use files::Files;
pub(crate) use sight::{
    Shown,
    Sight, //
};

use crate::{
    area::{
        cache::{
            Cache,
            Pressure,
            Request,
            Slot, //
        },
        format::Digest,
        wire::{
            Message,
            Reason,
            RefList, //
        }, //
    },
    link::{
        Link,
        Lost, //
    },
    linux::{
        noio::NoIo,
        random,
        work::Worker, //
    },
    settings::Settings,
    trace,
    vfs::Mount,
    window::{
        Screen,
        Window, //
    },
    xen::{
        domain::DomId,
        meeting::Meeting, //
    }, //
};
use asking::Offers;
use attach::Answered;
use core::sync::atomic::AtomicU64;
use hints::Hints;
use kernel::{
    new_condvar,
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        CondVar,
        Mutex, //
    },
    time::{
        Instant,
        Monotonic, //
    }, //
};
use loan::Borrowed;
use pin_init::init_array_from_fn;
use sight::Counts;

/// How many requests for blocks may be under way.
const REQUESTS: usize = 16;

/// As many trees of an owner can be told apart.
const TREES: usize = 1 << u8::BITS;

/// What the owner has answered to a request for blocks.
#[derive(Clone, Copy)]
enum Answer {
    /// Nothing yet.
    None,
    /// Grants.
    Granted,
    /// That it does not grant anything, and why.
    Refused(Reason),
    /// It never will: the link is over, and the request with it.
    Lost,
}

/// A request for blocks, as far as the owner has answered.
struct Asked {
    /// Which one of that number it is.
    serial: u32,
    /// When it was asked.
    since: Instant<Monotonic>,
    answer: Answer,
    /// The grants, if the answer is that.
    refs: RefList,
}

/// An attachment that was asked for.
struct Attaching {
    /// The number of the request.
    request: u32,
    /// When it was asked for.
    since: Instant<Monotonic>,
    /// What the owner has answered.
    answer: Option<Answered>,
}

/// A tree of the owner that is mounted here. Its index stands for it in the cache.
struct Local {
    area: [u8; 16],
    digest: Digest,
    /// The number that the owner has for it, if it is attached.
    remote: Option<u32>,
    /// How often it is mounted.
    users: u32,
    /// Somebody attaches it again.
    attaching: bool,
    counts: Counts,
}

/// How the link stands.
enum Phase {
    /// There is none.
    Down,
    /// The owner was called then, and has not answered.
    Calling(Arc<Link<Owner>>, Instant<Monotonic>),
    Up(Arc<Link<Owner>>),
}

/// What changes.
struct State {
    phase: Phase,
    cache: Cache<VVec<Slot>, KVec<Request>>,
    /// The requests, by their numbers.
    answers: KVec<Asked>,
    offers: Offers,
    /// Which link it is, or will be: another number for each.
    epoch: u64,
    /// How many pages the owner grants.
    most: u32,
    /// How many programs have borrowed.
    borrowed: u32,
    /// The attachment that is asked for.
    asked: Option<Attaching>,
    /// The number of the last one.
    last: u32,
    trees: KVec<Option<Local>>,
    /// What the owner wanted back, and has no answer to yet.
    withdrawals: KVec<u32>,
    /// How many wait for the owner.
    waiting: u32,
    /// The domain is being suspended: there is to be no link.
    suspended: bool,
    /// When the owner has last said something, or was first waited for.
    heard: Instant<Monotonic>,
    /// When it was last looked for what is not used.
    tidied: Option<Instant<Monotonic>>,
}

/// The owner of areas that are mounted here.
#[pin_data]
pub(crate) struct Owner {
    domain: DomId,
    settings: Arc<Settings>,
    meeting: Arc<Meeting>,
    #[pin]
    window: Window,
    /// In which slot a block may be, by its key: see [`Owner::glance`].
    hints: Hints,
    /// How often a block was there, for each tree.
    glances: [AtomicU64; TREES],
    sight: Arc<Sight>,
    #[pin]
    state: Mutex<State>,
    /// What programs have borrowed.
    #[pin]
    loans: Mutex<KVec<Arc<Borrowed>>>,
    /// Who has it locked offers something.
    #[pin]
    turn: Mutex<()>,
    /// Something has changed that somebody may wait for.
    #[pin]
    changed: CondVar,
    /// Itself, for its links.
    #[pin]
    worker: Mutex<Option<Arc<Worker<Owner>>>>,
}

impl Owner {
    /// Nothing of the areas of `domain` is mounted.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(
        meeting: Arc<Meeting>,
        domain: DomId,
        settings: Arc<Settings>,
        sight: Arc<Sight>,
    ) -> Result<Arc<Worker<Self>>> {
        let most = settings.pages();
        let requests = KVec::from_elem(Request::new(), REQUESTS, GFP_KERNEL)?;
        let mut answers = KVec::with_capacity(REQUESTS, GFP_KERNEL)?;
        for _ in 0..REQUESTS {
            let asked = Asked {
                serial: 0,
                since: Instant::now(),
                answer: Answer::Lost,
                refs: RefList::new(),
            };
            answers.push(asked, GFP_KERNEL)?;
        }
        let state = State {
            phase: Phase::Down,
            // Slots come when they are needed.
            cache: Cache::new(VVec::new(), requests, random::number()),
            answers,
            offers: Offers::new()?,
            epoch: 0,
            most,
            borrowed: 0,
            asked: None,
            last: 0,
            trees: KVec::new(),
            withdrawals: KVec::new(),
            waiting: 0,
            suspended: false,
            heard: Instant::now(),
            tidied: None,
        };
        let hints = Hints::new(most)?;
        let owner = Arc::pin_init(
            Worker::new(
                c"pageshare-owner",
                kernel::static_lock_class!(),
                try_pin_init!(Self {
                    domain,
                    settings,
                    meeting,
                    window <- Window::new(*domain, most),
                    hints,
                    glances <- init_array_from_fn(|_| AtomicU64::new(0)),
                    sight,
                    state <- new_mutex!(state),
                    loans <- new_mutex!(KVec::new()),
                    turn <- new_mutex!(()),
                    changed <- new_condvar!(),
                    worker <- new_mutex!(None),
                }? Error),
            ),
            GFP_KERNEL,
        )?;
        *owner.worker.lock() = Some(owner.clone());
        Ok(owner)
    }

    /// The domain.
    pub(crate) fn domain(&self) -> DomId {
        self.domain
    }

    /// Takes note of where a tree of the owner is mounted.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn add_screen(&self, mount: Arc<Mount>) -> Result<Screen> {
        let _scope = NoIo::begin();
        self.window.add_screen(mount)
    }

    /// A tree is not mounted there any more.
    fn remove_screen(&self, screen: &Screen) {
        self.window.remove_screen(screen);
    }

    /// Unmaps everything and ends the link. After [`Owner::reopen`] what is mounted is attached again
    /// when it is read; until then there is no link, and who needs one gets `ENOTCONN`.
    ///
    /// Context: process context, may sleep; no program reads.
    pub(crate) fn close(&self) {
        let _scope = NoIo::begin();
        let (link, trees) = {
            let mut state = self.state.lock();
            state.suspended = true;
            (state.lose(), state.trees.len())
        };
        for tree in (0..=u8::MAX).take(trees) {
            self.retire_all(tree);
        }
        if let Some(link) = link {
            trace::link_down(self.domain, false);
            // Who does not hear it will notice.
            let _ = link.send(&Message::Goodbye);
            link.set_worker(None);
        }
        self.changed.notify_all();
    }

    /// There may be a link again.
    pub(crate) fn reopen(&self) {
        self.state.lock().suspended = false;
    }

    /// Ends the circle that the worker is in.
    pub(crate) fn forget_worker(&self) {
        let worker = self.worker.lock().take();
        drop(worker);
    }

    /// Gives back up to `most` blocks that nobody uses. Returns how many there were.
    ///
    /// Context: process context, may sleep; not under the state's lock.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn evict(&self, most: u32, pressure: Pressure) -> Result<u32> {
        let mut closing = KVVec::with_capacity(most as usize, GFP_KERNEL)?;
        let close = |slot| {
            // There is room for as many.
            let _ = closing.push(slot, GFP_NOWAIT);
        };
        let used = |slot| self.window.was_used(slot);
        let found = {
            let mut state = self.state.lock();
            state.cache.evict(most, pressure, used, close)
        };
        self.unmap(&closing);
        Ok(found)
    }

    /// The link is over.
    ///
    /// Context: process context, may sleep.
    fn lose(&self) {
        let link = self.state.lock().lose();
        if let Some(link) = link {
            trace::link_down(self.domain, false);
            link.set_worker(None);
        }
        self.changed.notify_all();
        self.kick();
    }

    /// Has the worker look at once.
    fn kick(&self) {
        if let Some(worker) = &*self.worker.lock() {
            worker.kick();
        }
    }

    /// Sends a message, if there is a link.
    fn send(&self, message: &Message<'_>) {
        let sent = self.state.lock().send(message);
        if let Err(Lost) = sent {
            self.lose();
        }
    }
}
