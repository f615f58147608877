// SPDX-License-Identifier: GPL-2.0

//! Members are asked to give back what they have of a tree, and its memory is freed.

use super::{
    area::Area,
    guest::Guest,
    loaded::Loaded,
    Areas, //
};
use crate::{
    area::wire::{
        Label,
        Message,
        RunList, //
    },
    arguments::{
        check,
        name_or_none, //
    },
    link::Lost,
    linux::{
        device::Call,
        uapi::{
            ShareWithdraw,
            SHARE_RETIRE,
            SHARE_VERSION, //
        },
        work::Worker, //
    },
    trace, //
};
use kernel::{
    prelude::*,
    sync::{
        Arc,
        CondVarTimeoutResult, //
    },
    time::{
        msecs_to_jiffies,
        Instant,
        Monotonic,
        Msecs, //
    }, //
};

/// How long a member may take to give back all that it is asked for, in milliseconds.
const PATIENCE_MS: i64 = 10_000;

/// As many messages are under way at once: members do not take more.
const OPEN: usize = 16;

/// What a member was asked to give back.
pub(super) struct Asked {
    /// The number of the last request.
    last: u32,
    /// Those without an answer.
    open: KVec<u32>,
}

impl Asked {
    /// Nothing.
    pub(super) fn new() -> Self {
        Self {
            last: 0,
            open: KVec::new(),
        }
    }
}

impl Guest {
    /// The member has given back what it was asked for.
    pub(super) fn given_back(&self, request: u32) -> Result<(), Lost> {
        {
            let mut asked = self.asked.lock();
            let at = asked.open.iter().position(|&open| open == request);
            asked.open.remove(at.ok_or(Lost)?).map_err(|_| Lost)?;
        }
        self.answered.notify_all();
        Ok(())
    }

    /// Waits until the member has answered all but `most` requests. Returns false if it has not, a
    /// while after `start`.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` for a signal.
    fn wait_for_answers(&self, most: usize, start: Instant<Monotonic>) -> Result<bool> {
        let mut asked = self.asked.lock();
        while asked.open.len() > most && !self.has_ended() {
            let left = PATIENCE_MS - start.elapsed().as_millis();
            let Some(left) = Msecs::try_from(left).ok().filter(|&left| left > 0) else {
                return Ok(false);
            };
            let jiffies = msecs_to_jiffies(left);
            let woken = self
                .answered
                .wait_interruptible_timeout(&mut asked, jiffies);
            if let CondVarTimeoutResult::Signal { .. } = woken {
                return Err(ERESTARTSYS);
            }
        }
        Ok(true)
    }

    /// Asks for blocks of a tree. Returns as [`Guest::wait_for_answers`].
    fn ask(&self, tree: u32, list: &RunList, start: Instant<Monotonic>) -> Result<bool> {
        let Some(runs) = list.runs() else {
            return Ok(true);
        };
        if !self.wait_for_answers(OPEN - 1, start)? {
            return Ok(false);
        }
        let request = self.new_request()?;
        let withdraw = Message::Withdraw {
            tree,
            request,
            runs,
        };
        trace::withdraw(self.domain(), tree, runs.count());
        if self.link.send(&withdraw).is_err() {
            self.dismiss();
        }
        Ok(true)
    }

    /// Asks for all that the member has of an area for what it has offered. Returns whether it has
    /// given it back.
    fn recall(&self, area: &Arc<Area>, start: Instant<Monotonic>) -> Result<bool> {
        if !self.has_lent(area) {
            return Ok(true);
        }
        let request = self.new_request()?;
        let recall = Message::Recall {
            request,
            area: *area.name(),
        };
        if self.link.send(&recall).is_err() {
            self.dismiss();
        }
        Ok(self.wait_for_answers(0, start)? && !self.has_lent(area))
    }

    /// Returns the number of a request that has no answer yet.
    fn new_request(&self) -> Result<u32> {
        let mut asked = self.asked.lock();
        let request = asked.last.wrapping_add(1);
        asked.open.push(request, GFP_KERNEL)?;
        asked.last = request;
        Ok(request)
    }

    /// Asks for all blocks of trees that the member has. Returns whether it has given them back; one
    /// whose link has ended has.
    ///
    /// Context: process context, sleeps for some seconds if the member does not answer.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` for a signal, `ENOMEM`.
    fn ask_for_all(&self, trees: &[(u32, Arc<Loaded>)]) -> Result<bool> {
        let start = Instant::now();
        for (number, tree) in trees {
            let mut list = RunList::new();
            for block in 0..tree.blocks() {
                if !tree.is_held(&self.account, block) || list.push(block) {
                    continue;
                }
                if !self.ask(*number, &list, start)? {
                    return Ok(false);
                }
                list = RunList::new();
                list.push(block);
            }
            if !self.ask(*number, &list, start)? {
                return Ok(false);
            }
        }
        self.wait_for_answers(0, start)
    }

    /// Tells the member that no more blocks of trees are to be had.
    fn retire(&self, trees: &[(u32, Arc<Loaded>)]) {
        for &(tree, _) in trees {
            if self.link.send(&Message::Retire { tree }).is_err() {
                self.dismiss();
            }
        }
    }
}

/// What is to be withdrawn: the trees of an area that have a name, or all for none, old versions that
/// are still mounted among them.
struct Wanted<'a> {
    area: &'a Arc<Area>,
    name: Label,
    retire: bool,
    /// Those that were found.
    trees: KVec<Arc<Loaded>>,
}

impl Wanted<'_> {
    fn fits(&self, tree: &Loaded) -> bool {
        let named = self.name == Label::NONE || *tree.name() == self.name;
        named && Arc::ptr_eq(tree.area(), self.area)
    }

    /// Finds those in the area, which has them no more if they are to be retired.
    fn find(&mut self) -> Result {
        self.area.named(&self.name, &mut self.trees)?;
        if self.retire {
            for tree in &self.trees {
                tree.retire();
                // Somebody else may have removed it.
                let _ = self.area.unload(tree.name());
            }
        }
        Ok(())
    }

    /// Has a member give back what it has. Returns whether it did.
    fn ask(&mut self, guest: &Guest) -> Result<bool> {
        let attached = guest.attached(|tree| self.fits(tree))?;
        for (_, tree) in &attached {
            if !self.trees.iter().any(|known| Arc::ptr_eq(known, tree)) {
                self.trees.push(tree.clone(), GFP_KERNEL)?;
            }
            if self.retire {
                tree.retire();
            }
        }
        if self.retire {
            guest.retire(&attached);
        }
        // What was offered is no tree's.
        let recalled = match self.name == Label::NONE {
            true => guest.recall(self.area, Instant::now())?,
            false => true,
        };
        Ok(guest.ask_for_all(&attached)? && recalled)
    }
}

impl Areas {
    /// `PAGESHARE_WITHDRAW`: `guests` are all members.
    ///
    /// Context: process context of the caller, sleeps until they have answered.
    pub(crate) fn withdraw(&self, call: Call, guests: &[Arc<Worker<Guest>>]) -> Result {
        if !call.writable {
            return Err(EPERM);
        }
        let (mut reader, mut writer) = call.argument.reader_writer();
        let asked: ShareWithdraw = reader.read()?;
        check(asked.version, &asked.reserved)?;
        if asked.flags & !SHARE_RETIRE != 0 {
            return Err(EINVAL);
        }
        let area = self.named_area(&asked.area)?;
        let mut wanted = Wanted {
            area: &area,
            name: name_or_none(&asked.tree)?,
            retire: asked.flags & SHARE_RETIRE != 0,
            trees: KVec::new(),
        };
        wanted.find()?;
        self.show_areas();
        let offered = area.totals().offered;
        let (mut holders, mut holder) = (0, 0);
        for guest in guests {
            if !wanted.ask(guest)? {
                holders += 1;
                holder = guest.domain().number().into();
            }
        }
        if wanted.trees.is_empty() && wanted.name != Label::NONE {
            return Err(ENOENT);
        }
        let recalled = u64::from(offered.saturating_sub(area.totals().offered));
        writer.write(&ShareWithdraw {
            version: SHARE_VERSION,
            freed: wanted.trees.iter().map(|tree| tree.empty()).sum::<u64>() + recalled,
            holders,
            holder,
            ..asked
        })
    }
}
