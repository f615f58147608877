// SPDX-License-Identifier: GPL-2.0

//! What the worker of an owner does: it takes messages, and looks after the owner while somebody
//! waits for it.

use super::{
    attach::{
        self,
        Attached, //
    },
    leaving::Slots,
    Answer,
    Local,
    Owner,
    Phase,
    State, //
};
use crate::{
    area::{
        cache::Pressure,
        wire::{
            Message,
            RefList,
            Runs,
            BATCH,
            MESSAGE_MAX,
            VERSION, //
        }, //
    },
    link::{
        Letter,
        Link,
        Lost, //
    },
    linux::{
        noio::NoIo,
        work::Task, //
    },
    trace, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        Instant,
        Msecs, //
    }, //
};

/// How often the worker looks whether the owner is still there, while somebody waits.
const LOOK_MS: Msecs = 250;

/// How long an owner may take to answer a call, in milliseconds.
const CALL_MS: i64 = 5_000;

/// How long an owner may say nothing that somebody waits for, in milliseconds.
pub(super) const PATIENCE_MS: i64 = 15_000;

/// How long an owner may take to answer what it was asked, whatever else it says, in milliseconds.
const ANSWER_MS: i64 = 60_000;

/// As many messages are taken at once; then others have their turn.
const BUDGET: usize = 64;

/// An owner that wants more back at once than that breaks the protocol.
const WITHDRAWALS: usize = 64;

impl Owner {
    /// The link, whether it is up or not.
    fn any_link(&self) -> Option<Arc<Link<Owner>>> {
        match &self.state.lock().phase {
            Phase::Down => None,
            Phase::Calling(link, _) | Phase::Up(link) => Some(link.clone()),
        }
    }

    /// Takes messages. Returns whether there may be more.
    fn receive(&self, link: &Link<Owner>) -> Result<bool, Lost> {
        let mut letter: Letter = [0; MESSAGE_MAX];
        for _ in 0..BUDGET {
            let Some(message) = link.receive(&mut letter)? else {
                return Ok(false);
            };
            self.state.lock().heard = Instant::now();
            self.handle(message)?;
        }
        Ok(true)
    }

    fn handle(&self, message: Message<'_>) -> Result<(), Lost> {
        match message {
            Message::Hello { version, pages } => self.greeted(version, pages),
            Message::Attached {
                request,
                tree,
                area,
                digest,
                ..
            } => self.answered(
                request,
                Ok(Attached {
                    tree,
                    area,
                    digest: *digest,
                }),
            ),
            Message::Refused { request, reason } => {
                if self.answered(request, Err(attach::error(reason))).is_err() {
                    return self.told(request, Answer::Refused(reason), RefList::new());
                }
                Ok(())
            }
            Message::Granted { request, refs } => {
                let mut list = RefList::new();
                for reference in refs.iter() {
                    list.push(reference);
                }
                self.told(request, Answer::Granted, list)
            }
            Message::Withdraw {
                tree,
                request,
                runs,
            } => self.withdraw(tree, request, runs),
            Message::Retire { tree } => self.retire(tree),
            Message::Recall { request, area } => {
                self.recall(request, &area);
                Ok(())
            }
            // What members say, or that the link is over.
            _ => Err(Lost),
        }
    }

    /// The owner is there, and grants up to `pages` pages at once. With less than a batch readers would
    /// wait for each other's blocks.
    fn greeted(&self, version: u32, pages: u32) -> Result<(), Lost> {
        if version != VERSION || pages < BATCH {
            return Err(Lost);
        }
        let mut state = self.state.lock();
        let Phase::Calling(link, _) = &state.phase else {
            return Ok(());
        };
        state.phase = Phase::Up(link.clone());
        state.most = pages.min(self.window.slots());
        let beyond = state.share_out();
        drop(state);
        self.meeting.withdraw(self.domain);
        self.changed.notify_all();
        trace::link_up(self.domain, false);
        // With no memory for that they are given back later, to have room.
        let _ = self.evict(beyond, Pressure::Need);
        Ok(())
    }

    /// The owner has answered who wants to attach.
    fn answered(&self, request: u32, answered: attach::Answered) -> Result<(), Lost> {
        let known = self.state.lock().answer(request, answered);
        self.changed.notify_all();
        known.then_some(()).ok_or(Lost)
    }

    /// The owner has answered a request for blocks.
    fn told(&self, request: u32, answer: Answer, refs: RefList) -> Result<(), Lost> {
        let mut state = self.state.lock();
        let State {
            answers, offers, ..
        } = &mut *state;
        match answers.get_mut(request as usize) {
            Some(asked) if matches!(asked.answer, Answer::None) => {
                asked.answer = answer;
                asked.refs = refs;
            }
            None if offers.told(request, answer, &refs) => {}
            _ => return Err(Lost),
        }
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// The owner wants blocks back.
    fn withdraw(&self, remote: u32, request: u32, runs: Runs<'_>) -> Result<(), Lost> {
        let mut closing = Slots::new();
        {
            let mut state = self.state.lock();
            if state.withdrawals.len() == WITHDRAWALS {
                return Err(Lost);
            }
            let pushed = state.withdrawals.push(request, GFP_KERNEL);
            pushed.map_err(|_| Lost)?;
            // One that is just attached, or not any more, has nothing mapped.
            if let Some(tree) = state.local(remote) {
                // There are no more than a batch.
                let close = |slot| {
                    closing.push(slot);
                };
                state.cache.withdraw(tree, runs, close);
            }
        }
        self.unmap(closing.list());
        self.settle();
        Ok(())
    }

    /// The owner wants all of a tree back.
    fn retire(&self, remote: u32) -> Result<(), Lost> {
        let tree = self.state.lock().local(remote);
        if let Some(tree) = tree {
            self.retire_all(tree);
        }
        Ok(())
    }

    /// Gives back what was not used since it was last looked. Returns when to look again.
    fn tidy(&self) -> Option<Msecs> {
        let period = self.settings.idle()?;
        let idle = {
            let mut state = self.state.lock();
            if state.cache.used() == 0 {
                state.tidied = None;
                return None;
            }
            let since = *state.tidied.get_or_insert_with(Instant::now);
            let left = i64::from(period) - since.elapsed().as_millis();
            match Msecs::try_from(left) {
                Ok(left) if left > 0 => return Some(left.min(period)),
                _ => state.tidied = Some(Instant::now()),
            }
            state.cache.idle()
        };
        // With no memory for that the next time will do.
        let _ = self.evict(idle, Pressure::Idle);
        Some(period)
    }

    /// Looks whether the owner is still there. Returns when to look again.
    fn look(&self, link: &Link<Owner>) -> Option<Msecs> {
        let state = self.state.lock();
        let waited = state.waiting > 0;
        let silent = waited && state.heard.elapsed().as_millis() > PATIENCE_MS;
        let (calling, gone) = match &state.phase {
            Phase::Calling(_, since) => (true, since.elapsed().as_millis() > CALL_MS),
            _ => (false, silent || state.unanswered() > ANSWER_MS),
        };
        drop(state);
        if gone || !(calling || link.is_up()) {
            if calling {
                self.meeting.withdraw(self.domain);
            }
            self.lose();
            return None;
        }
        (calling || waited).then_some(LOOK_MS)
    }
}

impl State {
    /// Returns what stands here for a tree of the owner.
    fn local(&self, remote: u32) -> Option<u8> {
        let is = |tree: &Option<Local>| {
            let tree = tree.as_ref();
            tree.is_some_and(|tree| tree.remote == Some(remote))
        };
        let at = self.trees.iter().position(is)?;
        u8::try_from(at).ok()
    }
}

impl Task for Owner {
    fn step(&self) -> Option<Msecs> {
        let _scope = NoIo::begin();
        // What is mapped of an owner that is gone keeps its domain from going, too.
        let Some(link) = self.any_link() else {
            return self.tidy();
        };
        let more = self.receive(&link).and_then(|more| {
            link.flush()?;
            Ok(more)
        });
        match more {
            Ok(true) => Some(0),
            Ok(false) => [self.look(&link), self.tidy()].into_iter().flatten().min(),
            Err(Lost) => {
                self.lose();
                self.tidy()
            }
        }
    }
}
