// SPDX-License-Identifier: GPL-2.0

//! What becomes of mapped blocks, case by case. That nothing is lost whatever happens is shown in
//! `shared-area-fuzz`.

use shared_area::area::cache::{Added, Cache, Found, Key, Pressure, Request, Slot, Violation};
use shared_area::area::wire::{Message, RefList, RunList, BATCH, MESSAGE_MAX};

type Plain = Cache<Vec<Slot>, Vec<Request>>;

const TREE: u8 = 7;

fn cache(slots: usize, requests: usize) -> Plain {
    Cache::new(
        vec![Slot::default(); slots],
        vec![Request::new(); requests],
        1,
    )
}

fn key(block: u32) -> Key {
    Key { tree: TREE, block }
}

/// Asks for blocks. Returns the request.
fn ask(cache: &mut Plain, blocks: impl IntoIterator<Item = u32>) -> u32 {
    let request = cache.request(TREE).unwrap();
    for block in blocks {
        assert_eq!(cache.add(request, block), Added::Yes, "{block}");
    }
    assert!(cache.send(request).is_some());
    request
}

/// Grants as many blocks. Returns the slots, which are to be mapped, and what is given back.
fn grant(cache: &mut Plain, request: u32, count: u32) -> Result<(Vec<u32>, RunList), Violation> {
    let mut refs = RefList::new();
    (0..count).for_each(|reference| assert!(refs.push(Some(reference))));
    let (mut slots, mut back) = (Vec::new(), RunList::new());
    let map = |slot, _| slots.push(slot);
    let mapping = cache.granted(request, refs.refs().unwrap(), map, &mut back)?;
    assert_eq!(mapping as usize, slots.len());
    Ok((slots, back))
}

/// Asks for blocks and maps them. Returns their slots.
fn fetch(cache: &mut Plain, blocks: std::ops::Range<u32>) -> Vec<u32> {
    let request = ask(cache, blocks.clone());
    let (slots, mut back) = grant(cache, request, blocks.len() as u32).unwrap();
    for &slot in &slots {
        assert!(!cache.mapped(request, slot, true, &mut back));
    }
    assert_eq!(back.count(), 0);
    slots
}

fn evict(cache: &mut Plain, most: u32, pressure: Pressure) -> Vec<u32> {
    let mut found = Vec::new();
    let count = cache.evict(most, pressure, |_| false, |slot| found.push(slot));
    assert_eq!(count as usize, found.len());
    found
}

#[test]
fn with_more_slots_all_stays_where_it_is() {
    let mut cache = cache(60, 2);
    let slots = fetch(&mut cache, 10..70);
    let request = cache.request(TREE).unwrap();
    assert_eq!(cache.add(request, 70), Added::NoSlot);
    assert!(cache.send(request).is_none());
    assert_eq!(cache.grow(vec![Slot::default(); 60]).len(), 60);
    assert_eq!(cache.grow(vec![Slot::default(); 80]).len(), 60);
    assert_eq!((cache.slots(), cache.used(), cache.room()), (80, 60, 20));
    for (block, &slot) in (10..70).zip(&slots) {
        assert_eq!(cache.find(key(block)), Found::Ready(slot));
        assert!(!cache.unpin(slot));
    }
    assert!((70..200).all(|block| cache.find(key(block)) == Found::Absent));
    let more = fetch(&mut cache, 100..120);
    assert!(more.iter().all(|slot| !slots.contains(slot)));
    assert_eq!(cache.used(), 80);
}

#[test]
fn a_block_is_there_from_when_it_is_asked_for() {
    let mut cache = cache(60, 2);
    let other = Key { tree: 8, block: 1 };
    let request = ask(&mut cache, 1..3);
    assert!([1, 2].iter().all(|&block| cache.is_there(key(block))));
    assert!(!cache.is_there(key(3)) && !cache.is_there(other));
    assert_eq!([TREE, 8].map(|tree| cache.count(tree)), [2, 0]);
    let (slots, _) = grant(&mut cache, request, 2).unwrap();
    for &slot in &slots {
        cache.mapped(request, slot, true, &mut RunList::new());
    }
    let [closing] = evict(&mut cache, 1, Pressure::Need)[..] else {
        panic!("not one is evicted");
    };
    let key = cache.key(closing).unwrap();
    assert!(cache.is_there(key));
    cache.closed(closing);
    assert!(!cache.is_there(key));
    assert_eq!(cache.count(TREE), 1);
}

#[test]
fn a_batch_is_one_request_and_one_map() {
    let mut cache = cache(200, 2);
    let request = cache.request(TREE).unwrap();
    for block in 0..BATCH {
        assert_eq!(cache.add(request, block), Added::Yes);
    }
    assert_eq!(cache.add(request, BATCH), Added::Full);
    let runs = cache.send(request).unwrap();
    assert_eq!(runs.iter().collect::<Vec<_>>(), [(0, BATCH)]);
    let mut bytes = [0; MESSAGE_MAX];
    let fetch = Message::Fetch {
        tree: TREE.into(),
        request,
        runs,
    };
    assert!(fetch.encode(&mut bytes).len() <= MESSAGE_MAX);
    assert_eq!(cache.find(key(5)), Found::Coming);
    let (slots, _) = grant(&mut cache, request, BATCH).unwrap();
    assert_eq!(slots.len(), BATCH as usize);
    assert_eq!(cache.find(key(5)), Found::Coming);
    for &slot in &slots {
        cache.mapped(request, slot, true, &mut RunList::new());
    }
    assert_eq!(cache.find(key(5)), Found::Ready(slots[5]));
    assert_eq!(cache.find(key(BATCH)), Found::Absent);
    assert_eq!([cache.used(), cache.idle()], [BATCH, BATCH - 1]);
}

#[test]
fn a_block_is_asked_for_once() {
    let mut cache = cache(8, 2);
    fetch(&mut cache, 0..2);
    let first = cache.request(TREE).unwrap();
    assert_eq!(cache.add(first, 1), Added::There);
    assert_eq!(cache.add(first, 2), Added::Yes);
    let second = cache.request(TREE).unwrap();
    assert_eq!(cache.add(second, 2), Added::There);
    assert_eq!(cache.request(TREE), None);
    // A request for nothing is none.
    assert_eq!(cache.send(second), None);
    assert_eq!(cache.request(TREE), Some(second));
    assert_eq!(cache.add(9, 5), Added::Full);
    assert_eq!(cache.send(9), None);
}

#[test]
fn what_others_know_to_be_used_goes_last() {
    let mut cache = cache(3, 1);
    let slots = fetch(&mut cache, 0..3);
    assert!(evict(&mut cache, 3, Pressure::Idle).is_empty());
    let mut asked = Vec::new();
    let mut found = Vec::new();
    let used = |slot| {
        asked.push(slot);
        slot == slots[1]
    };
    cache.evict(3, Pressure::Idle, used, |slot| found.push(slot));
    assert_eq!(asked, slots);
    assert_eq!(found, [slots[0], slots[2]]);
    // What is new was used, and the others are asked all the same: they forget.
    let mut cache = self::cache(1, 1);
    fetch(&mut cache, 0..1);
    let mut asked = 0;
    let used = |_| {
        asked += 1;
        true
    };
    assert_eq!(cache.evict(1, Pressure::Idle, used, |_| ()), 0);
    assert_eq!(asked, 1);
    assert_eq!(evict(&mut cache, 1, Pressure::Idle).len(), 1);
}

#[test]
fn what_was_used_lately_goes_last() {
    let mut cache = cache(4, 1);
    let slots = fetch(&mut cache, 0..4);
    // All are new: the first look only says so.
    assert!(evict(&mut cache, 4, Pressure::Idle).is_empty());
    let Found::Ready(used) = cache.find(key(2)) else {
        panic!();
    };
    assert!(!cache.unpin(used));
    assert_eq!(
        evict(&mut cache, 4, Pressure::Idle),
        [slots[0], slots[1], slots[3]]
    );
    assert_eq!(cache.find(key(0)), Found::Going);
    assert_eq!(cache.closed(slots[0]), Some(key(0)));
    assert_eq!(cache.closed(slots[0]), None);
    assert_eq!(cache.find(key(0)), Found::Absent);
    // If there must be room, it goes as well; but not while it is pinned.
    assert_eq!(cache.find(key(2)), Found::Ready(used));
    assert!(evict(&mut cache, 4, Pressure::Need).is_empty());
    assert!(!cache.unpin(used));
    assert_eq!(evict(&mut cache, 4, Pressure::Need), [used]);
}

#[test]
fn there_are_no_more_blocks_than_slots() {
    let mut cache = cache(4, 2);
    fetch(&mut cache, 0..3);
    assert_eq!((cache.set_limit(3), cache.room()), (0, 0));
    let request = cache.request(TREE).unwrap();
    assert_eq!(cache.add(request, 3), Added::NoSlot);
    assert_eq!((cache.set_limit(9), cache.room()), (0, 1));
    assert_eq!(cache.add(request, 3), Added::Yes);
    assert_eq!(cache.add(request, 4), Added::NoSlot);
    assert_eq!((cache.set_limit(1), cache.room()), (3, 0));
    let slot = evict(&mut cache, 1, Pressure::Need)[0];
    assert_eq!(cache.add(request, 4), Added::NoSlot);
    cache.closed(slot);
    assert_eq!(cache.set_limit(4), 0);
    assert_eq!(cache.add(request, 4), Added::Yes);
}

#[test]
fn what_is_wanted_back_goes_as_soon_as_it_can() {
    let mut cache = cache(8, 2);
    let slots = fetch(&mut cache, 0..3);
    let Found::Ready(pinned) = cache.find(key(1)) else {
        panic!();
    };
    let request = ask(&mut cache, [5, 6]);
    let mut runs = RunList::new();
    assert!([0, 1, 5, 9].into_iter().all(|block| runs.push(block)));
    let mut closing = Vec::new();
    cache.withdraw(TREE + 1, runs.runs().unwrap(), |_| panic!());
    assert!(cache.is_settled());
    cache.withdraw(TREE, runs.runs().unwrap(), |slot| closing.push(slot));
    assert_eq!(closing, [slots[0]]);
    for block in [0, 1, 5] {
        assert_eq!(cache.find(key(block)), Found::Going);
    }
    assert_eq!(cache.find(key(2)), Found::Ready(slots[2]));
    // Not mapped at all, but granted: it is given back at once.
    let (mapping, back) = grant(&mut cache, request, 2).unwrap();
    assert_eq!(mapping.len(), 1);
    assert_eq!(back.runs().unwrap().blocks().collect::<Vec<_>>(), [5]);
    assert_eq!(cache.closed(slots[0]), Some(key(0)));
    assert!(!cache.is_settled());
    assert!(cache.unpin(pinned) && !cache.is_settled());
    assert_eq!(cache.closed(pinned), Some(key(1)));
    assert!(cache.is_settled());
    // While it is being mapped: it is unmapped again.
    assert_eq!(cache.retire(TREE, 0, |_| true), None);
    assert!(cache.mapped(request, mapping[0], true, &mut RunList::new()));
    assert_eq!(cache.closed(mapping[0]), Some(key(6)));
}

#[test]
fn a_tree_is_retired_in_parts() {
    let mut cache = cache(8, 2);
    let slots = fetch(&mut cache, 0..5);
    let Found::Ready(_) = cache.find(key(1)) else {
        panic!();
    };
    let (mut found, mut parts, mut next) = (Vec::new(), 0, Some(0));
    while let Some(from) = next {
        let mut room = 2;
        next = cache.retire(TREE, from, |slot| {
            found.push(slot);
            room -= 1;
            room > 0
        });
        parts += 1;
    }
    // One is pinned: it goes later.
    assert_eq!(found, [slots[0], slots[2], slots[3], slots[4]]);
    assert_eq!(parts, 3);
    assert!(cache.unpin(slots[1]));
    for slot in slots {
        assert!(cache.closed(slot).is_some());
    }
    assert!(!cache.has(TREE) && cache.is_settled());
}

#[test]
fn a_tree_is_there_until_its_last_block_is_closed() {
    let mut cache = cache(8, 2);
    assert!(!cache.has(TREE));
    let request = ask(&mut cache, [0, 1]);
    assert!(cache.has(TREE) && !cache.has(TREE + 1));
    let (slots, mut back) = grant(&mut cache, request, 2).unwrap();
    assert!(cache.has(TREE));
    for &slot in &slots {
        cache.mapped(request, slot, true, &mut back);
    }
    // One goes to have room, the other as the tree is not mounted any more.
    let evicted = evict(&mut cache, 1, Pressure::Need);
    let mut retired = Vec::new();
    let take = |slot| {
        retired.push(slot);
        true
    };
    assert_eq!(cache.retire(TREE, 0, take), None);
    assert_eq!((evicted.len(), retired.len()), (1, 1));
    cache.closed(retired[0]);
    assert!(cache.has(TREE));
    cache.closed(evicted[0]);
    assert!(!cache.has(TREE));
}

#[test]
fn what_cannot_be_had_is_free_again() {
    let mut cache = cache(4, 1);
    let request = ask(&mut cache, 0..3);
    let mut refs = RefList::new();
    [Some(1), None, Some(2)].map(|reference| assert!(refs.push(reference)));
    let (mut slots, mut back) = (Vec::new(), RunList::new());
    let map = |slot, reference| slots.push((slot, reference));
    assert_eq!(
        cache.granted(request, refs.refs().unwrap(), map, &mut back),
        Ok(2)
    );
    assert_eq!(cache.find(key(1)), Found::Absent);
    // Not mapped, but granted.
    assert!(!cache.mapped(request, slots[0].0, false, &mut back));
    assert_eq!(back.runs().unwrap().blocks().collect::<Vec<_>>(), [0]);
    assert_eq!(cache.request(TREE), None);
    cache.mapped(request, slots[1].0, true, &mut back);
    assert_eq!(slots[1].1, 2);
    let request = ask(&mut cache, [8]);
    assert_eq!(cache.refused(request), Ok(()));
    assert_eq!([cache.used(), cache.counters().failed as u32], [1, 3]);
}

#[test]
fn answers_that_cannot_be_are_violations() {
    let mut cache = cache(8, 2);
    let request = ask(&mut cache, 0..3);
    for (number, count) in [(request, 2), (request, 4), (request + 1, 3), (99, 3)] {
        assert!(grant(&mut cache, number, count).is_err());
    }
    assert_eq!(cache.refused(request + 1), Err(Violation));
    assert!(grant(&mut cache, request, 3).is_ok());
    assert!(grant(&mut cache, request, 3).is_err());
    assert_eq!(cache.refused(request), Err(Violation));
}

#[test]
fn what_is_mapped_outlives_the_link() {
    let mut cache = cache(8, 2);
    let slots = fetch(&mut cache, 0..1);
    let request = ask(&mut cache, [1]);
    cache.lost();
    assert_eq!(cache.find(key(1)), Found::Absent);
    assert!(grant(&mut cache, request, 1).is_err());
    assert_eq!(cache.find(key(0)), Found::Ready(slots[0]));
    cache.unpin(slots[0]);
    // Nobody is told.
    assert_eq!(evict(&mut cache, 1, Pressure::Need), slots);
    assert_eq!(cache.closed(slots[0]), None);
    assert_eq!(cache.used(), 0);
    assert_eq!(fetch(&mut cache, 0..1), slots);
    assert_eq!(evict(&mut cache, 1, Pressure::Need), slots);
    assert_eq!(cache.closed(slots[0]), Some(key(0)));
}

#[test]
fn there_may_be_no_slot_at_all() {
    let mut cache = cache(0, 1);
    assert_eq!(cache.find(key(0)), Found::Absent);
    let request = cache.request(TREE).unwrap();
    assert_eq!(cache.add(request, 0), Added::NoSlot);
    assert!(evict(&mut cache, 1, Pressure::Need).is_empty());
    assert!(!cache.unpin(0) && cache.closed(0).is_none());
}
