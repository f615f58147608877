// SPDX-License-Identifier: GPL-2.0

//! Entries in memory that is handed in, found by a key.

use core::ops::DerefMut;

/// A bit of [`Links::next`]: the entry is used.
const USED: u32 = 1 << 31;

/// So many entries there can be.
const MOST: usize = (USED - 1) as usize;

/// Where an entry is among the others.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Links {
    /// The next one in the same chain, or the next free one; plus one, so that zero is none. With
    /// [`USED`].
    next: u32,
    /// The first one in the chain that begins here; plus one.
    head: u32,
}

impl Links {
    const fn is_used(self) -> bool {
        self.next & USED != 0
    }

    const fn next(self) -> u32 {
        self.next & !USED
    }

    fn set_next(&mut self, next: u32) {
        self.next = self.next & USED | next;
    }
}

/// An entry.
pub(super) trait Linked: Copy + Default + 'static {
    /// What it is found by.
    type Key: Copy + PartialEq;

    /// Returns what it is found by.
    fn key(&self) -> Self::Key;

    /// Returns a number that is mostly another one for another key.
    fn number(key: Self::Key) -> u64;

    /// Returns where it is.
    fn links(&self) -> Links;

    /// Changes where it is.
    fn links_mut(&mut self) -> &mut Links;
}

/// The entries.
///
/// # Invariants
///
/// Each entry is in one chain: in the one of its key if it is used, else in that of the free ones.
pub(super) struct Table<S> {
    entries: S,
    free: u32,
    used: u32,
    seed: u64,
}

impl<T, S> Table<S>
where
    T: Linked,
    S: DerefMut<Target = [T]>,
{
    /// Returns a table without entries. `seed` is what nobody can guess who chooses keys.
    pub(super) fn new(mut entries: S, seed: u64) -> Self {
        entries.fill(T::default());
        let mut this = Self {
            entries,
            free: 0,
            used: 0,
            seed,
        };
        this.link();
        this
    }

    /// Puts all entries, with their indexes, into memory that has room for more. Returns the memory
    /// where they were; or that which was handed in, if it has no more room.
    pub(super) fn grow(&mut self, mut entries: S) -> S {
        if entries.len() <= self.entries.len() {
            return entries;
        }
        entries.fill(T::default());
        for (to, from) in entries.iter_mut().zip(self.entries.iter()) {
            *to = *from;
        }
        let old = core::mem::replace(&mut self.entries, entries);
        self.link();
        old
    }

    /// Makes the chains.
    fn link(&mut self) {
        self.free = 0;
        for entry in self.entries.iter_mut() {
            let links = entry.links_mut();
            links.head = 0;
            links.set_next(0);
        }
        // INVARIANT: Each is put into the chain that it belongs to, the first free one at the front.
        for index in (0..self.count()).rev() {
            let Some(entry) = self.any(index) else {
                continue;
            };
            if entry.links().is_used() {
                let bucket = self.bucket(entry.key());
                let head = self.any(bucket).map_or(0, |entry| entry.links().head);
                if let Some(links) = self.links_mut(index) {
                    links.set_next(head);
                }
                if let Some(links) = self.links_mut(bucket) {
                    links.head = index + 1;
                }
            } else {
                let free = self.free;
                if let Some(links) = self.links_mut(index) {
                    links.set_next(free);
                }
                self.free = index + 1;
            }
        }
    }

    /// Returns how many entries there can be.
    pub(super) fn count(&self) -> u32 {
        self.entries.len().min(MOST) as u32
    }

    /// Returns how many there are.
    pub(super) const fn used(&self) -> u32 {
        self.used
    }

    /// Returns the entry with that index, if it is used.
    pub(super) fn get(&self, index: u32) -> Option<&T> {
        self.any(index).filter(|entry| entry.links().is_used())
    }

    /// Returns the entry with that index, if it is used. Its key is not to be changed.
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        let entry = self.entries.get_mut(index as usize);
        entry.filter(|entry| entry.links().is_used())
    }

    /// Returns the index of the entry with that key.
    pub(super) fn find(&self, key: T::Key) -> Option<u32> {
        let mut at = self.any(self.bucket(key))?.links().head.checked_sub(1)?;

        loop {
            let entry = self.any(at)?;
            if entry.key() == key {
                return Some(at);
            }
            at = entry.links().next().checked_sub(1)?;
        }
    }

    /// Adds an entry, whose key no other one has. Returns its index, or [`None`] if there is no room.
    pub(super) fn add(&mut self, entry: T) -> Option<u32> {
        let taken = self.free.checked_sub(1)?;
        let bucket = self.bucket(entry.key());
        let next = self.any(bucket)?.links().head;
        let vacant = self.any(taken)?.links();

        let place = self.entries.get_mut(taken as usize)?;
        *place = entry;
        *place.links_mut() = Links {
            next: next | USED,
            head: vacant.head,
        };
        // INVARIANT: It goes from one chain to the other.
        self.free = vacant.next();
        self.links_mut(bucket)?.head = taken + 1;
        self.used += 1;
        Some(taken)
    }

    /// Removes an entry, and returns it.
    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let entry = *self.get(index)?;

        self.skip(self.bucket(entry.key()), index, entry.links().next());
        let free = self.free;
        let place = self.entries.get_mut(index as usize)?;
        let head = place.links().head;
        *place = T::default();
        // INVARIANT: It goes from one chain to the other.
        *place.links_mut() = Links { next: free, head };
        self.free = index + 1;
        self.used = self.used.saturating_sub(1);
        Some(entry)
    }

    /// Makes what leads to an entry, in the chain of a bucket, lead to the one behind it.
    fn skip(&mut self, bucket: u32, index: u32, behind: u32) {
        let target = index + 1;
        let Some(first) = self.links_mut(bucket) else {
            return;
        };
        if first.head == target {
            first.head = behind;
            return;
        }
        let mut at = first.head;
        while let Some(links) = at.checked_sub(1).and_then(|at| self.links_mut(at)) {
            if links.next() == target {
                links.set_next(behind);
                return;
            }
            at = links.next();
        }
    }

    fn any(&self, index: u32) -> Option<&T> {
        self.entries.get(index as usize)
    }

    fn links_mut(&mut self, index: u32) -> Option<&mut Links> {
        self.entries.get_mut(index as usize).map(T::links_mut)
    }

    /// Returns the entry where the chain of a key begins.
    fn bucket(&self, key: T::Key) -> u32 {
        let mixed = (T::number(key) ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);

        // Less than the number of entries.
        (((mixed >> 32) * u64::from(self.count())) >> 32) as u32
    }
}
