// SPDX-License-Identifier: GPL-2.0

//! The end that reads.

use super::{
    super::segment::{
        slot,
        Place,
        Size, //
    },
    passes,
    Broken,
    Fence,
    Field,
    Lines,
    FIN,
    GONE, //
};

/// A segment that the producer has gone over to.
#[derive(Clone, Copy, Debug)]
struct Switch {
    /// Index of the first byte in it.
    at: u32,
    size: Size,
}

/// The consumer's private state.
///
/// To read: [`Consumer::available`], copy from [`Consumer::place`], [`Consumer::release`]. Not to be
/// used by two at once.
///
/// # Invariants
///
/// - `prod` is an index that the producer has told: it is not behind `cons`, and never goes back.
/// - Without a switch `prod - cons` is at most `size`. With one, its index less `cons` is at most
///   `size`, and `prod` less its index, if positive, at most its size.
#[derive(Clone, Debug)]
pub struct Consumer {
    cons: u32,
    prod: u32,
    size: Size,
    generation: u32,
    /// A segment that is mapped, but not in use yet.
    offered: Option<Size>,
    switch: Option<Switch>,
    /// Which segment was left behind, until the driver has taken note.
    left: Option<usize>,
    /// Up to where the producer has to get for the event that was asked for last.
    event: Option<u32>,
    overtaken: bool,
    broken: Option<Broken>,
}

impl Consumer {
    /// Returns the consumer of a direction whose words are all zero and whose first segment has
    /// this size.
    pub const fn new(size: Size) -> Self {
        Self {
            cons: 0,
            prod: 0,
            size,
            generation: 0,
            offered: None,
            switch: None,
            left: None,
            event: None,
            overtaken: false,
            broken: None,
        }
    }

    /// Returns the size of the segment that is read from.
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Returns how many bytes have been read since the start, modulo 2^32.
    pub const fn index(&self) -> u32 {
        self.cons
    }

    /// Returns which of the two segments is read from.
    pub const fn slot(&self) -> usize {
        slot(self.generation)
    }

    /// Returns what broke the ring, if anything has.
    pub const fn broken(&self) -> Option<Broken> {
        self.broken
    }

    /// Breaks the ring, for a reason that the caller has found.
    pub fn condemn(&mut self, why: Broken) -> Broken {
        *self.broken.get_or_insert(why)
    }

    /// Looks how many bytes can be read now without going over to another segment: none only if
    /// there are none at all.
    pub fn available<L: Lines>(&mut self, lines: &L) -> Result<u32, Broken> {
        self.look(lines)?;
        Ok(self.here())
    }

    /// Returns whether there are more than `skip` bytes. Looks only if there were not at the last look.
    pub fn has_more_than<L: Lines>(&mut self, lines: &L, skip: u32) -> Result<bool, Broken> {
        self.sound()?;
        if self.total() <= skip {
            self.look(lines)?;
        }
        Ok(self.total() > skip)
    }

    /// Returns how many bytes there were at the last look, in both segments.
    pub const fn total(&self) -> u32 {
        self.prod.wrapping_sub(self.cons)
    }

    /// Returns where the next bytes are: as many as were [available](Consumer::available) at the
    /// last look, `len` at the most.
    pub fn place(&self, len: u32) -> Place {
        self.place_after(0, len)
    }

    /// Returns where the bytes are that follow the next `skip` bytes: as many as there were at the
    /// last look up to the end of their segment's data, `len` at the most.
    pub fn place_after(&self, skip: u32, len: u32) -> Place {
        let here = self.here();
        let at = self.cons.wrapping_add(skip);

        match self.switch {
            Some(switch) if skip >= here => {
                let len = len.min(self.total().saturating_sub(skip));
                Place::new(self.generation.wrapping_add(1), switch.size, at, len)
            }
            _ => {
                let len = len.min(here.saturating_sub(skip));
                Place::new(self.generation, self.size, at, len)
            }
        }
    }

    /// Tells the producer that `len` bytes, available at the last look, have been read. Returns
    /// whether it wants an event.
    pub fn release<L: Lines>(&mut self, lines: &L, len: u32) -> Result<bool, Broken> {
        self.sound()?;
        if len > self.here() {
            return Err(self.condemn(Broken::Misuse));
        }
        let old = self.cons;
        self.cons = old.wrapping_add(len);
        lines.store_release(Field::Cons, self.cons);
        self.follow(lines);
        lines.barrier(Fence::Released);
        Ok(passes(old, self.cons, lines.load(Field::SpaceEvent)))
    }

    /// Asks for an event, to be called before waiting for `need` bytes. Returns true if there are
    /// as many already: then there is nothing to wait for.
    ///
    /// A `need` of more than the producer can write before something is read counts as so much.
    /// Who waits for packets asks for a single byte: a producer without room for a packet leaves
    /// the rest of the ring empty.
    ///
    /// Where several wait, the event is for the one that wants least: all look again then. See
    /// [`Consumer::overtaken`].
    pub fn want_data<L: Lines>(&mut self, lines: &L, need: u32) -> Result<bool, Broken> {
        self.sound()?;
        let mut wanted = need.clamp(1, self.most());
        loop {
            let at = self.nearer(self.cons.wrapping_add(wanted));
            self.event = Some(at);
            lines.store(Field::DataEvent, at.wrapping_sub(1));
            lines.barrier(Fence::WantData);
            self.look(lines)?;
            if self.total() >= wanted {
                return Ok(true);
            }
            // The producer may have gone over to a smaller segment, and never get so far; or it had
            // passed what was asked for before this, which asks for nothing then.
            let reachable = need.clamp(1, self.most());
            if reachable >= wanted && is_before(self.prod, at) {
                return Ok(false);
            }
            wanted = wanted.min(reachable);
        }
    }

    /// Whether [`Consumer::want_data`] was called, since the last call of this, for more than
    /// somebody had wanted before that has it by now: the event for that one may not come any more,
    /// so that all who wait must be told to look again.
    pub fn overtaken(&mut self) -> bool {
        core::mem::take(&mut self.overtaken)
    }

    /// Looks whether nothing will follow and everything has been read.
    pub fn finished<L: Lines>(&mut self, lines: &L) -> Result<bool, Broken> {
        self.sound()?;
        // The flag first: what was written before it is seen after it.
        if lines.load_acquire(Field::ProdFlags) & FIN == 0 {
            return Ok(false);
        }
        self.look(lines)?;
        Ok(self.total() == 0)
    }

    /// Tells the producer that nobody reads any more. It needs an event in any case.
    pub fn leave<L: Lines>(&self, lines: &L) {
        lines.store(Field::ConsFlags, GONE);
    }

    /// Tells the producer the longest packet that this end takes, in bytes without its header.
    pub fn set_limit<L: Lines>(&self, lines: &L, limit: u32) {
        lines.store(Field::Limit, limit);
    }

    /// Learns that the other segment is mapped here and has this size, so that the producer may go
    /// over to it. To be called before the message that tells the peer so. Returns false if the
    /// segment is in use, or the one before it was not taken away with [`Consumer::crossed`].
    pub fn offered(&mut self, size: Size) -> bool {
        if self.offered.is_some() || self.switch.is_some() || self.left.is_some() {
            return false;
        }
        self.offered = Some(size);
        true
    }

    /// Learns that the peer does not want the segment that was offered. Returns false if there is
    /// none, or the producer has gone over to it.
    pub fn withdraw(&mut self) -> bool {
        self.switch.is_none() && self.offered.take().is_some()
    }

    /// Returns which of the two segments has been left for the other since the last call, if one
    /// has: it is not read from any more.
    pub fn crossed(&mut self) -> Option<usize> {
        self.left.take()
    }

    /// Up to where the producer has to get for the next event, now that somebody wants one at `at`.
    fn nearer(&mut self, at: u32) -> u32 {
        match self.event {
            Some(event) if is_before(event, at) => {
                if is_before(self.prod, event) {
                    return event;
                }
                // Nobody can want less than the next byte.
                self.overtaken |= at != self.cons.wrapping_add(1);
                at
            }
            _ => at,
        }
    }

    /// Bytes in the segment that is read from, as of the last look.
    fn here(&self) -> u32 {
        match self.switch {
            Some(switch) => self.total().min(switch.at.wrapping_sub(self.cons)),
            None => self.total(),
        }
    }

    /// How far the producer can get ahead.
    fn most(&self) -> u32 {
        match self.switch {
            Some(switch) => switch.at.wrapping_sub(self.cons) + switch.size.bytes(),
            None => self.size.bytes(),
        }
    }

    /// Reads and checks what the producer says, and follows it if everything before is read.
    fn look<L: Lines>(&mut self, lines: &L) -> Result<(), Broken> {
        self.sound()?;
        // The index first: whoever has written behind the switch has told of the switch before.
        let prod = lines.load_acquire(Field::Prod);
        self.see_switch(lines)?;

        let seen = self.total();
        let told = prod.wrapping_sub(self.cons);
        if told < seen || told > self.most() {
            return Err(self.condemn(Broken::Producer));
        }
        self.prod = prod;
        self.follow(lines);
        Ok(())
    }

    /// Notices that the producer has gone over to another segment.
    fn see_switch<L: Lines>(&mut self, lines: &L) -> Result<(), Broken> {
        let ahead = lines
            .load_acquire(Field::ProdGen)
            .wrapping_sub(self.generation);
        match (ahead, self.switch, self.offered) {
            (0, None, _) | (1, Some(_), _) => Ok(()),
            (1, None, None) => Err(self.condemn(Broken::NoSegment)),
            (1, None, Some(size)) => {
                let at = lines.load(Field::SwitchAt);
                let unread = at.wrapping_sub(self.cons);
                if unread < self.total() || unread > self.size.bytes() {
                    return Err(self.condemn(Broken::SwitchPoint));
                }
                self.switch = Some(Switch { at, size });
                self.offered = None;
                Ok(())
            }
            _ => Err(self.condemn(Broken::Generation)),
        }
    }

    /// Goes over to the new segment if the old one is read to its end.
    fn follow<L: Lines>(&mut self, lines: &L) {
        let Some(switch) = self.switch else { return };
        if switch.at != self.cons {
            return;
        }
        self.left = Some(slot(self.generation));
        self.generation = self.generation.wrapping_add(1);
        self.size = switch.size;
        self.switch = None;
        lines.store_release(Field::ConsGen, self.generation);
    }

    fn sound(&self) -> Result<(), Broken> {
        self.broken.map_or(Ok(()), Err)
    }
}

/// Whether index `one` comes before `other`.
const fn is_before(one: u32, other: u32) -> bool {
    other.wrapping_sub(one).wrapping_sub(1) < u32::MAX / 2
}
