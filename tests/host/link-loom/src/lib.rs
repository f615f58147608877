// SPDX-License-Identifier: GPL-2.0

//! Shared memory under loom, which tries every order in which two domains may see each other's
//! words. One ordering at a time can be taken away, to see that it is needed.
//!
//! The bytes of a segment are a few [`Cell`]s, which loom watches: whoever touches one without
//! knowing of what the other end did to it before is found out. Loom runs all of its threads on one
//! of the system's, so they share by [`Rc`].

use loom::cell::Cell;
use loom::sync::Notify;
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use loom::thread;
use socket_link::link::doorbell::Bits;
use socket_link::link::ring::{Fence, Field, Lines};
use socket_link::link::segment::{Place, Size};
use socket_link::plain::FIELDS;
use std::rc::Rc;

/// What is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weak {
    /// Nothing: all must be well.
    Nothing,
    /// The acquire ordering of a word's loads.
    Load(Field),
    /// The release ordering of a word's stores.
    Store(Field),
    /// A full barrier.
    Barrier(Fence),
    /// The second look, after asking for an event.
    Recheck(Fence),
    /// The release ordering of a doorbell's words.
    Set,
    /// The acquire ordering of a doorbell's words.
    Take,
    /// That a doorbell's word is set before its summary.
    SetFirst,
}

/// Runs `scene` in every order, up to `preemptions` switches that no thread asked for.
pub fn explore(preemptions: usize, scene: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(scene);
}

/// The words of one direction, as one end sees them.
pub struct Words {
    words: Rc<Vec<AtomicU32>>,
    weak: Weak,
    /// The value of each word at its last load, and whether the next one is to return it again.
    last: std::cell::RefCell<[(u32, bool); FIELDS.len()]>,
}

impl Words {
    /// Returns the words, all zero, as both ends see them.
    pub fn pair(weak: Weak) -> (Self, Self) {
        let words: Rc<Vec<_>> = Rc::new(FIELDS.iter().map(|_| AtomicU32::new(0)).collect());
        let end = |words| Self {
            words,
            weak,
            last: [(0, false); FIELDS.len()].into(),
        };
        (end(words.clone()), end(words))
    }

    fn read(&self, field: Field, order: Ordering) -> u32 {
        let last = &mut self.last.borrow_mut()[field as usize];
        if !last.1 {
            last.0 = self.words[field as usize].load(order);
        }
        last.1 = false;
        last.0
    }

    fn write(&self, field: Field, value: u32, order: Ordering) {
        self.words[field as usize].store(value, order);
    }
}

impl Lines for Words {
    fn load(&self, field: Field) -> u32 {
        self.read(field, Ordering::Relaxed)
    }

    fn load_acquire(&self, field: Field) -> u32 {
        let weak = self.weak == Weak::Load(field);
        self.read(
            field,
            if weak {
                Ordering::Relaxed
            } else {
                Ordering::Acquire
            },
        )
    }

    fn store(&self, field: Field, value: u32) {
        self.write(field, value, Ordering::Relaxed);
    }

    fn store_release(&self, field: Field, value: u32) {
        let weak = self.weak == Weak::Store(field);
        self.write(
            field,
            value,
            if weak {
                Ordering::Relaxed
            } else {
                Ordering::Release
            },
        );
    }

    fn barrier(&self, why: Fence) {
        if self.weak != Weak::Barrier(why) {
            fence(Ordering::SeqCst);
        }
        if self.weak == Weak::Recheck(why) {
            for last in self.last.borrow_mut().iter_mut() {
                last.1 = true;
            }
        }
    }
}

/// Bytes that one cell stands for.
pub const CELL: u32 = 2048;

/// The two segments of a direction, of a page each.
#[derive(Clone)]
pub struct Segments(Rc<[[Cell<u32>; 2]; 2]>);

impl Segments {
    /// Returns both, all zero.
    pub fn new() -> Self {
        let cells = || [Cell::new(0), Cell::new(0)];
        Self(Rc::new([cells(), cells()]))
    }

    /// Returns the cell at a place of the length of one.
    pub fn at(&self, place: &Place) -> &Cell<u32> {
        assert_eq!((place.first, place.second), (CELL, 0));
        assert!(place.offset < Size::MIN.bytes());
        &self.0[place.slot][(place.offset / CELL) as usize]
    }
}

impl Default for Segments {
    fn default() -> Self {
        Self::new()
    }
}

/// An event channel in one direction: what is sent before anybody waits is not lost.
#[derive(Clone)]
pub struct Event(Rc<Notify>);

impl Event {
    /// Returns a channel through which nothing was sent.
    pub fn new() -> Self {
        Self(Rc::new(Notify::new()))
    }

    /// Sends an event.
    pub fn send(&self) {
        self.0.notify();
    }

    /// Sends an event if it is needed.
    pub fn send_if(&self, needed: bool) {
        if needed {
            self.send();
        }
    }

    /// Sleeps until there is an event. If there never will be, loom says so.
    pub fn wait(&self) {
        self.0.wait();
    }
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

/// A doorbell of a single word.
#[derive(Clone)]
pub struct Bell {
    summary: Rc<AtomicU64>,
    word: Rc<AtomicU64>,
    weak: Weak,
}

impl Bell {
    /// Returns a doorbell that nobody rang.
    pub fn new(weak: Weak) -> Self {
        Self {
            summary: Rc::new(AtomicU64::new(0)),
            word: Rc::new(AtomicU64::new(0)),
            weak,
        }
    }
}

impl Bits for Bell {
    fn set_summary(&self, bits: u64) -> u64 {
        self.summary.fetch_or(bits, Ordering::AcqRel)
    }

    fn take_summary(&self) -> u64 {
        self.summary.swap(0, Ordering::AcqRel)
    }

    fn set(&self, word: usize, bits: u64) {
        assert_eq!(word, 0);
        let order = if self.weak == Weak::Set {
            Ordering::Relaxed
        } else {
            Ordering::AcqRel
        };
        if self.weak == Weak::SetFirst {
            // Happens at some time, perhaps after what follows in the program.
            let word = self.word.clone();
            thread::spawn(move || word.fetch_or(bits, order));
        } else {
            self.word.fetch_or(bits, order);
        }
    }

    fn take(&self, word: usize) -> u64 {
        assert_eq!(word, 0);
        let order = if self.weak == Weak::Take {
            Ordering::Relaxed
        } else {
            Ordering::AcqRel
        };
        self.word.swap(0, order)
    }
}
