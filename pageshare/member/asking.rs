// SPDX-License-Identifier: GPL-2.0

//! Contents are offered to an owner, and what it grants for them is learnt.

use super::{
    attach,
    Answer,
    Owner,
    State, //
};
use crate::{
    area::wire::{
        ContentList,
        Label,
        Message,
        RefList, //
    },
    failure::Failure,
    trace, //
};
use kernel::{
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    }, //
};

/// As many messages are under way at once.
pub(super) const AT_ONCE: usize = 8;

/// Numbers of requests from here on are those of offers.
const FIRST: u32 = 1 << 31;

/// Offers that are under way, and what the owner has answered.
pub(super) struct Offers {
    /// The number of the first one.
    first: u32,
    answers: KVec<(Answer, RefList)>,
    /// How many there are.
    count: usize,
    /// When they were made.
    since: Instant<Monotonic>,
}

impl Offers {
    /// None.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> Result<Self> {
        let mut answers = KVec::with_capacity(AT_ONCE, GFP_KERNEL)?;
        for _ in 0..AT_ONCE {
            answers.push((Answer::None, RefList::new()), GFP_KERNEL)?;
        }
        Ok(Self {
            first: FIRST,
            answers,
            count: 0,
            since: Instant::now(),
        })
    }

    /// Begins `count` offers, and returns the number of the first.
    fn begin(&mut self, count: usize) -> u32 {
        let last = self.first.wrapping_add(AT_ONCE as u32);
        self.first = last | FIRST;
        self.count = count;
        self.since = Instant::now();
        for (answer, _) in self.answers.iter_mut() {
            *answer = Answer::None;
        }
        self.first
    }

    /// The owner has answered. Returns false if it was not asked.
    pub(super) fn told(&mut self, request: u32, answer: Answer, refs: &RefList) -> bool {
        let at = request.wrapping_sub(self.first) as usize;
        match self.answers.get_mut(at) {
            Some(asked) if at < self.count && matches!(asked.0, Answer::None) => {
                *asked = (answer, *refs);
                true
            }
            _ => false,
        }
    }

    /// Returns when those were made that the owner has not answered, if there are any.
    pub(super) fn unanswered(&self) -> Option<Instant<Monotonic>> {
        let mut made = self.answers.iter().take(self.count);
        let is_open = |(answer, _): &(Answer, RefList)| matches!(answer, Answer::None);
        made.any(is_open).then_some(self.since)
    }

    /// The owner will not answer any more.
    pub(super) fn lost(&mut self) {
        for (answer, _) in self.answers.iter_mut() {
            *answer = Answer::Lost;
        }
    }
}

/// What is asked of an owner.
#[derive(Clone, Copy)]
pub(super) enum Ask {
    /// Pages of contents that it may have.
    Offer,
    /// Pages of contents that it gets.
    Supply,
}

impl Ask {
    /// How many contents a list has.
    fn count(self, list: &ContentList) -> u32 {
        match self {
            Ask::Offer => list.digests().map_or(0, |digests| digests.count()),
            Ask::Supply => list.supplies().map_or(0, |supplies| supplies.count()),
        }
    }

    fn message<'a>(self, request: u32, area: Label, list: &'a ContentList) -> Option<Message<'a>> {
        match self {
            Ask::Offer => Some(Message::Offer {
                request,
                area,
                digests: list.digests()?,
            }),
            Ask::Supply => Some(Message::Supply {
                request,
                area,
                supplies: list.supplies()?,
            }),
        }
    }
}

impl State {
    /// Fails if the link is another one than it was in `epoch`.
    fn is_still(&self, epoch: u64) -> Result {
        match self.link() {
            Some(_) if self.epoch == epoch => Ok(()),
            _ => Err(Failure::NotConnected.into()),
        }
    }
}

impl Owner {
    /// Returns which link there is, which is made if there is none.
    ///
    /// Context: process context, sleeps.
    ///
    /// # Errors
    ///
    /// As for [`Owner::attach`].
    pub(super) fn epoch(&self) -> Result<u64> {
        self.linked()?;
        Ok(self.state.lock().epoch)
    }

    /// Asks for pages of the contents in `lists`, up to [`AT_ONCE`] lists, by the link of `epoch`.
    /// `each` gets the number of a list, and what is granted for its contents, in order.
    ///
    /// Context: process context, sleeps until the owner has answered.
    ///
    /// # Errors
    ///
    /// `ENOTCONN` if the link is lost, `ENOENT` if there is no such area for us, `EACCES` if it takes
    /// no offers, `EIO` if the owner answers what it was not asked.
    pub(super) fn ask_for(
        &self,
        (epoch, area): (u64, Label),
        ask: Ask,
        lists: &[ContentList],
        mut each: impl FnMut(usize, Option<u32>),
    ) -> Result {
        let _turn = self.turn.lock();
        let link = {
            let mut state = self.state.lock();
            state.is_still(epoch)?;
            let link = state.link();
            let first = state.offers.begin(lists.len());
            (link, first)
        };
        let (Some(link), first) = link else {
            return Err(Failure::NotConnected.into());
        };
        for (request, list) in (first..).zip(lists) {
            let message = ask.message(request, area, list).ok_or(EINVAL)?;
            if link.send(&message).is_err() {
                self.lose();
            }
        }
        let mut result = Ok(());
        let (mut asked, mut granted) = (0, 0);
        for (at, list) in lists.iter().enumerate() {
            let wanted = ask.count(list);
            let answer = self.answer_to(at);
            if let Err(error) = answer.and_then(|answer| {
                let refs = answer.refs().filter(|refs| refs.count() == wanted);
                let refs = refs.ok_or_else(|| {
                    self.broken();
                    EIO
                })?;
                asked += wanted;
                granted += refs.iter().flatten().count() as u32;
                refs.iter().for_each(|reference| each(at, reference));
                Ok(())
            }) {
                result = Err(error);
            }
        }
        trace::offer(self.domain, asked, granted);
        result
    }

    /// Waits for what the owner answers to an offer.
    fn answer_to(&self, at: usize) -> Result<RefList> {
        let mut state = self.state.lock();
        loop {
            let (answer, refs) = state.offers.answers.get(at).ok_or(EINVAL)?;
            match *answer {
                Answer::None => self.wait(&mut state),
                Answer::Granted => return Ok(*refs),
                Answer::Refused(reason) => return Err(attach::error(reason)),
                Answer::Lost => return Err(Failure::NotConnected.into()),
            }
        }
    }

    /// Tells the owner of pages that are not mapped any more, if the link is still that of `epoch`.
    pub(super) fn tell_returned(&self, (epoch, area): (u64, Label), list: &ContentList) {
        let Some(digests) = list.digests() else {
            return;
        };
        let link = {
            let state = self.state.lock();
            state.link().filter(|_| state.epoch == epoch)
        };
        let sent = link.map(|link| link.send(&Message::Return { area, digests }));
        if let Some(Err(_)) = sent {
            self.lose();
        }
    }
}
