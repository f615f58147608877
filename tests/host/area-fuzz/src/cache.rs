// SPDX-License-Identifier: GPL-2.0

//! A member's mapped blocks, with an owner that says anything and a driver that is slow: whatever
//! happens, what is mapped is known, nothing pinned is unmapped, and each grant is given back once.

use shared_area::area::cache::{Added, Cache, Found, Key, Pressure, Request, Slot};
use shared_area::area::wire::{MESSAGE_MAX, Message, NO_GRANT, RefList, RunList};
use socket_link_fuzz::bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

const SLOTS: usize = 12;
const FEW_SLOTS: usize = 3;
const REQUESTS: usize = 3;
const TREES: u8 = 2;
const BLOCKS: u8 = 20;

/// What the driver and the hypervisor know.
struct World<'a> {
    bytes: Bytes<'a>,
    cache: Cache<Vec<Slot>, Vec<Request>>,
    /// Requests that the owner has not answered.
    asked: BTreeMap<u32, Vec<Key>>,
    /// Slots to be mapped: for which request, which block.
    mapping: BTreeMap<u32, (u32, Key)>,
    /// What is mapped: the block, how many use it, whether it is to be unmapped.
    mapped: BTreeMap<u32, (Key, u32, bool)>,
    /// What the owner has granted through the link that there is.
    granted: BTreeSet<Key>,
    /// What it wants back.
    wanted: BTreeSet<Key>,
    wrong: u64,
}

/// Plays an owner against a member.
pub fn attack(bytes: &[u8]) -> u64 {
    let mut bytes = Bytes::new(bytes);
    let seed = bytes.byte().into();
    let (slots, requests) = (
        vec![Slot::default(); FEW_SLOTS],
        vec![Request::new(); REQUESTS],
    );
    let mut world = World {
        bytes,
        cache: Cache::new(slots, requests, seed),
        asked: BTreeMap::new(),
        mapping: BTreeMap::new(),
        mapped: BTreeMap::new(),
        granted: BTreeSet::new(),
        wanted: BTreeSet::new(),
        wrong: 0,
    };
    while !world.bytes.is_empty() {
        world.step();
        world.check();
    }
    world.end();
    world.wrong
}

impl World<'_> {
    fn step(&mut self) {
        match self.bytes.byte() {
            0..=69 => self.find(),
            70..=109 => self.ask(),
            110..=149 => self.hear(),
            150..=189 => self.map(),
            190..=209 => self.unpin(),
            210..=224 => self.evict(),
            225..=244 => self.close(),
            245..=249 => self.retire(),
            250..=251 => self.lose(),
            252..=253 => self.grow(),
            _ => {
                self.cache.set_limit(self.bytes.byte().into());
            }
        }
    }

    fn key(&mut self) -> Key {
        Key {
            tree: self.bytes.byte() % TREES,
            block: (self.bytes.byte() % BLOCKS).into(),
        }
    }

    /// One of so many things.
    fn one(&mut self, of: usize) -> Option<usize> {
        (of > 0).then(|| usize::from(self.bytes.byte()) % of)
    }

    fn is_asked(&self, key: Key) -> bool {
        self.asked.values().flatten().any(|&asked| asked == key)
    }

    fn is_mapping(&self, key: Key) -> bool {
        self.mapping.values().any(|&(_, mapping)| mapping == key)
    }

    fn slot(&self, key: Key) -> Option<u32> {
        let mut all = self.mapped.iter();
        all.find(|(_, mapped)| mapped.0 == key)
            .map(|(&slot, _)| slot)
    }

    fn find(&mut self) {
        let key = self.key();
        let coming = self.is_asked(key) || self.is_mapping(key);
        let slot = self.slot(key);
        match self.cache.find(key) {
            Found::Ready(found) => {
                assert!(slot == Some(found) && !self.wanted.contains(&key));
                let mapped = self.mapped.get_mut(&found).unwrap();
                assert!(!mapped.2);
                mapped.1 += 1;
            }
            Found::Coming => assert!(coming && slot.is_none()),
            Found::Going => {
                let closing = slot.is_some_and(|slot| self.mapped[&slot].2);
                assert!(closing || self.wanted.contains(&key));
            }
            Found::Absent => assert!(!coming && slot.is_none()),
        }
    }

    fn ask(&mut self) {
        let tree = self.key().tree;
        let Some(request) = self.cache.request(tree) else {
            let under_way: BTreeSet<_> =
                self.mapping.values().map(|&(request, _)| request).collect();
            assert_eq!(self.asked.len() + under_way.len(), REQUESTS);
            return;
        };
        let mut added = Vec::new();
        for _ in 0..self.bytes.byte() % 8 {
            let key = Key { tree, ..self.key() };
            let known = self.is_asked(key)
                || self.is_mapping(key)
                || self.slot(key).is_some()
                || added.contains(&key);
            match self.cache.add(request, key.block) {
                Added::Yes => {
                    assert!(!known);
                    added.push(key);
                }
                Added::There => assert!(known),
                Added::NoSlot => assert!(!known),
                Added::Full => unreachable!(),
            }
        }
        let runs = self.cache.send(request);
        let blocks: Vec<_> = runs.into_iter().flat_map(|runs| runs.blocks()).collect();
        assert!(blocks.iter().copied().eq(added.iter().map(|key| key.block)));
        if !added.is_empty() {
            assert!(self.asked.insert(request, added).is_none());
        }
    }

    /// A message of the owner's: any bytes, or one that is nearly right.
    fn hear(&mut self) {
        let mut payload = [0; MESSAGE_MAX];
        let kind = u16::from(self.bytes.byte() % 16);
        let likely = u32::from(self.bytes.byte()) % (REQUESTS as u32 + 1);
        let mut words = vec![likely];
        match kind {
            7 => {
                let count = self.asked.get(&likely).map_or(1, Vec::len) as u32;
                for _ in 0..self.bytes.like(count) % 130 {
                    let refused = self.bytes.byte() < 30;
                    words.push(if refused { NO_GRANT } else { 5 });
                }
            }
            9 => {
                let key = self.key();
                words = vec![
                    key.tree.into(),
                    0,
                    key.block,
                    (self.bytes.byte() % 4).into(),
                ];
            }
            _ => words.push(self.bytes.word()),
        }
        let bytes: Vec<_> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let len = bytes.len().min(MESSAGE_MAX);
        payload[..len].copy_from_slice(&bytes[..len]);
        let Ok(message) = Message::decode(kind, &payload[..len]) else {
            self.wrong += 1;
            return;
        };
        let mut again = [0; MESSAGE_MAX];
        assert!(kind == 5 || message.encode(&mut again) == &payload[..len]);
        match message {
            Message::Granted { request, refs } => {
                let grants: Vec<_> = refs.iter().collect();
                self.granted(request, &grants);
            }
            Message::Refused { request, .. } => {
                let known = self.asked.remove(&request);
                assert_eq!(self.cache.refused(request).is_ok(), known.is_some());
                for key in known.unwrap_or_default() {
                    self.wanted.remove(&key);
                }
            }
            Message::Withdraw { tree, runs, .. } => {
                let Ok(tree) = u8::try_from(tree) else {
                    return;
                };
                let keys = runs.blocks().map(|block| Key { tree, block });
                self.want(keys.collect());
                let mut closing = Vec::new();
                self.cache.withdraw(tree, runs, |slot| closing.push(slot));
                self.closing(&closing);
            }
            _ => (),
        }
    }

    fn granted(&mut self, request: u32, grants: &[Option<u32>]) {
        let mut refs = RefList::new();
        assert!(grants.iter().all(|&grant| refs.push(grant)));
        let (mut slots, mut back) = (Vec::new(), RunList::new());
        let map = |slot, _| slots.push(slot);
        let result = self
            .cache
            .granted(request, refs.refs().unwrap(), map, &mut back);
        let known = self.asked.get(&request).map_or(0, Vec::len);
        if known != grants.len() {
            self.wrong += 1;
            assert!(result.is_err() && slots.is_empty() && back.count() == 0);
            return;
        }
        assert_eq!(result, Ok(slots.len() as u32));
        let keys = self.asked.remove(&request).unwrap();
        let mut slots = slots.into_iter();
        let tree = keys[0].tree;
        for (key, grant) in keys.into_iter().zip(grants) {
            let wanted = self.wanted.contains(&key);
            if grant.is_some() {
                assert!(self.granted.insert(key), "granted twice");
            }
            if grant.is_some() && !wanted {
                let slot = slots.next().unwrap();
                assert!(!self.mapped.contains_key(&slot));
                assert!(self.mapping.insert(slot, (request, key)).is_none());
            } else {
                self.wanted.remove(&key);
            }
        }
        assert!(slots.next().is_none());
        self.release(tree, &back);
    }

    fn release(&mut self, tree: u8, back: &RunList) {
        for block in back.runs().into_iter().flat_map(|runs| runs.blocks()) {
            assert!(self.granted.remove(&Key { tree, block }), "released twice");
        }
    }

    fn map(&mut self) {
        let Some(at) = self.one(self.mapping.len()) else {
            return;
        };
        let (&slot, &(request, key)) = self.mapping.iter().nth(at).unwrap();
        self.mapping.remove(&slot);
        let success = self.bytes.byte() < 220;
        let mut back = RunList::new();
        let close = self.cache.mapped(request, slot, success, &mut back);
        assert_eq!(close, success && self.wanted.contains(&key));
        if success {
            assert!(self.mapped.insert(slot, (key, 0, close)).is_none());
        } else {
            self.wanted.remove(&key);
        }
        self.release(key.tree, &back);
    }

    fn unpin(&mut self) {
        let Some(at) = self.one(self.mapped.len()) else {
            return;
        };
        let (&slot, mapped) = self.mapped.iter_mut().nth(at).unwrap();
        let was = mapped.1;
        mapped.1 = was.saturating_sub(1);
        let close = self.cache.unpin(slot);
        assert_eq!(close, was == 1 && self.wanted.contains(&mapped.0));
        mapped.2 |= close;
    }

    fn evict(&mut self) {
        let most = u32::from(self.bytes.byte()) % 8;
        let pressure = match self.bytes.byte() & 1 {
            0 => Pressure::Idle,
            _ => Pressure::Need,
        };
        let idle = self.cache.idle();
        let mut closing = Vec::new();
        let found = self
            .cache
            .evict(most, pressure, |_| false, |slot| closing.push(slot));
        assert!(found == closing.len() as u32 && found <= most.min(idle));
        assert!(pressure == Pressure::Idle || found == most.min(idle));
        self.closing(&closing);
    }

    fn closing(&mut self, slots: &[u32]) {
        for slot in slots {
            let mapped = self.mapped.get_mut(slot).unwrap();
            assert!(mapped.1 == 0 && !mapped.2, "unmapped while it is in use");
            mapped.2 = true;
        }
    }

    fn close(&mut self) {
        let closing: Vec<_> = self.mapped.iter().filter(|(_, mapped)| mapped.2).collect();
        let closing: Vec<_> = closing
            .into_iter()
            .map(|(&slot, mapped)| (slot, mapped.0))
            .collect();
        if let Some(at) = self.one(closing.len()) {
            let (slot, key) = closing[at];
            self.mapped.remove(&slot);
            self.wanted.remove(&key);
            let told = self.cache.closed(slot);
            assert!(told.is_none_or(|told| told == key));
            assert_eq!(told.is_some(), self.granted.remove(&key));
        }
    }

    fn want(&mut self, keys: BTreeSet<Key>) {
        let known =
            |&&key: &&Key| self.is_asked(key) || self.is_mapping(key) || self.slot(key).is_some();
        let known: Vec<_> = keys.iter().filter(known).copied().collect();
        self.wanted.extend(known);
    }

    fn grow(&mut self) {
        let before = self.cache.slots() as usize;
        let more = before + usize::from(self.bytes.byte()) % 4;
        let old = self.cache.grow(vec![Slot::default(); more.min(SLOTS)]);
        assert!(old.len() == before || more == before || before == SLOTS);
        assert!(self.cache.slots() as usize == more.min(SLOTS).max(before));
    }

    fn retire(&mut self) {
        let tree = self.key().tree;
        let keys = (0..BLOCKS).map(|block| Key {
            tree,
            block: block.into(),
        });
        self.want(keys.collect());
        let mut closing = Vec::new();
        let mut next = Some(0);
        while let Some(from) = next {
            let mut room = 1 + self.bytes.byte() % BLOCKS;
            next = self.cache.retire(tree, from, |slot| {
                closing.push(slot);
                room -= 1;
                room > 0
            });
        }
        self.closing(&closing);
    }

    fn lose(&mut self) {
        self.cache.lost();
        self.granted.clear();
        for key in std::mem::take(&mut self.asked).into_values().flatten() {
            self.wanted.remove(&key);
        }
    }

    fn check(&self) {
        let asked: usize = self.asked.values().map(Vec::len).sum();
        let used = asked + self.mapping.len() + self.mapped.len();
        assert_eq!(self.cache.used() as usize, used);
        assert!(used <= SLOTS);
        let idle = |mapped: &&(Key, u32, bool)| {
            mapped.1 == 0 && !mapped.2 && !self.wanted.contains(&mapped.0)
        };
        assert_eq!(
            self.cache.idle() as usize,
            self.mapped.values().filter(idle).count()
        );
        assert_eq!(self.cache.is_settled(), self.wanted.is_empty());
    }

    /// Everything comes to an end, and nothing is left.
    fn end(&mut self) {
        while let Some(slot) = self.mapped.iter().find(|(_, mapped)| mapped.1 > 0) {
            let slot = *slot.0;
            let mapped = self.mapped.get_mut(&slot).unwrap();
            mapped.1 -= 1;
            mapped.2 |= self.cache.unpin(slot);
        }
        for request in 0..REQUESTS as u32 {
            if let Some(keys) = self.asked.remove(&request) {
                assert_eq!(self.cache.refused(request), Ok(()));
                keys.iter()
                    .for_each(|key| assert!(!self.granted.contains(key)));
            }
        }
        self.bytes = Bytes::new(&[]);
        while !self.mapping.is_empty() {
            self.map();
        }
        let mut closing = Vec::new();
        self.cache.evict(
            u32::MAX,
            Pressure::Need,
            |_| false,
            |slot| closing.push(slot),
        );
        self.closing(&closing);
        while !self.mapped.is_empty() {
            self.close();
        }
        assert!(self.granted.is_empty(), "never released");
        assert!(self.cache.used() == 0 && self.cache.is_settled());
    }
}
