// SPDX-License-Identifier: GPL-2.0

//! The end that writes.

use super::{
    super::segment::{
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

/// The producer's private state.
///
/// To write: [`Producer::free`] or [`Producer::free_for`], copy to [`Producer::place`],
/// [`Producer::publish`]. Not to be used by two at once.
///
/// # Invariants
///
/// - `cons` is an index that the consumer has told, and so is all before it: it is not ahead of
///   `prod`, and never goes back.
/// - `prod - cons` is at most `size`; while `switch` is some index, `prod` less that is at most
///   `size`, and that less `cons` at most the size of the segment before.
#[derive(Clone, Debug)]
pub struct Producer {
    prod: u32,
    cons: u32,
    size: Size,
    generation: u32,
    /// First index in the newest segment, while the consumer has not followed.
    switch: Option<u32>,
    broken: Option<Broken>,
}

impl Producer {
    /// Returns the producer of a direction whose words are all zero and whose first segment has
    /// this size.
    pub const fn new(size: Size) -> Self {
        Self {
            prod: 0,
            cons: 0,
            size,
            generation: 0,
            switch: None,
            broken: None,
        }
    }

    /// Returns the size of the segment that is written to, the newest.
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Returns how many bytes have been written since the start, modulo 2^32.
    pub const fn index(&self) -> u32 {
        self.prod
    }

    /// Returns which of the two segments is written to. The other one may be unmapped here.
    pub const fn slot(&self) -> usize {
        super::super::segment::slot(self.generation)
    }

    /// Returns what broke the ring, if anything has.
    pub const fn broken(&self) -> Option<Broken> {
        self.broken
    }

    /// Breaks the ring, for a reason that the caller has found.
    pub fn condemn(&mut self, why: Broken) -> Broken {
        *self.broken.get_or_insert(why)
    }

    /// Looks how many bytes can be written now.
    pub fn free<L: Lines>(&mut self, lines: &L) -> Result<u32, Broken> {
        self.look(lines)?;
        Ok(self.room())
    }

    /// Returns how many bytes can be written now, or as of the last look, if that were `need` or more:
    /// who writes little at once seldom has to look.
    pub fn free_for<L: Lines>(&mut self, lines: &L, need: u32) -> Result<u32, Broken> {
        self.sound()?;
        let room = self.room();
        if room >= need {
            return Ok(room);
        }
        self.free(lines)
    }

    /// Looks how many bytes the consumer has not read yet.
    pub fn unread<L: Lines>(&mut self, lines: &L) -> Result<u32, Broken> {
        self.look(lines)?;
        Ok(self.prod.wrapping_sub(self.cons))
    }

    /// Returns where the next bytes go: as many as were free at the last look, `len` at the most.
    pub fn place(&self, len: u32) -> Place {
        self.place_after(0, len)
    }

    /// Returns where the bytes go that follow the next `skip` bytes: as many as were free at the
    /// last look, `len` at the most.
    pub fn place_after(&self, skip: u32, len: u32) -> Place {
        let len = len.min(self.room().saturating_sub(skip));
        let at = self.prod.wrapping_add(skip);

        Place::new(self.generation, self.size, at, len)
    }

    /// Tells the consumer of `len` more bytes, all of them written. Returns whether it wants an
    /// event.
    pub fn publish<L: Lines>(&mut self, lines: &L, len: u32) -> Result<bool, Broken> {
        self.sound()?;
        if len > self.room() {
            return Err(self.condemn(Broken::Misuse));
        }
        let old = self.prod;
        self.prod = old.wrapping_add(len);
        lines.store_release(Field::Prod, self.prod);
        lines.barrier(Fence::Published);
        Ok(passes(old, self.prod, lines.load(Field::DataEvent)))
    }

    /// Asks for an event, to be called before waiting for `need` free bytes. Returns true if there
    /// are as many already: then there is nothing to wait for.
    ///
    /// The event comes when half of the segment is free, or `need` if that is more; a `need` larger
    /// than the segment counts as the whole of it.
    pub fn want_space<L: Lines>(&mut self, lines: &L, need: u32) -> Result<bool, Broken> {
        let size = self.size.bytes();
        let need = need.min(size);
        let wanted = need.max(size / 2);

        self.sound()?;
        // The consumer's index once so much is free. If a switch is pending and there is less than
        // `need`, this is past the switch, where the consumer can only get by following.
        let at = self.prod.wrapping_sub(size - wanted);
        lines.store(Field::SpaceEvent, at.wrapping_sub(1));
        lines.barrier(Fence::WantSpace);
        Ok(self.free(lines)? >= need)
    }

    /// Tells the consumer that nothing will follow. It needs an event in any case.
    pub fn finish<L: Lines>(&self, lines: &L) {
        // Behind all bytes: publishing them ends with a barrier.
        lines.store(Field::ProdFlags, FIN);
    }

    /// Whether the consumer says that nobody reads any more.
    pub fn reader_gone<L: Lines>(&self, lines: &L) -> bool {
        lines.load(Field::ConsFlags) & GONE != 0
    }

    /// Goes over to the other segment, which is mapped at both ends and has this size. Returns
    /// false if the consumer has not followed the last time: then nothing was done.
    ///
    /// If true, the consumer needs an event in any case, and the old segment is not written to any
    /// more.
    pub fn switch<L: Lines>(&mut self, lines: &L, size: Size) -> Result<bool, Broken> {
        self.look(lines)?;
        if self.switch.is_some() {
            return Ok(false);
        }
        self.size = size;
        self.generation = self.generation.wrapping_add(1);
        self.switch = Some(self.prod);
        lines.store(Field::SwitchAt, self.prod);
        lines.store_release(Field::ProdGen, self.generation);
        Ok(true)
    }

    /// Bytes that can be written, as of the last look.
    fn room(&self) -> u32 {
        let oldest = self.switch.unwrap_or(self.cons);

        self.size
            .bytes()
            .saturating_sub(self.prod.wrapping_sub(oldest))
    }

    /// Reads and checks what the consumer says.
    fn look<L: Lines>(&mut self, lines: &L) -> Result<(), Broken> {
        self.sound()?;
        // The generation first: whoever has followed has told before that it has read so far.
        let followed = match self.switch {
            Some(at) => self.has_followed(lines)?.then_some(at),
            None => None,
        };
        let cons = lines.load_acquire(Field::Cons);
        let left = self.prod.wrapping_sub(cons);
        let most = self.prod.wrapping_sub(self.cons);

        if left > most || followed.is_some_and(|at| left > self.prod.wrapping_sub(at)) {
            return Err(self.condemn(Broken::Consumer));
        }
        self.cons = cons;
        if followed.is_some() {
            self.switch = None;
        }
        Ok(())
    }

    fn has_followed<L: Lines>(&mut self, lines: &L) -> Result<bool, Broken> {
        let behind = self
            .generation
            .wrapping_sub(lines.load_acquire(Field::ConsGen));
        match behind {
            0 => Ok(true),
            1 => Ok(false),
            _ => Err(self.condemn(Broken::Generation)),
        }
    }

    fn sound(&self) -> Result<(), Broken> {
        self.broken.map_or(Ok(()), Err)
    }
}
