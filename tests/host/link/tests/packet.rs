// SPDX-License-Identifier: GPL-2.0

//! Packets, with their headers in real bytes.

use socket_link::link::packet::{self, footprint, Header, Packet, EOR};
use socket_link::link::ring::{Broken, Consumer, Field, Lines, Producer};
use socket_link::link::segment::{Place, Size, PAGE};
use socket_link::plain::Words;

struct Ring {
    words: Words,
    producer: Producer,
    consumer: Consumer,
    memory: Vec<u8>,
}

impl Ring {
    fn new() -> Self {
        Self {
            words: Words::default(),
            producer: Producer::new(Size::MIN),
            consumer: Consumer::new(Size::MIN),
            memory: vec![0; PAGE as usize],
        }
    }

    /// Sends a packet without writing its payload.
    fn send(&mut self, header: Header) -> bool {
        let room = packet::room(&mut self.producer, &self.words, header.len).unwrap();
        let Some(room) = room else { return false };
        assert_eq!(room.payload.len(), header.len);
        let at = room.header.offset as usize;
        self.memory[at..at + 8].copy_from_slice(&header.encode());
        self.producer.publish(&self.words, room.footprint).unwrap();
        true
    }

    fn peek(&mut self, skip: u32, limit: u32) -> Result<Option<Packet>, Broken> {
        let memory = &self.memory;
        packet::peek(&mut self.consumer, &self.words, skip, limit, |place, to| {
            let at = place.offset as usize;
            to.copy_from_slice(&memory[at..at + 8]);
        })
    }

    fn receive(&mut self) -> Option<Header> {
        let packet = self.peek(0, PAGE).unwrap()?;
        self.consumer
            .release(&self.words, packet.footprint)
            .unwrap();
        Some(packet.header)
    }
}

const fn header(len: u32, flags: u16) -> Header {
    Header {
        len,
        flags,
        kind: 3,
    }
}

#[test]
fn headers_are_what_is_written_down() {
    let header = Header {
        len: 0x0403_0201,
        flags: 0x0605,
        kind: 0x0807,
    };
    assert_eq!(header.encode(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(Header::decode([1, 2, 3, 4, 5, 6, 7, 8]), header);
}

#[test]
fn packets_take_a_multiple_of_8_bytes() {
    assert_eq!([0, 1, 8, 9].map(footprint), [8, 16, 16, 24].map(Some));
    let most = Size::MAX.bytes() - 8;
    assert_eq!(footprint(most), Some(Size::MAX.bytes()));
    assert_eq!([most + 1, u32::MAX - 7, u32::MAX].map(footprint), [None; 3]);
}

#[test]
fn packets_come_as_they_were_sent() {
    let mut ring = Ring::new();
    assert_eq!(ring.peek(0, PAGE), Ok(None));
    for len in (0..5000).map(|step| step * 37 % 4089) {
        assert!(ring.send(header(len, EOR)));
        assert_eq!(ring.receive(), Some(header(len, EOR)));
    }
    assert!(ring.send(header(2000, 0)) && ring.send(header(2000, EOR)));
    assert!(!ring.send(header(100, 0)));
    assert_eq!(
        ring.peek(2008, PAGE).unwrap().map(|found| found.header),
        Some(header(2000, EOR))
    );
    assert_eq!(ring.peek(4016, PAGE), Ok(None));
    assert_eq!(ring.receive(), Some(header(2000, 0)));
    assert_eq!(ring.receive(), Some(header(2000, EOR)));
    assert_eq!(ring.receive(), None);
}

#[test]
fn a_payload_may_be_split_by_the_end_of_the_segment() {
    let mut ring = Ring::new();
    ring.send(header(4000, 0));
    ring.receive();
    ring.send(header(500, 0));
    let place = ring.peek(0, PAGE).unwrap().unwrap().payload;
    assert_eq!((place.offset, place.first, place.second), (4016, 80, 420));
    ring.receive();
    ring.send(header(4096 - 8 - 424 - 8, 0));
    ring.receive();
    // A header that ends with the segment.
    ring.send(header(3, 0));
    let place = ring.peek(0, PAGE).unwrap().unwrap().payload;
    assert_eq!((place.offset, place.first, place.second), (0, 3, 0));
}

#[test]
fn impossible_packets_break_the_ring() {
    // What is published, the length in the header, the longest that is taken.
    for (there, len, limit) in [
        (7, 0, PAGE),
        (8, 1, PAGE),
        (16, 9, PAGE),
        (4096, 4089, PAGE),
        (4096, u32::MAX, u32::MAX),
        (4096, u32::MAX - 7, u32::MAX),
        (4096, 1 << 24, u32::MAX),
        (104, 96, 95),
    ] {
        let mut ring = Ring::new();
        ring.memory[..8].copy_from_slice(&header(len, 0).encode());
        ring.words.store(Field::Prod, there);
        assert_eq!(
            ring.peek(0, limit),
            Err(Broken::Packet),
            "{there} {len} {limit}"
        );
        assert_eq!(ring.peek(0, limit), Err(Broken::Packet));
    }
    // Not where a header can be.
    let mut ring = Ring::new();
    ring.words.store(Field::Prod, 4096);
    assert_eq!(ring.peek(4092, PAGE), Err(Broken::Packet));
}

#[test]
fn a_packet_is_in_one_segment() {
    let mut ring = Ring::new();
    ring.consumer.offered(Size::MIN);
    ring.memory[..8].copy_from_slice(&header(8, 0).encode());
    ring.words.store(Field::SwitchAt, 8);
    ring.words.store(Field::ProdGen, 1);
    ring.words.store(Field::Prod, 16);
    assert_eq!(ring.peek(0, PAGE), Err(Broken::Packet));
}

/// The offsets of a place's bytes, in order.
fn offsets(place: &Place) -> Vec<u32> {
    let first = place.offset..place.offset + place.first;
    first.chain(0..place.second).collect()
}

#[test]
fn what_is_behind_some_bytes_of_a_place() {
    let place = Place {
        slot: 1,
        offset: 4090,
        first: 6,
        second: 5,
    };
    let all = offsets(&place);
    for skip in 0..=place.len() {
        let rest = place.after(skip);
        assert_eq!(rest.slot, place.slot);
        assert_eq!(offsets(&rest), all[skip as usize..], "behind {skip}");
    }
    assert!(place.after(place.len() + 1).is_empty());
}
