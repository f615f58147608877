// SPDX-License-Identifier: GPL-2.0

//! Two honest ends, driven in any order while segments come and go: every byte arrives once and in
//! its place, and as long as there is something to do nobody sleeps.

use proptest::prelude::*;
use socket_link::link::packet::{self, Header, EOR, HEADER};
use socket_link::link::ring::{Consumer, Producer};
use socket_link::link::segment::{Place, Size};
use socket_link::plain::Words;

/// The largest segment here: 64 KiB.
const MAX_ORDER: u8 = 4;

/// What one end does next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The producer writes up to so many bytes, in one or two pieces, or waits for so much room.
    Write(u32, bool),
    /// The consumer reads up to so many bytes, in one or two pieces, or waits for so many.
    Read(u32, bool),
    /// Another segment is offered, if there is room for one.
    Offer(u8),
    /// The producer goes over to it, if it can.
    Switch,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = || prop_oneof![1..100u32, 1..5000u32, 1..70_000u32];
    let step = prop_oneof![
        8 => (bytes(), any::<bool>()).prop_map(|(bytes, twice)| Step::Write(bytes, twice)),
        8 => (bytes(), any::<bool>()).prop_map(|(bytes, twice)| Step::Read(bytes, twice)),
        2 => (0..=MAX_ORDER).prop_map(Step::Offer),
        2 => Just(Step::Switch),
    ];
    prop::collection::vec(step, 1..200)
}

/// Who sleeps, and whether an event is under way.
#[derive(Default)]
struct Sleeper {
    sleeps: bool,
    event: bool,
}

impl Sleeper {
    /// Whether it is awake, or is woken now.
    fn awake(&mut self) -> bool {
        if self.sleeps && self.event {
            (self.sleeps, self.event) = (false, false);
        }
        !self.sleeps
    }
}

struct World {
    words: Words,
    producer: Producer,
    consumer: Consumer,
    segments: [Vec<u8>; 2],
    offered: Option<Size>,
    writer: Sleeper,
    reader: Sleeper,
    written: u64,
    read: u64,
    switches: u32,
}

/// The byte at an index of the stream.
const fn byte(at: u64) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16)).wrapping_mul(167) as u8
}

/// Copies to a place as a driver does.
fn copy_in(segments: &mut [Vec<u8>; 2], place: &Place, bytes: &[u8]) {
    let (first, second) = bytes.split_at(place.first as usize);
    let (offset, memory) = (place.offset as usize, &mut segments[place.slot]);
    memory[offset..offset + first.len()].copy_from_slice(first);
    memory[..second.len()].copy_from_slice(second);
}

fn copy_out(segments: &[Vec<u8>; 2], place: &Place) -> Vec<u8> {
    let (offset, memory) = (place.offset as usize, &segments[place.slot]);
    let first = &memory[offset..offset + place.first as usize];
    [first, &memory[..place.second as usize]].concat()
}

impl World {
    /// Both ends, after `before` pages have gone through.
    fn new(before: u32) -> Self {
        let mut world = Self {
            words: Words::default(),
            producer: Producer::new(Size::MIN),
            consumer: Consumer::new(Size::MIN),
            segments: [vec![0; 4096], Vec::new()],
            offered: None,
            writer: Sleeper::default(),
            reader: Sleeper::default(),
            written: 0,
            read: 0,
            switches: 0,
        };
        for _ in 0..before {
            world.producer.free(&world.words).unwrap();
            world.producer.publish(&world.words, 4096).unwrap();
            world.consumer.available(&world.words).unwrap();
            world.consumer.release(&world.words, 4096).unwrap();
        }
        world
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Write(bytes, twice) => self.write(bytes, twice),
            Step::Read(bytes, twice) => self.read(bytes, twice),
            Step::Offer(order) => self.offer(Size::from_order(order).unwrap()),
            Step::Switch => self.switch(),
        }
    }

    fn write(&mut self, bytes: u32, twice: bool) {
        if !self.writer.awake() {
            return;
        }
        if self.producer.free_for(&self.words, 1).unwrap() == 0 {
            self.writer.sleeps = !self.producer.want_space(&self.words, 1).unwrap();
            return;
        }
        let half = if twice { bytes / 2 } else { 0 };
        let places = [
            self.producer.place(half),
            self.producer.place_after(half, bytes - half),
        ];
        let mut len = 0;
        for place in places {
            let data: Vec<_> = (0..place.len())
                .map(|at| byte(self.written + u64::from(at)))
                .collect();
            copy_in(&mut self.segments, &place, &data);
            self.written += u64::from(place.len());
            len += place.len();
        }
        self.reader.event |= self.producer.publish(&self.words, len).unwrap();
    }

    fn read(&mut self, bytes: u32, twice: bool) {
        if !self.reader.awake() {
            return;
        }
        if !self.consumer.has_more_than(&self.words, 0).unwrap() {
            self.reader.sleeps = !self.consumer.want_data(&self.words, bytes).unwrap();
        }
        self.let_go();
        let half = if twice { bytes / 2 } else { 0 };
        let first = self.consumer.place(half);
        self.check(0, &first);
        // Also what lies beyond a switch can be looked at, but not released before it is reached.
        let second = self.consumer.place_after(half, bytes - half);
        self.check(half, &second);
        let len = self.consumer.place(bytes).len();
        self.writer.event |= self.consumer.release(&self.words, len).unwrap();
        self.read += u64::from(len);
        self.let_go();
    }

    fn check(&self, skip: u32, place: &Place) {
        let found = copy_out(&self.segments, place);
        let start = self.read + u64::from(skip);
        let meant: Vec<_> = (0..place.len())
            .map(|at| byte(start + u64::from(at)))
            .collect();
        assert!(found == meant, "{place:?} from {start}");
    }

    /// Frees the segment that the consumer has left.
    fn let_go(&mut self) {
        if let Some(slot) = self.consumer.crossed() {
            assert_ne!(slot, self.consumer.slot());
            self.segments[slot] = Vec::new();
        }
    }

    fn offer(&mut self, size: Size) {
        self.let_go();
        let slot = self.consumer.slot() ^ 1;
        if self.offered.is_none() && self.consumer.offered(size) {
            assert!(self.segments[slot].is_empty());
            self.segments[slot] = vec![0xee; size.bytes() as usize];
            self.offered = Some(size);
        }
    }

    fn switch(&mut self) {
        let Some(size) = self.offered else { return };
        if self.producer.switch(&self.words, size).unwrap() {
            self.offered = None;
            self.switches += 1;
            self.reader.event = true;
        }
    }

    /// Lets both go on until all is read and the end is seen.
    fn drain(&mut self) {
        self.producer.finish(&self.words);
        self.reader.event = true;
        for _ in 0..100 {
            if self.consumer.finished(&self.words).unwrap() {
                break;
            }
            self.read(1 << 20, false);
        }
        assert_eq!(self.consumer.finished(&self.words), Ok(true));
        assert_eq!(self.read, self.written);
        assert_eq!(self.producer.unread(&self.words), Ok(0));
    }

    /// Whether both sleep though no event is under way.
    fn stuck(&self) -> bool {
        self.writer.sleeps && !self.writer.event && self.reader.sleeps && !self.reader.event
    }
}

/// Page counts after which indices are small, or near to wrapping around.
fn before() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), (1u32 << 20) - 20..1 << 20]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_byte_arrives(before in before(), steps in steps()) {
        let mut world = World::new(before);
        for step in steps {
            world.step(step);
            prop_assert!(!world.stuck());
        }
        world.drain();
    }

    /// Both do all they can, and wait when they can do nothing: as much as is wanted comes through.
    #[test]
    fn nobody_sleeps_for_ever(
        steps in steps(),
        (ahead, behind) in (1..70_000u32, 1..70_000u32),
    ) {
        let mut world = World::new(0);
        let mut left = 200;
        for step in steps.iter().cycle().take(20_000) {
            world.step(*step);
            world.step(Step::Write(ahead, false));
            world.step(Step::Read(behind, false));
            prop_assert!(!world.stuck());
            left = if world.read > 1 << 20 { 0 } else { left };
            if left == 0 {
                break;
            }
        }
        prop_assert!(world.read > 1 << 20, "{} of {}", world.read, world.written);
        world.drain();
    }

    #[test]
    fn packets_arrive_whole(
        lens in prop::collection::vec(prop_oneof![0..40u32, 0..4089u32], 1..100),
        orders in prop::collection::vec(0..=MAX_ORDER, 1..20),
        lag in 1..6usize,
    ) {
        let mut world = World::new(0);
        let (mut sent, mut got) = (0, 0);
        let mut orders = orders.into_iter();
        while got < lens.len() {
            while sent < lens.len() && sent < got + lag && world.send(sent as u16, lens[sent]) {
                sent += 1;
            }
            if let Some(order) = orders.next() {
                world.offer(Size::from_order(order).unwrap());
                world.switch();
            }
            prop_assert_eq!(world.receive(), Some((got as u16, lens[got])));
            got += 1;
        }
        prop_assert_eq!(world.receive(), None);
    }
}

impl World {
    fn send(&mut self, kind: u16, len: u32) -> bool {
        let room = packet::room(&mut self.producer, &self.words, len).unwrap();
        let Some(room) = room else { return false };
        let header = Header {
            len,
            flags: EOR,
            kind,
        };
        copy_in(&mut self.segments, &room.header, &header.encode());
        let payload: Vec<_> = (0..len)
            .map(|at| byte(u64::from(at) + u64::from(kind)))
            .collect();
        copy_in(&mut self.segments, &room.payload, &payload);
        self.producer.publish(&self.words, room.footprint).unwrap();
        true
    }

    fn receive(&mut self) -> Option<(u16, u32)> {
        let segments = &self.segments;
        let read = |place: &Place, to: &mut [u8; HEADER as usize]| {
            to.copy_from_slice(&copy_out(segments, place));
        };
        let packet = packet::peek(&mut self.consumer, &self.words, 0, 4088, read).unwrap();
        self.let_go();
        let packet = packet?;
        let Header { len, kind, .. } = packet.header;
        let meant: Vec<_> = (0..len)
            .map(|at| byte(u64::from(at) + u64::from(kind)))
            .collect();
        assert!(copy_out(&self.segments, &packet.payload) == meant);
        self.consumer
            .release(&self.words, packet.footprint)
            .unwrap();
        self.let_go();
        Some((kind, len))
    }
}
