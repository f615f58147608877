// SPDX-License-Identifier: GPL-2.0

//! Going over to another segment, one step at a time.

use socket_link::link::ring::{Broken, Consumer, Field, Lines, Producer};
use socket_link::link::segment::{Size, PAGE};
use socket_link::plain::Words;

const TWO_PAGES: Size = Size::from_order(1).unwrap();

/// A ring of a page with `unread` bytes in it, behind a hundred that are read.
fn ring(unread: u32) -> (Words, Producer, Consumer) {
    let (words, mut producer, mut consumer) = (
        Words::default(),
        Producer::new(Size::MIN),
        Consumer::new(Size::MIN),
    );
    producer.publish(&words, 100).unwrap();
    consumer.available(&words).unwrap();
    consumer.release(&words, 100).unwrap();
    producer.free(&words).unwrap();
    producer.publish(&words, unread).unwrap();
    (words, producer, consumer)
}

#[test]
fn both_go_over_where_the_producer_says() {
    let (words, mut producer, mut consumer) = ring(50);
    assert!(consumer.offered(TWO_PAGES));
    assert_eq!(producer.switch(&words, TWO_PAGES), Ok(true));
    assert_eq!((producer.slot(), consumer.slot()), (1, 0));
    assert_eq!(producer.free(&words), Ok(8192));
    let place = producer.place(9999);
    assert_eq!(
        (place.slot, place.offset, place.first, place.second),
        (1, 150, 8042, 150)
    );
    producer.publish(&words, 8192).unwrap();
    assert_eq!(producer.free(&words), Ok(0));
    assert_eq!(producer.unread(&words), Ok(8242));
    assert_eq!(producer.switch(&words, Size::MIN), Ok(false));

    assert_eq!(consumer.available(&words), Ok(50));
    assert_eq!(consumer.total(), 8242);
    assert_eq!((consumer.place(60).slot, consumer.place(60).len()), (0, 50));
    let behind = consumer.place_after(50, 10);
    assert_eq!((behind.slot, behind.offset, behind.len()), (1, 150, 10));
    assert_eq!(consumer.crossed(), None);
    consumer.release(&words, 50).unwrap();
    assert_eq!(consumer.crossed(), Some(0));
    assert_eq!(consumer.crossed(), None);
    assert_eq!((consumer.slot(), consumer.size()), (1, TWO_PAGES));
    assert_eq!(producer.free(&words), Ok(0));
    assert_eq!(consumer.available(&words), Ok(8192));
    consumer.release(&words, 8192).unwrap();
    assert_eq!(producer.free(&words), Ok(8192));
}

#[test]
fn an_idle_ring_changes_its_segment_at_the_first_look() {
    let (words, mut producer, mut consumer) = ring(0);
    assert!(consumer.offered(TWO_PAGES));
    assert_eq!(producer.switch(&words, TWO_PAGES), Ok(true));
    assert_eq!(producer.switch(&words, TWO_PAGES), Ok(false));
    assert_eq!(consumer.available(&words), Ok(0));
    assert_eq!(consumer.crossed(), Some(0));
    // And back.
    assert!(consumer.offered(Size::MIN));
    assert_eq!(producer.switch(&words, Size::MIN), Ok(true));
    assert_eq!(consumer.available(&words), Ok(0));
    assert_eq!(consumer.crossed(), Some(1));
    assert_eq!((producer.slot(), consumer.slot()), (0, 0));
}

#[test]
fn a_segment_is_offered_once_and_not_over_one_that_is_still_mapped() {
    let (words, mut producer, mut consumer) = ring(0);
    assert!(!consumer.withdraw());
    assert!(consumer.offered(TWO_PAGES));
    assert!(!consumer.offered(TWO_PAGES));
    assert!(consumer.withdraw());
    assert!(consumer.offered(TWO_PAGES));
    producer.switch(&words, TWO_PAGES).unwrap();
    consumer.available(&words).unwrap();
    assert!(!consumer.offered(Size::MIN));
    consumer.crossed().unwrap();
    assert!(consumer.offered(Size::MIN));
}

#[test]
fn the_event_for_space_comes_from_behind_the_switch() {
    let (words, mut producer, mut consumer) = ring(PAGE - 100);
    assert!(consumer.offered(TWO_PAGES));
    producer.switch(&words, TWO_PAGES).unwrap();
    assert_eq!(producer.want_space(&words, 1), Ok(true));
    producer.publish(&words, 8192).unwrap();
    assert_eq!(producer.want_space(&words, 1), Ok(false));
    assert_eq!(consumer.available(&words), Ok(PAGE - 100));
    assert_eq!(consumer.release(&words, PAGE - 100), Ok(false));
    assert_eq!(consumer.available(&words), Ok(8192));
    assert_eq!(consumer.release(&words, 4095), Ok(false));
    assert_eq!(consumer.release(&words, 1), Ok(true));
    assert_eq!(producer.want_space(&words, 1), Ok(true));
}

#[test]
fn a_reader_does_not_wait_for_what_the_smaller_segment_cannot_hold() {
    let (words, mut producer, mut consumer) = (
        Words::default(),
        Producer::new(TWO_PAGES),
        Consumer::new(TWO_PAGES),
    );
    producer.publish(&words, 10).unwrap();
    assert!(consumer.offered(Size::MIN));
    assert_eq!(consumer.want_data(&words, u32::MAX), Ok(false));
    // The switch comes with an event, and the reader asks anew.
    producer.switch(&words, Size::MIN).unwrap();
    assert_eq!(consumer.want_data(&words, u32::MAX), Ok(false));
    producer.free(&words).unwrap();
    assert_eq!(producer.publish(&words, PAGE - 1), Ok(false));
    assert_eq!(producer.publish(&words, 1), Ok(true));
    assert_eq!(consumer.want_data(&words, u32::MAX), Ok(true));
}

#[test]
fn a_switch_that_makes_no_sense_breaks_the_ring() {
    let cases: [(bool, u32, u32, Broken); 6] = [
        (false, 1, 150, Broken::NoSegment),
        (true, 2, 150, Broken::Generation),
        (true, u32::MAX, 150, Broken::Generation),
        (true, 1, 149, Broken::SwitchPoint),
        (true, 1, 99, Broken::SwitchPoint),
        (true, 1, 100 + PAGE + 1, Broken::SwitchPoint),
    ];
    for (offered, generation, at, broken) in cases {
        let (words, _, mut consumer) = ring(50);
        assert_eq!(consumer.available(&words), Ok(50));
        if offered {
            consumer.offered(TWO_PAGES);
        }
        words.store(Field::SwitchAt, at);
        words.store(Field::ProdGen, generation);
        assert_eq!(consumer.available(&words), Err(broken), "{generation} {at}");
        assert_eq!(consumer.available(&words), Err(broken));
        assert_eq!(consumer.release(&words, 0), Err(broken));
        assert_eq!(consumer.finished(&words), Err(broken));
        assert_eq!(consumer.want_data(&words, 1), Err(broken));
    }
}

#[test]
fn a_producer_cannot_go_back_on_a_switch() {
    let (words, mut producer, mut consumer) = ring(50);
    consumer.offered(TWO_PAGES);
    producer.switch(&words, TWO_PAGES).unwrap();
    assert_eq!(consumer.available(&words), Ok(50));
    words.store(Field::ProdGen, 0);
    assert_eq!(consumer.available(&words), Err(Broken::Generation));
}

#[test]
fn a_consumer_that_has_not_read_up_to_the_switch_has_not_followed() {
    for (generation, cons, result) in [
        (0, 100, Ok(8192)),
        (1, 150, Ok(8192)),
        (1, 149, Err(Broken::Consumer)),
        (1, 151, Err(Broken::Consumer)),
        (2, 150, Err(Broken::Generation)),
        (u32::MAX, 150, Err(Broken::Generation)),
    ] {
        let (words, mut producer, _) = ring(50);
        assert_eq!(producer.switch(&words, TWO_PAGES), Ok(true));
        words.store(Field::ConsGen, generation);
        words.store(Field::Cons, cons);
        assert_eq!(producer.free(&words), result, "{generation} {cons}");
    }
}

#[test]
fn impossible_indices_break_the_ring() {
    for cons in [99, 151, 0, 1 << 31, u32::MAX] {
        let (words, mut producer, _) = ring(50);
        words.store(Field::Cons, cons);
        assert_eq!(producer.free(&words), Err(Broken::Consumer), "{cons}");
        words.store(Field::Cons, 100);
        assert_eq!(producer.unread(&words), Err(Broken::Consumer));
        assert_eq!(producer.publish(&words, 0), Err(Broken::Consumer));
        assert_eq!(producer.want_space(&words, 0), Err(Broken::Consumer));
        assert_eq!(producer.switch(&words, TWO_PAGES), Err(Broken::Consumer));
    }
    for prod in [149, 99, 0, 100 + PAGE + 1, 1 << 31, u32::MAX] {
        let (words, _, mut consumer) = ring(50);
        assert_eq!(consumer.available(&words), Ok(50));
        words.store(Field::Prod, prod);
        assert_eq!(consumer.available(&words), Err(Broken::Producer), "{prod}");
        words.store(Field::Prod, 150);
        assert_eq!(consumer.available(&words), Err(Broken::Producer));
    }
}
