// SPDX-License-Identifier: GPL-2.0

//! One guest's page frames while the driver surrenders and populates them.
//!
//! The engine plays no part here: these are the steps that `balloon/worker/` and
//! `rust/xen/reservation/` make of an action, written down anew, with frames of which one knows
//! who owns them, what is in them and who can touch them:
//!
//! ```text
//! take: lock, allocate, zero, free it if a task is out of memory, unmap, decrease, mark, map what was
//!       refused, free it, unlock
//! give: lock, populate, map, take the marks off, free, unlock
//! ```

use crate::law::Law;
use stateright::{Checker, Model, Property};

/// Frame numbers of the guest; a larger extent is two of them.
pub const FRAMES: usize = 4;

/// Who has a frame number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The page allocator.
    Free,
    /// A program.
    Program,
    /// The driver, in the middle of a step.
    Step,
    /// The driver: it is surrendered.
    Held,
}

/// How far a step is. Its extent's frame numbers begin at `first`, `len` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Nothing goes on.
    Idle,
    /// The lock is taken and an extent is looked for.
    Allocating,
    /// The extent is allocated and zeroed.
    Allocated(usize, usize),
    /// It is unmapped.
    Unmapped(usize, usize),
    /// The hypervisor has taken the first of its frames.
    Decreased(usize, usize, usize),
    /// The lock is taken to populate.
    Giving,
    /// The hypervisor has given a frame.
    Populated(usize),
    /// It is mapped.
    Mapped(usize),
}

/// The frames of the guest and of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frames {
    /// The machine frame behind each frame number.
    pub backed: [Option<usize>; FRAMES],
    /// Whether the kernel's mapping of it is there.
    pub mapped: [bool; FRAMES],
    /// Who has it.
    pub owner: [Owner; FRAMES],
    /// Whether a machine frame has been written since it was zeroed.
    pub dirty: [bool; FRAMES],
    /// Whether a machine frame is the host's.
    pub host: [bool; FRAMES],
    /// How far the driver is.
    pub stage: Stage,
    /// Whether a task out of memory waits for the driver's lock.
    pub waits: bool,
    /// Whether one is, since the driver began to allocate.
    pub needs: bool,
    /// Whether the driver surrendered what it had in hand all the same.
    pub hoarded: bool,
    /// Whether what was surrendered was dirty.
    pub leaked: bool,
}

/// What is wrong with the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// It does not zero.
    NotZeroed,
    /// It surrenders before it unmaps.
    StillMapped,
    /// It frees before it maps.
    FreedUnmapped,
    /// It frees what the hypervisor did not refuse as well.
    FreesSurrendered,
    /// It takes a short decrease for a full one.
    ShortIsFull,
    /// Its out-of-memory notifier takes the lock.
    NotifierLocks,
    /// It surrenders what it has in hand, whoever is out of memory.
    Hoards,
}

/// A transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A program allocates a page.
    Use(usize),
    /// It writes to it.
    Write(usize),
    /// It frees it.
    Drop(usize),
    /// A task runs out of memory.
    OutOfMemory,
    /// The driver begins to take.
    Take,
    /// It finds an extent, or none.
    Allocate(Option<(usize, usize)>),
    /// It unmaps the extent, or frees it for who is out of memory.
    Unmap,
    /// The hypervisor takes so many of its frames.
    Decrease(usize),
    /// The driver accounts for what is gone and what is not.
    Account,
    /// It begins to give.
    Give,
    /// The hypervisor gives a frame for this frame number, or none.
    Populate(Option<usize>),
    /// The driver maps it, or cannot and gives it back.
    Map(bool),
    /// It frees it.
    Release,
}

/// The search of the frames.
#[derive(Clone, Copy, Debug)]
pub struct Search(pub Flaw);

/// Searches a driver with `flaw`; returns the number of states and the laws broken.
pub fn search(flaw: Flaw) -> (usize, Vec<&'static str>) {
    let checker = Search(flaw).checker().spawn_bfs().join();
    let mut broken: Vec<_> = checker.discoveries().into_keys().collect();
    broken.sort_unstable();
    (checker.unique_state_count(), broken)
}

impl Frames {
    fn touchable(&self, i: usize) -> bool {
        self.backed[i].is_some() && self.mapped[i]
    }

    /// Returns whether `law` holds.
    pub fn keeps(&self, law: Law) -> bool {
        let mut all = 0..FRAMES;
        match law {
            Law::S2 => all.all(|i| {
                let owners = self
                    .backed
                    .iter()
                    .filter(|frame| **frame == Some(i))
                    .count();
                let held = self.owner[i] == Owner::Held;
                owners + usize::from(self.host[i]) == 1 && !(held && self.backed[i].is_some())
            }),
            Law::S6 => !self.leaked,
            Law::S7 => all.all(|i| {
                let usable = matches!(self.owner[i], Owner::Free | Owner::Program);
                (!usable || self.touchable(i)) && (!self.mapped[i] || self.backed[i].is_some())
            }),
            Law::S10 => !(self.hoarded || (self.waits && self.stage == Stage::Allocating)),
            _ => true,
        }
    }

    fn decrease(&mut self, first: usize, gone: usize) {
        for i in first..first + gone {
            if let Some(frame) = self.backed[i].take() {
                self.leaked |= self.dirty[frame];
                self.host[frame] = true;
            }
        }
    }

    fn account(&mut self, flaw: Flaw, (first, len, gone): (usize, usize, usize)) {
        for i in first..first + len {
            let counts = i < first + gone || flaw == Flaw::ShortIsFull;
            let refused = self.backed[i].is_some();
            self.mapped[i] = refused && flaw != Flaw::FreedUnmapped;
            self.owner[i] = if counts && flaw != Flaw::FreesSurrendered {
                Owner::Held
            } else {
                Owner::Free
            };
        }
    }

    fn populate(&mut self, i: usize) {
        if let Some(frame) = self.host.iter().position(|host| *host) {
            self.host[frame] = false;
            // Whoever had it may have written to it.
            self.dirty[frame] = true;
            self.backed[i] = Some(frame);
            self.owner[i] = Owner::Step;
        }
    }
}

impl Model for Search {
    type State = Frames;
    type Action = Event;

    fn init_states(&self) -> Vec<Frames> {
        vec![Frames {
            backed: std::array::from_fn(Some),
            mapped: [true; FRAMES],
            owner: [Owner::Free; FRAMES],
            dirty: [true; FRAMES],
            host: [false; FRAMES],
            stage: Stage::Idle,
            waits: false,
            needs: false,
            hoarded: false,
            leaked: false,
        }]
    }

    fn actions(&self, frames: &Frames, events: &mut Vec<Event>) {
        for i in 0..FRAMES {
            match frames.owner[i] {
                Owner::Free => events.push(Event::Use(i)),
                Owner::Program => events.extend([Event::Write(i), Event::Drop(i)]),
                Owner::Step | Owner::Held => {}
            }
        }
        if !frames.owner.contains(&Owner::Free) {
            events.push(Event::OutOfMemory);
        }
        let free = |i: usize| frames.owner[i] == Owner::Free;
        match frames.stage {
            Stage::Idle => events.extend([Event::Take, Event::Give]),
            Stage::Allocating => {
                events.push(Event::Allocate(None));
                let single = (0..FRAMES).filter(|i| free(*i)).map(|i| (i, 1));
                let double = (0..FRAMES).step_by(2).filter(|i| free(*i) && free(i + 1));
                let extents = single.chain(double.map(|i| (i, 2)));
                events.extend(extents.map(|extent| Event::Allocate(Some(extent))));
            }
            Stage::Allocated(..) => events.push(Event::Unmap),
            Stage::Unmapped(_, len) => events.extend((0..=len).map(Event::Decrease)),
            Stage::Decreased(..) => events.push(Event::Account),
            Stage::Giving => {
                events.push(Event::Populate(None));
                let held = (0..FRAMES).filter(|i| frames.owner[*i] == Owner::Held);
                events.extend(held.map(|i| Event::Populate(Some(i))));
            }
            Stage::Populated(_) => events.extend([Event::Map(true), Event::Map(false)]),
            Stage::Mapped(_) => events.push(Event::Release),
        }
    }

    fn next_state(&self, frames: &Frames, event: Event) -> Option<Frames> {
        let mut next = *frames;
        match (event, frames.stage) {
            (Event::Use(i), _) => next.owner[i] = Owner::Program,
            (Event::Write(i), _) => next.dirty[frames.backed[i]?] = true,
            (Event::Drop(i), _) => next.owner[i] = Owner::Free,
            // The notifier leaves a note if the lock is taken, and waits for nobody.
            (Event::OutOfMemory, stage) => {
                next.waits = self.0 == Flaw::NotifierLocks && stage != Stage::Idle;
                next.needs |= matches!(stage, Stage::Allocating | Stage::Allocated(..));
            }
            (Event::Take, _) => next.stage = Stage::Allocating,
            (Event::Allocate(None), _) | (Event::Populate(None), _) => next.stage = Stage::Idle,
            (Event::Allocate(Some((first, len))), _) => {
                for i in first..first + len {
                    next.owner[i] = Owner::Step;
                    if let Some(frame) = frames.backed[i] {
                        next.dirty[frame] &= self.0 == Flaw::NotZeroed;
                    }
                }
                next.stage = Stage::Allocated(first, len);
            }
            (Event::Unmap, Stage::Allocated(first, len))
                if frames.needs && self.0 != Flaw::Hoards =>
            {
                next.owner[first..first + len].fill(Owner::Free);
                next.stage = Stage::Idle;
            }
            (Event::Unmap, Stage::Allocated(first, len)) => {
                next.hoarded |= frames.needs;
                next.mapped[first..first + len].fill(self.0 == Flaw::StillMapped);
                next.stage = Stage::Unmapped(first, len);
            }
            (Event::Decrease(gone), Stage::Unmapped(first, len)) => {
                next.decrease(first, gone);
                next.stage = Stage::Decreased(first, len, gone);
            }
            (Event::Account, Stage::Decreased(first, len, gone)) => {
                next.account(self.0, (first, len, gone));
                next.stage = Stage::Idle;
            }
            (Event::Give, _) => next.stage = Stage::Giving,
            (Event::Populate(Some(i)), _) => {
                next.populate(i);
                next.stage = Stage::Populated(i);
            }
            (Event::Map(true), Stage::Populated(i)) => {
                next.mapped[i] = self.0 != Flaw::FreedUnmapped;
                next.stage = Stage::Mapped(i);
            }
            (Event::Map(false), Stage::Populated(i)) => {
                // What it holds now is not the guest's yet.
                let frame = frames.backed[i]?;
                next.dirty[frame] = false;
                next.decrease(i, 1);
                next.owner[i] = Owner::Held;
                next.stage = Stage::Idle;
            }
            (Event::Release, Stage::Mapped(i)) => {
                next.owner[i] = Owner::Free;
                next.stage = Stage::Idle;
            }
            _ => return None,
        }
        if next.stage == Stage::Idle {
            next.waits = false;
            next.needs = false;
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("S2", |_, frames: &Frames| frames.keeps(Law::S2)),
            Property::always("S6", |_, frames: &Frames| frames.keeps(Law::S6)),
            Property::always("S7", |_, frames: &Frames| frames.keeps(Law::S7)),
            Property::always("S10", |_, frames: &Frames| frames.keeps(Law::S10)),
        ]
    }
}
