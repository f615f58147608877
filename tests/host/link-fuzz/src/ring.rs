// SPDX-License-Identifier: GPL-2.0

//! Rings whose words change between any two looks.

use crate::bytes::Bytes;
use socket_link::link::packet;
use socket_link::link::ring::{Broken, Consumer, Fence, Field, Lines, Producer};
use socket_link::link::segment::{Place, Size};
use std::cell::{Cell, RefCell};

/// Words of a peer that plays along, but for some of them: those are others at each look.
struct Chaos<'a, 'b> {
    bytes: &'a RefCell<Bytes<'b>>,
    /// What each is as long as the peer plays along.
    words: [Cell<u32>; 10],
    /// How many looks of 256 find another word.
    rate: u8,
    /// How many looks have found another word.
    changed: Cell<u64>,
}

impl Chaos<'_, '_> {
    fn word(&self, field: Field) -> &Cell<u32> {
        &self.words[field as usize]
    }
}

impl Lines for Chaos<'_, '_> {
    fn load(&self, field: Field) -> u32 {
        let mut bytes = self.bytes.borrow_mut();
        if bytes.byte() < self.rate {
            self.word(field).set(bytes.like(self.word(field).get()));
            self.changed.set(self.changed.get() + 1);
        }
        self.word(field).get()
    }

    fn load_acquire(&self, field: Field) -> u32 {
        self.load(field)
    }

    fn store(&self, field: Field, value: u32) {
        self.word(field).set(value);
    }

    fn store_release(&self, field: Field, value: u32) {
        self.store(field, value);
    }

    fn barrier(&self, _: Fence) {}
}

/// What an end may touch: the sizes of its segments.
type Mapped = [Option<Size>; 2];

/// Checks that a place lies in a segment that is mapped, and is no longer than asked for.
fn check(mapped: &Mapped, place: &Place, most: u32) {
    assert!(u64::from(place.first) + u64::from(place.second) <= u64::from(most));
    if place.is_empty() {
        return;
    }
    let size = mapped[place.slot]
        .expect("a segment that is not mapped")
        .bytes();
    assert!(u64::from(place.offset) + u64::from(place.first) <= u64::from(size));
    // What is split goes up to the end, and its parts do not overlap.
    assert!(place.second == 0 || place.offset + place.first == size);
    assert!(place.second <= place.offset);
}

/// Whatever broke a ring stays what broke it.
fn same(was: Option<Broken>, is: Option<Broken>) {
    assert!(was.is_none() || was == is);
}

fn size(bytes: &RefCell<Bytes<'_>>) -> Size {
    Size::from_order(bytes.borrow_mut().byte() % 13).unwrap()
}

/// Plays a peer against an end of a ring.
pub fn attack(bytes: &[u8]) -> u64 {
    let bytes = RefCell::new(Bytes::new(bytes));
    let rate = bytes.borrow_mut().byte() / 4;
    let chaos = Chaos {
        bytes: &bytes,
        words: Default::default(),
        rate,
        changed: Cell::new(0),
    };
    if bytes.borrow_mut().byte() & 1 == 0 {
        against_producer(&chaos);
    } else {
        let packets = bytes.borrow_mut().byte() & 1 != 0;
        against_consumer(&chaos, packets);
    }
    chaos.changed.get()
}

fn against_producer(chaos: &Chaos<'_, '_>) {
    let bytes = chaos.bytes;
    let first = size(bytes);
    let mut producer = Producer::new(first);
    let mut mapped: Mapped = [Some(first), None];

    while !bytes.borrow().is_empty() && producer.broken().is_none() {
        let what = bytes.borrow_mut().byte();
        let len = bytes.borrow_mut().like(100);
        consume(chaos, &producer, len);
        let was = producer.broken();
        match what % 8 {
            0 | 1 => drop(
                producer
                    .free(chaos)
                    .map(|free| assert!(free <= producer.size().bytes())),
            ),
            2 => write(&mut producer, chaos, &mapped, len),
            3 => drop(
                producer
                    .unread(chaos)
                    .map(|unread| assert!(unread <= 2 * Size::MAX.bytes())),
            ),
            4 => drop(producer.want_space(chaos, len)),
            5 => send(&mut producer, chaos, &mapped, len),
            6 => {
                let (size, slot) = (size(bytes), producer.slot() ^ 1);
                if producer.switch(chaos, size) == Ok(true) {
                    assert_eq!(producer.slot(), slot);
                    // What is written to from now on is all that need be mapped.
                    mapped = [None; 2];
                    mapped[slot] = Some(size);
                }
            }
            _ => drop(producer.reader_gone(chaos)),
        }
        same(was, producer.broken());
    }
}

fn write(producer: &mut Producer, chaos: &Chaos<'_, '_>, mapped: &Mapped, len: u32) {
    let Ok(free) = producer.free_for(chaos, len) else {
        return;
    };
    let place = producer.place(len);
    check(mapped, &place, len.min(free));
    check(
        mapped,
        &producer.place_after(len, len),
        len.min(free.saturating_sub(len)),
    );
    assert_eq!(place.len(), len.min(free));
    let len = if len % 64 == 0 { len } else { len.min(free) };
    assert_eq!(producer.publish(chaos, len).is_ok(), len <= free);
}

fn send(producer: &mut Producer, chaos: &Chaos<'_, '_>, mapped: &Mapped, len: u32) {
    if let Ok(Some(room)) = packet::room(producer, chaos, len) {
        check(mapped, &room.header, 8);
        assert_eq!(room.payload.len(), len);
        check(mapped, &room.payload, len);
        assert!(producer.publish(chaos, room.footprint).is_ok());
    }
}

fn against_consumer(chaos: &Chaos<'_, '_>, packets: bool) {
    let bytes = chaos.bytes;
    let first = size(bytes);
    let mut consumer = Consumer::new(first);
    let mut mapped: Mapped = [Some(first), None];
    let mut offered = false;

    while !bytes.borrow().is_empty() && consumer.broken().is_none() {
        let what = bytes.borrow_mut().byte();
        let len = bytes.borrow_mut().like(100);
        produce(
            chaos,
            &consumer,
            offered,
            if packets { len & !7 } else { len },
        );
        let was = consumer.broken();
        match what % 8 {
            0 | 1 => drop(
                consumer
                    .available(chaos)
                    .map(|here| assert!(here <= consumer.total())),
            ),
            2..=4 if packets => receive(&mut consumer, chaos, &mapped, len),
            2..=4 => read(&mut consumer, chaos, &mut mapped, len),
            5 => drop((consumer.want_data(chaos, len), consumer.overtaken())),
            6 => drop(consumer.finished(chaos)),
            _ => {
                let (size, slot) = (size(bytes), consumer.slot() ^ 1);
                if consumer.offered(size) {
                    assert_eq!(mapped[slot], None);
                    mapped[slot] = Some(size);
                    offered = true;
                } else if what & 8 != 0 && consumer.withdraw() {
                    mapped[slot] = None;
                    offered = false;
                }
            }
        }
        same(was, consumer.broken());
        if let Some(slot) = consumer.crossed() {
            assert_ne!(slot, consumer.slot());
            mapped[slot] = None;
        }
        offered &= mapped[consumer.slot() ^ 1].is_some();
    }
}

/// A producer that plays along writes some bytes, or goes over to the segment that is offered.
fn produce(chaos: &Chaos<'_, '_>, consumer: &Consumer, offered: bool, len: u32) {
    let [prod, at] = [Field::Prod, Field::SwitchAt].map(|field| chaos.word(field));
    let generation = chaos.word(Field::ProdGen);
    let room = if generation.get() as usize & 1 != consumer.slot() {
        // At least a page.
        4096u32.saturating_sub(prod.get().wrapping_sub(at.get()))
    } else {
        consumer
            .size()
            .bytes()
            .saturating_sub(prod.get().wrapping_sub(consumer.index()))
    };
    let room = room & if len % 8 == 0 { !7 } else { !0 };
    prod.set(prod.get().wrapping_add(len.min(room)));
    if offered && len % 3 == 0 && generation.get() as usize & 1 == consumer.slot() {
        at.set(prod.get());
        generation.set(generation.get().wrapping_add(1));
    }
}

/// A consumer that plays along reads some bytes, and follows to another segment.
fn consume(chaos: &Chaos<'_, '_>, producer: &Producer, len: u32) {
    let [cons, at] = [Field::Cons, Field::SwitchAt].map(|field| chaos.word(field));
    let unread = producer.index().wrapping_sub(cons.get());
    cons.set(
        cons.get()
            .wrapping_add(len % unread.saturating_add(1).max(1)),
    );
    if cons.get().wrapping_sub(at.get()) < 1 << 31 {
        chaos
            .word(Field::ConsGen)
            .set(chaos.word(Field::ProdGen).get());
    }
}

fn read(consumer: &mut Consumer, chaos: &Chaos<'_, '_>, mapped: &mut Mapped, len: u32) {
    if consumer.has_more_than(chaos, 0).is_err() {
        return;
    }
    let here = consumer.place(u32::MAX).len();
    if let Some(slot) = consumer.crossed() {
        mapped[slot] = None;
    }
    let place = consumer.place(len);
    assert_eq!(place.len(), len.min(here));
    check(mapped, &place, len);
    let total = consumer.total();
    check(
        mapped,
        &consumer.place_after(len, len),
        len.min(total.saturating_sub(len)),
    );
    let len = if len % 64 == 0 { len } else { len.min(here) };
    assert_eq!(consumer.release(chaos, len).is_ok(), len <= here);
}

fn receive(consumer: &mut Consumer, chaos: &Chaos<'_, '_>, mapped: &Mapped, len: u32) {
    let skip = if len % 16 == 1 { len & 0xff8 } else { 0 };
    let limit = Size::MAX.bytes() >> (len % 13);
    let Ok(here) = consumer.available(chaos) else {
        return;
    };
    let bytes = chaos.bytes;
    let read = |place: &Place, to: &mut [u8; 8]| {
        check(mapped, place, 8);
        assert_eq!(place.first, 8);
        let mut bytes = bytes.borrow_mut();
        let len = bytes.like(here.wrapping_sub(8));
        to.copy_from_slice(&(u64::from(len) | (u64::from(bytes.word()) << 32)).to_le_bytes());
    };
    if let Ok(Some(packet)) = packet::peek(consumer, chaos, skip, limit, read) {
        assert!(packet.header.len <= limit);
        assert_eq!(packet.payload.len(), packet.header.len);
        assert!(packet.footprint >= 8 + packet.header.len && packet.footprint % 8 == 0);
        check(mapped, &packet.payload, packet.header.len);
        if skip == 0 {
            assert!(consumer.release(chaos, packet.footprint).is_ok());
        }
    }
}
