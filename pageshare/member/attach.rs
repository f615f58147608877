// SPDX-License-Identifier: GPL-2.0

//! Trees are attached, for the first time or again.

use super::{
    sight::Counts,
    Attaching,
    Local,
    Owner,
    Phase,
    State, //
};
use crate::{
    area::{
        format::Digest,
        wire::{
            Label,
            Message,
            Reason,
            Uuid,
            VERSION, //
        }, //
    },
    failure::Failure,
    link::{
        Link,
        Lost, //
    },
    linux::noio::NoIo, //
};
use kernel::{
    prelude::*,
    sync::{
        lock::{
            mutex::MutexBackend,
            Guard, //
        },
        Arc, //
    },
    time::Instant, //
};

/// What the owner has said of a tree.
#[derive(Clone, Copy)]
pub(super) struct Attached {
    pub(super) tree: u32,
    pub(super) area: Uuid,
    pub(super) digest: Digest,
}

/// What came of asking for one.
pub(super) type Answered = Result<Attached>;

/// What a reason comes to, for programs.
pub(super) fn error(reason: Reason) -> Error {
    match reason {
        Reason::NoArea | Reason::NoTree => ENOENT,
        Reason::Limit => Failure::Quota.into(),
        Reason::NoMemory => ENOMEM,
        Reason::Retired => Failure::Stale.into(),
        Reason::NoOffers => EACCES,
        Reason::Other => EIO,
    }
}

/// What stands for the tree that is kept at a place.
pub(super) fn index(at: usize) -> Result<u8> {
    u8::try_from(at).map_err(|_| Failure::Quota.into())
}

impl Owner {
    /// Waits until something changes; the worker looks after the owner meanwhile.
    pub(super) fn wait(&self, state: &mut Guard<'_, State, MutexBackend>) {
        if state.waiting == 0 {
            state.heard = Instant::now();
        }
        state.waiting += 1;
        self.kick();
        self.changed.wait(state);
        state.waiting -= 1;
    }

    /// Returns the link, which is made if there is none.
    ///
    /// Context: process context, sleeps until the owner has answered, or for some seconds.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` if the owner does not answer, `ENOMEM`, `ENOSPC`, what xenstored says.
    pub(super) fn linked(&self) -> Result<Arc<Link<Owner>>> {
        let mut state = self.state.lock();
        let mut called = false;
        loop {
            match &state.phase {
                Phase::Up(link) => return Ok(link.clone()),
                Phase::Calling(..) => self.wait(&mut state),
                Phase::Down if called || state.suspended => {
                    return Err(Failure::NotConnected.into())
                }
                Phase::Down => {
                    drop(state);
                    self.call()?;
                    called = true;
                    state = self.state.lock();
                }
            }
        }
    }

    /// Calls the owner.
    fn call(&self) -> Result {
        let worker = self.worker.lock().clone().ok_or(ENODEV)?;
        let link = Link::make(self.domain)?;
        {
            let mut state = self.state.lock();
            if !matches!(state.phase, Phase::Down) || state.suspended {
                return Ok(());
            }
            state.phase = Phase::Calling(link.clone(), Instant::now());
        }
        link.set_worker(Some(worker));
        let hello = Message::Hello {
            version: VERSION,
            pages: self.window.slots(),
        };
        let text = link.call().encode();
        let called = link
            .send(&hello)
            .map_err(|_| EIO)
            .and_then(|()| self.meeting.call(self.domain, text.as_str()));
        if called.is_err() {
            self.lose();
        }
        called
    }

    /// Asks the owner for a tree, by the message that `ask` makes of the request's number, and waits
    /// for the answer. Returns what `take` makes of a tree, under the lock: until that ends the link
    /// is not lost.
    fn ask<'a, T>(
        &self,
        ask: impl FnOnce(u32) -> Message<'a>,
        take: impl FnOnce(&mut State, Attached) -> Result<T>,
    ) -> Result<T> {
        let link = self.linked()?;
        let mut state = self.state.lock();
        while state.asked.is_some() {
            self.wait(&mut state);
        }
        if !state.link().is_some_and(|now| Arc::ptr_eq(&now, &link)) {
            // It was lost meanwhile: nobody would answer.
            return Err(Failure::NotConnected.into());
        }
        let request = state.last.wrapping_add(1);
        state.last = request;
        state.asked = Some(Attaching {
            request,
            since: Instant::now(),
            answer: None,
        });
        drop(state);

        if link.send(&ask(request)).is_err() {
            self.lose();
        }
        let mut state = self.state.lock();
        let answer = loop {
            match &state.asked {
                Some(asked) => match asked.answer {
                    Some(answer) => break answer,
                    None => self.wait(&mut state),
                },
                None => break Err(Failure::NotConnected.into()),
            }
        };
        state.asked = None;
        self.changed.notify_all();
        answer.and_then(|attached| take(&mut state, attached))
    }

    /// Attaches a tree by name. Returns what stands for it here, its area's UUID and its digest.
    ///
    /// Context: process context, sleeps.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is no such area or tree, or we may not attach; `EDQUOT` if there are too
    /// many; `ENOTCONN` if the owner does not answer; `ENOMEM`, `ENOSPC`, what xenstored says.
    pub(super) fn attach(&self, area: Label, tree: Label) -> Result<(u8, Attached)> {
        let _scope = NoIo::begin();
        let ask = |request| Message::Attach {
            request,
            area,
            tree,
        };
        let (added, attached, sent) = self.ask(ask, |state, attached| {
            let added = state.add(&attached, |at| self.glances(at));
            let spare = match added {
                Ok((_, spare)) => spare,
                Err(_) => Some(attached.tree),
            };
            let sent = spare.map_or(Ok(()), |tree| state.send(&Message::Detach { tree }));
            Ok((added, attached, sent))
        })?;
        if let Err(Lost) = sent {
            self.lose();
        }
        self.show_trees();
        added.map(|(local, _)| (local, attached))
    }

    /// Returns the number that the owner has for a tree, which is attached again if need be.
    ///
    /// Context: process context, sleeps.
    ///
    /// # Errors
    ///
    /// `ESTALE` if the owner has it no more; else as for [`Owner::attach`].
    pub(super) fn remote(&self, local: u8) -> Result<u32> {
        let mut state = self.state.lock();
        let (area, digest) = loop {
            let tree = state.tree(local)?;
            match (tree.remote, tree.attaching) {
                (Some(remote), _) => return Ok(remote),
                (None, true) => self.wait(&mut state),
                (None, false) => {
                    tree.attaching = true;
                    break (tree.area, tree.digest);
                }
            }
        };
        drop(state);
        let ask = |request| Message::Again {
            request,
            area: Uuid(area),
            digest: &digest,
        };
        let remote = self.ask(ask, |state, attached| {
            if attached.digest != digest {
                return Err(Failure::Stale.into());
            }
            state.tree(local)?.remote = Some(attached.tree);
            Ok(attached.tree)
        });
        self.state.lock().tree(local)?.attaching = false;
        self.changed.notify_all();
        // That there was such a tree is known: it is there no more.
        remote.map_err(|error| match error {
            ENOENT => Failure::Stale.into(),
            error => error,
        })
    }

    /// A mount of a tree is gone.
    ///
    /// Context: process context, sleeps; nobody reads it by this mount.
    pub(super) fn detach(&self, local: u8) {
        let _scope = NoIo::begin();
        {
            let mut state = self.state.lock();
            let Ok(tree) = state.tree(local) else {
                return;
            };
            tree.users -= 1;
            if tree.users > 0 {
                return;
            }
        }
        self.show_trees();
        self.retire_all(local);
        // If nothing of it was mapped. What others unmap just now they tell of, and the last one of
        // that it is not mounted any more; perhaps somebody has mounted it again by then.
        let told = self.state.lock().drop_unused();
        if let Err(Lost) = told {
            self.lose();
        }
    }
}

impl State {
    /// Returns a tree that is mounted.
    fn tree(&mut self, local: u8) -> Result<&mut Local> {
        let tree = self
            .trees
            .get_mut(usize::from(local))
            .and_then(Option::as_mut);
        tree.ok_or(Failure::Stale.into())
    }

    /// Takes note of a tree that is attached. Returns what stands for it, and which number of the
    /// owner's is not needed, if it was attached before.
    /// `glances` tells what was counted of another one before.
    fn add(
        &mut self,
        attached: &Attached,
        glances: impl Fn(usize) -> u64,
    ) -> Result<(u8, Option<u32>)> {
        let same = |tree: &Option<Local>| {
            let same =
                |tree: &Local| tree.digest == attached.digest && tree.area == attached.area.0;
            tree.as_ref().is_some_and(same)
        };
        if let Some(at) = self.trees.iter().position(same) {
            if let Some(Some(tree)) = self.trees.get_mut(at) {
                tree.users += 1;
                let spare = tree.remote.is_some().then_some(attached.tree);
                tree.remote.get_or_insert(attached.tree);
                return Ok((index(at)?, spare));
            }
        }
        let free = self.trees.iter().position(Option::is_none);
        let at = free.unwrap_or(self.trees.len());
        let local = Some(Local {
            area: attached.area.0,
            digest: attached.digest,
            remote: Some(attached.tree),
            users: 1,
            attaching: false,
            counts: Counts {
                before: glances(at),
                ..Counts::default()
            },
        });
        let number = index(at)?;
        match self.trees.get_mut(at) {
            Some(place) => *place = local,
            None => self.trees.push(local, GFP_KERNEL)?,
        }
        Ok((number, None))
    }

    /// The owner has answered an attachment.
    pub(super) fn answer(&mut self, request: u32, answered: Answered) -> bool {
        match &mut self.asked {
            Some(asked) if asked.request == request && asked.answer.is_none() => {
                asked.answer = Some(answered);
                true
            }
            _ => false,
        }
    }
}
