// SPDX-License-Identifier: GPL-2.0

//! A member, as its owner sees it: what it asks for, and what it has.

use super::{
    account::Account,
    area::Area,
    loaded::{
        Attachment,
        Loaded, //
    },
    offers::Offered,
    withdrawal::Asked,
    Areas, //
};
use crate::{
    area::{
        rendezvous::Rendezvous,
        wire::{
            Message,
            Reason,
            RefList,
            Runs,
            MESSAGE_MAX,
            VERSION, //
        }, //
    },
    link::{
        Letter,
        Link,
        Lost, //
    },
    linux::work::{
        Task,
        Worker, //
    },
    trace,
    xen::domain::DomId, //
};
use kernel::{
    new_condvar,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        CondVar,
        Mutex, //
    },
    time::Msecs, //
};

/// How often it is looked whether the member is still there.
const LOOK_MS: Msecs = 500;

/// As many messages are taken at once; then others have their turn.
const BUDGET: usize = 64;

/// How many trees a member may have mounted at once.
const MOST_TREES: usize = 64;

/// A member.
#[pin_data]
pub(crate) struct Guest {
    pub(super) areas: Arc<Areas>,
    /// Its number is another one each time.
    pub(super) account: Account,
    pub(super) link: Arc<Link<Guest>>,
    /// It is to end.
    ending: Atomic<bool>,
    /// It ends, or has ended.
    ended: Atomic<bool>,
    /// It may be dropped: the worker has nothing to do any more.
    over: Atomic<bool>,
    /// What it has mounted, by the number that it was given for that.
    #[pin]
    trees: Mutex<KVec<Option<Attachment>>>,
    /// What it has for what it has offered.
    #[pin]
    pub(super) offered: Mutex<KVec<Offered>>,
    /// What it was asked to give back.
    #[pin]
    pub(super) asked: Mutex<Asked>,
    /// It has given something back, or is gone.
    #[pin]
    pub(super) answered: CondVar,
}

impl Guest {
    /// Answers the call of the domain `member`, which is to be known as `number`.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// As for [`Link::answer`].
    pub(crate) fn answer(
        areas: Arc<Areas>,
        number: u32,
        member: DomId,
        call: Rendezvous,
    ) -> Result<Arc<Worker<Self>>> {
        let link = Link::answer(member, call)?;
        let kept = link.clone();
        let guest = Arc::pin_init(
            Worker::new(
                c"pageshare-guest",
                kernel::static_lock_class!(),
                pin_init!(Self {
                    areas,
                    account: Account::new(number, member),
                    link: kept,
                    ending: Atomic::new(false),
                    ended: Atomic::new(false),
                    over: Atomic::new(false),
                    trees <- new_mutex!(KVec::new()),
                    offered <- new_mutex!(KVec::new()),
                    asked <- new_mutex!(Asked::new()),
                    answered <- new_condvar!(),
                }),
            ),
            GFP_KERNEL,
        )?;
        link.set_worker(Some(guest.clone()));
        guest.kick();
        Ok(guest)
    }

    /// The domain.
    pub(crate) fn domain(&self) -> DomId {
        self.link.domain()
    }

    /// Whether that is how it has called.
    pub(crate) fn is_call(&self, call: &Rendezvous) -> bool {
        self.link.call() == call
    }

    /// What stands for it in areas, and in the order of members.
    pub(crate) fn number(&self) -> u32 {
        self.account.number()
    }

    /// How many pages it has, and how many it may have.
    pub(crate) fn pages(&self) -> [u32; 2] {
        [self.account.granted(), self.account.most()]
    }

    /// How many trees it has mounted.
    pub(crate) fn mounts(&self) -> usize {
        self.trees.lock().iter().flatten().count()
    }

    /// Whether its link has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// Whether it is gone.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Has the worker end the link, soon: it may be granting something just now.
    pub(crate) fn dismiss(&self) {
        self.ending.store(true, Relaxed);
    }

    /// Ends the link. What the member has mapped stays until it unmaps it.
    ///
    /// Context: process context, may sleep. If the worker is in a step, what it grants meanwhile ends with
    /// the page, with the area at the latest.
    pub(crate) fn end(&self) {
        if self.ended.xchg(true, Relaxed) {
            return;
        }
        // Who does not hear it will notice.
        let _ = self.link.send(&Message::Goodbye);
        let trees = core::mem::take(&mut *self.trees.lock());
        for attachment in trees.iter().flatten() {
            attachment.tree().area().leave(&self.account);
        }
        drop(trees);
        self.forget_offers();
        self.answered.notify_all();
        self.link.set_worker(None);
        trace::link_down(self.domain(), true);
        // Only now: whoever drops it waits for the worker, which may be here.
        self.over.store(true, Relaxed);
    }

    /// Takes messages. Returns whether there may be more.
    fn receive(&self) -> Result<bool, Lost> {
        let mut letter: Letter = [0; MESSAGE_MAX];
        for _ in 0..BUDGET {
            let Some(message) = self.link.receive(&mut letter)? else {
                return Ok(false);
            };
            self.handle(message)?;
        }
        Ok(true)
    }

    fn handle(&self, message: Message<'_>) -> Result<(), Lost> {
        match message {
            Message::Hello { version, .. } if version != VERSION => Err(Lost),
            Message::Hello { pages, .. } => self.greet(pages),
            Message::Attach {
                request,
                area,
                tree,
            } => self.attach(request, self.areas.named(self.domain(), &area, &tree)),
            Message::Again {
                request,
                area,
                digest,
            } => self.attach(request, self.areas.same(self.domain(), &area, digest)),
            Message::Fetch {
                tree,
                request,
                runs,
            } => self.fetch(tree, request, runs),
            Message::Release { tree, runs } => self.release(tree, runs),
            Message::Detach { tree } => self.detach(tree),
            Message::Withdrawn { request } => self.given_back(request),
            Message::Offer {
                request,
                area,
                digests,
            } => self.offer(request, &area, digests),
            Message::Supply {
                request,
                area,
                supplies,
            } => self.supply(request, &area, supplies),
            Message::Return { area, digests } => self.take_back(&area, digests),
            Message::Goodbye => Err(Lost),
            // What owners say, or what nobody has asked for.
            _ => Err(Lost),
        }
    }

    /// Answers the member's first message: it means to have so many pages.
    fn greet(&self, pages: u32) -> Result<(), Lost> {
        let pages = pages.min(self.areas.settings.member_pages());
        self.account.set_most(pages);
        trace::link_up(self.domain(), true);
        self.link.send(&Message::Hello {
            version: VERSION,
            pages,
        })
    }

    /// Answers who wants to attach to a tree.
    fn attach(&self, request: u32, found: Result<Arc<Loaded>, Reason>) -> Result<(), Lost> {
        let attached = found.and_then(|tree| {
            let number = self.take_number()?;
            Ok((number, tree))
        });
        let (number, tree) = match attached {
            Ok(attached) => attached,
            Err(reason) => return self.link.send(&Message::Refused { request, reason }),
        };
        if let Some(place) = self.trees.lock().get_mut(number) {
            *place = Some(Attachment::new(tree.clone()));
        }
        self.link.send(&Message::Attached {
            request,
            tree: number as u32,
            generation: tree.generation(),
            area: *tree.area().uuid(),
            digest: tree.digest(),
        })
    }

    /// Returns a number for a tree that is not in use.
    fn take_number(&self) -> Result<usize, Reason> {
        let mut trees = self.trees.lock();
        if let Some(free) = trees.iter().position(Option::is_none) {
            return Ok(free);
        }
        if trees.len() == MOST_TREES {
            return Err(Reason::Limit);
        }
        let pushed = trees.push(None, GFP_KERNEL);
        pushed.map_err(|_| Reason::NoMemory)?;
        Ok(trees.len() - 1)
    }

    /// Returns the tree that a number was given for.
    fn tree(&self, number: u32) -> Result<Arc<Loaded>, Lost> {
        let trees = self.trees.lock();
        let attachment = trees.get(number as usize).and_then(Option::as_ref);
        Ok(attachment.ok_or(Lost)?.tree().clone())
    }

    /// Returns the trees that `wanted` says it wants, with their numbers.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn attached(
        &self,
        wanted: impl Fn(&Loaded) -> bool,
    ) -> Result<KVec<(u32, Arc<Loaded>)>> {
        let mut found = KVec::new();
        for (number, place) in (0..).zip(self.trees.lock().iter()) {
            if let Some(attachment) = place.as_ref().filter(|place| wanted(place.tree())) {
                found.push((number, attachment.tree().clone()), GFP_KERNEL)?;
            }
        }
        Ok(found)
    }

    fn fetch(&self, number: u32, request: u32, runs: Runs<'_>) -> Result<(), Lost> {
        let tree = self.tree(number)?;
        if tree.is_retired() {
            let reason = Reason::Retired;
            return self.link.send(&Message::Refused { request, reason });
        }
        let mut list = RefList::new();
        let were_read = tree.read_together(runs);
        for block in runs.blocks() {
            list.push(tree.grant(&self.account, block));
        }
        if were_read {
            tree.forget_read(runs);
        }
        let refs = list.refs().ok_or(Lost)?;
        let granted = refs.iter().flatten().count() as u32;
        trace::grant(self.domain(), number, refs.count(), granted);
        self.link.send(&Message::Granted { request, refs })
    }

    fn release(&self, number: u32, runs: Runs<'_>) -> Result<(), Lost> {
        let tree = self.tree(number)?;
        let mut blocks = runs.blocks();
        blocks.try_for_each(|block| tree.release(&self.account, block).map_err(|_| Lost))
    }

    fn detach(&self, number: u32) -> Result<(), Lost> {
        let attachment = {
            let mut trees = self.trees.lock();
            let place = trees.get_mut(number as usize).ok_or(Lost)?;
            place.take().ok_or(Lost)?
        };
        let area = attachment.tree().area().clone();
        // Not under the lock: it may be the last that keeps the tree.
        drop(attachment);
        // Whoever has nothing of an area attached any more has nothing of it mapped, either.
        if self.account.granted() > 0 && !self.has_trees_of(&area) && !self.has_lent(&area) {
            area.leave(&self.account);
        }
        Ok(())
    }

    /// Whether it has a tree of an area mounted.
    fn has_trees_of(&self, area: &Arc<Area>) -> bool {
        let trees = self.trees.lock();
        let mut attached = trees.iter().flatten();
        attached.any(|attachment| Arc::ptr_eq(attachment.tree().area(), area))
    }
}

impl Task for Guest {
    fn step(&self) -> Option<Msecs> {
        if self.ended.load(Relaxed) {
            return None;
        }
        let more = self.receive().and_then(|more| {
            self.link.flush()?;
            Ok(more)
        });
        match more {
            _ if self.ending.load(Relaxed) => {
                self.end();
                None
            }
            Ok(true) => Some(0),
            Ok(false) if self.link.is_up() => Some(LOOK_MS),
            _ => {
                self.end();
                None
            }
        }
    }
}
