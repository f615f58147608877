// SPDX-License-Identifier: GPL-2.0

//! What there is of an owner, under its lock: the link, and what was asked for by it.

use super::{
    Answer,
    Asked,
    Owner,
    Phase,
    State, //
};
use crate::{
    area::wire::Message,
    failure::Failure,
    link::{
        Link,
        Lost, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        Instant,
        Monotonic, //
    }, //
};

impl State {
    /// The link, if it is up.
    pub(super) fn link(&self) -> Option<Arc<Link<Owner>>> {
        match &self.phase {
            Phase::Up(link) => Some(link.clone()),
            _ => None,
        }
    }

    /// Sends a message, if there is a link: the one by which the trees are attached.
    ///
    /// # Errors
    ///
    /// The link is to be [lost](Owner::lose), without the lock.
    pub(super) fn send(&self, message: &Message<'_>) -> Result<(), Lost> {
        match &self.phase {
            Phase::Up(link) => link.send(message),
            _ => Ok(()),
        }
    }

    /// The link is over: nothing comes any more. Returns it.
    pub(super) fn lose(&mut self) -> Option<Arc<Link<Owner>>> {
        self.cache.lost();
        for asked in self.answers.iter_mut() {
            asked.answer = Answer::Lost;
        }
        self.offers.lost();
        self.epoch = self.epoch.wrapping_add(1);
        // Also an answer that nobody has seen yet: what it attached is attached no more.
        if let Some(asked) = &mut self.asked {
            asked.answer = Some(Err(Failure::NotConnected.into()));
        }
        for tree in self.trees.iter_mut().flatten() {
            tree.remote = None;
        }
        self.withdrawals.clear();
        match core::mem::replace(&mut self.phase, Phase::Down) {
            Phase::Down => None,
            Phase::Calling(link, _) | Phase::Up(link) => Some(link),
        }
    }

    /// For how long the owner has not answered what it was asked, in milliseconds; 0 if it has.
    pub(super) fn unanswered(&self) -> i64 {
        let waits = |since: Instant<Monotonic>| since.elapsed().as_millis();
        let attaching = self.asked.as_ref().filter(|asked| asked.answer.is_none());
        let is_open = |asked: &&Asked| matches!(asked.answer, Answer::None);
        let blocks = self.answers.iter().filter(is_open);
        let longest = [
            attaching.map(|asked| waits(asked.since)),
            blocks.map(|asked| waits(asked.since)).max(),
            self.offers.unanswered().map(waits),
        ];
        longest.into_iter().flatten().max().unwrap_or(0)
    }

    /// The number that the owner has for a tree.
    pub(super) fn remote(&self, tree: u8) -> Option<u32> {
        self.trees.get(usize::from(tree))?.as_ref()?.remote
    }
}
