// SPDX-License-Identifier: GPL-2.0

//! The ring, one step at a time.

use socket_link::link::ring::{Broken, Consumer, Field, Lines, Producer, FIN, GONE};
use socket_link::link::segment::{Place, Size, PAGE};
use socket_link::plain::{Words, FIELDS};

const TWO_PAGES: Size = Size::from_order(1).unwrap();

fn ends(size: Size) -> (Words, Producer, Consumer) {
    (Words::default(), Producer::new(size), Consumer::new(size))
}

/// Moves both indices on by `bytes`.
fn advance(words: &Words, producer: &mut Producer, consumer: &mut Consumer, bytes: u64) {
    let mut left = bytes;
    while left > 0 {
        let step = left.min(producer.size().bytes().into()) as u32;
        assert!(producer.free(words).unwrap() >= step);
        producer.publish(words, step).unwrap();
        assert_eq!(consumer.available(words), Ok(step));
        consumer.release(words, step).unwrap();
        left -= u64::from(step);
    }
}

#[test]
fn fields_lie_apart_and_each_end_in_its_own_lines() {
    let mut offsets: Vec<_> = FIELDS.iter().map(|field| field.offset()).collect();
    offsets.dedup();
    assert_eq!(offsets.len(), FIELDS.len());
    for field in FIELDS {
        let of_consumer = format!("{field:?}").starts_with("Cons")
            || matches!(field, Field::DataEvent | Field::Limit);
        assert_eq!(field.offset() >= 128, of_consumer, "{field:?}");
        assert!(field.offset() + 4 <= 256 && field.offset() % 4 == 0);
    }
}

#[test]
fn sizes_are_powers_of_two_from_4_kib_to_16_mib() {
    assert_eq!(Size::MIN.bytes(), 4096);
    assert_eq!(Size::MAX.bytes(), 16 << 20);
    assert_eq!(Size::CONTROL.bytes(), 16 << 10);
    for bytes in [
        0,
        1,
        2048,
        4095,
        4097,
        12288,
        (16 << 20) + 1,
        32 << 20,
        1 << 31,
        u32::MAX,
    ] {
        assert_eq!(Size::from_bytes(bytes), None, "{bytes}");
    }
    for order in 0..=12 {
        let size = Size::from_order(order).unwrap();
        assert_eq!(Size::from_bytes(size.bytes()), Some(size));
        assert_eq!((size.order(), size.pages()), (order, 1 << order));
        assert_eq!(
            size.double().and_then(Size::half),
            size.double().map(|_| size)
        );
    }
    assert_eq!(Size::from_order(13), None);
    assert_eq!(Size::at_least(0), Size::MIN);
    assert_eq!(Size::at_least(4097), TWO_PAGES);
    assert_eq!(Size::at_least(u64::MAX), Size::MAX);
}

#[test]
fn bytes_wrap_around_the_segment() {
    let (words, mut producer, mut consumer) = ends(TWO_PAGES);
    advance(&words, &mut producer, &mut consumer, 8000);
    producer.free(&words).unwrap();
    let place = Place {
        slot: 0,
        offset: 8000,
        first: 192,
        second: 308,
    };
    assert_eq!(producer.place(500), place);
    producer.publish(&words, 500).unwrap();
    assert_eq!(consumer.available(&words), Ok(500));
    assert_eq!(consumer.place(9999), place);
    let rest = Place {
        slot: 0,
        offset: 8,
        first: 300,
        second: 0,
    };
    assert_eq!(consumer.place_after(200, 9999), rest);
    assert!(consumer.place_after(500, 1).is_empty());
    assert!(consumer.place_after(u32::MAX, u32::MAX).is_empty());
    assert!(producer.place_after(u32::MAX, u32::MAX).is_empty());
}

#[test]
fn indices_wrap_around_u32() {
    let (words, mut producer, mut consumer) = ends(Size::MAX);
    advance(&words, &mut producer, &mut consumer, (1 << 32) - 100);
    producer.free(&words).unwrap();
    assert_eq!(producer.place(200).first, 100);
    producer.publish(&words, 200).unwrap();
    assert_eq!(words.load(Field::Prod), 100);
    assert_eq!(consumer.available(&words), Ok(200));
    consumer.release(&words, 150).unwrap();
    assert_eq!(words.load(Field::Cons), 50);
    assert_eq!(producer.unread(&words), Ok(50));
    assert_eq!(producer.free(&words), Ok(Size::MAX.bytes() - 50));
}

#[test]
fn more_than_is_free_is_never_published_nor_more_than_is_there_released() {
    let (words, mut producer, mut consumer) = ends(Size::MIN);
    producer.free(&words).unwrap();
    assert_eq!(producer.publish(&words, PAGE), Ok(true));
    assert!(producer.place(1).is_empty());
    assert_eq!(producer.publish(&words, 1), Err(Broken::Misuse));
    assert_eq!(words.load(Field::Prod), PAGE);
    assert_eq!(consumer.available(&words), Ok(PAGE));
    assert_eq!(consumer.release(&words, PAGE + 1), Err(Broken::Misuse));
    assert_eq!(words.load(Field::Cons), 0);
    assert_eq!(consumer.release(&words, 0), Err(Broken::Misuse));
}

#[test]
fn who_has_seen_enough_does_not_look() {
    let (words, mut producer, mut consumer) = ends(TWO_PAGES);
    assert_eq!(producer.free_for(&words, 1), Ok(8192));
    assert_eq!(consumer.has_more_than(&words, 0), Ok(false));
    producer.publish(&words, 100).unwrap();
    assert_eq!(consumer.has_more_than(&words, 0), Ok(true));
    producer.publish(&words, 50).unwrap();
    assert_eq!(consumer.has_more_than(&words, 99), Ok(true));
    assert_eq!(consumer.total(), 100);
    assert_eq!(consumer.has_more_than(&words, 100), Ok(true));
    assert_eq!(consumer.has_more_than(&words, 150), Ok(false));
    consumer.release(&words, 150).unwrap();
    assert_eq!(producer.free_for(&words, 8042), Ok(8042));
    assert_eq!(producer.free_for(&words, 8043), Ok(8192));
    // A ring that is broken stays so, whatever had been seen before.
    producer.publish(&words, 1).unwrap();
    assert_eq!(consumer.has_more_than(&words, 0), Ok(true));
    let (one, other) = (
        producer.condemn(Broken::Misuse),
        consumer.condemn(Broken::Misuse),
    );
    assert_eq!(producer.free_for(&words, 1), Err(one));
    assert_eq!(consumer.has_more_than(&words, 0), Err(other));
}

#[test]
fn only_who_waits_gets_an_event() {
    let (words, mut producer, mut consumer) = ends(TWO_PAGES);
    // Nobody has asked yet: the first bytes are told of in any case.
    assert_eq!(producer.publish(&words, 1), Ok(true));
    assert_eq!(producer.publish(&words, 1), Ok(false));
    assert_eq!(consumer.available(&words), Ok(2));
    assert_eq!(consumer.want_data(&words, 1), Ok(true));
    consumer.release(&words, 2).unwrap();
    assert_eq!(consumer.want_data(&words, 1), Ok(false));
    assert_eq!(producer.publish(&words, 5), Ok(true));
    assert_eq!(producer.publish(&words, 5), Ok(false));
    assert_eq!(consumer.want_data(&words, 20), Ok(false));
    assert_eq!(producer.publish(&words, 9), Ok(false));
    assert_eq!(producer.publish(&words, 1), Ok(true));
    assert_eq!(producer.publish(&words, 1), Ok(false));
}

#[test]
fn of_two_who_wait_the_one_that_wants_less_gets_the_event() {
    for (first, second) in [(100, 10), (10, 100)] {
        let (words, mut producer, mut consumer) = ends(TWO_PAGES);
        producer.publish(&words, 1).unwrap();
        assert_eq!(consumer.available(&words), Ok(1));
        consumer.release(&words, 1).unwrap();
        assert_eq!(consumer.want_data(&words, first), Ok(false));
        assert_eq!(consumer.want_data(&words, second), Ok(false));
        assert!(!consumer.overtaken());
        assert_eq!(producer.publish(&words, 9), Ok(false));
        assert_eq!(producer.publish(&words, 1), Ok(true));
        // Both look again. That event may not have been seen yet when the next one is asked for.
        assert_eq!(consumer.want_data(&words, 100), Ok(false));
        assert!(consumer.overtaken() && !consumer.overtaken());
        assert_eq!(producer.publish(&words, 89), Ok(false));
        assert_eq!(producer.publish(&words, 1), Ok(true));
    }
}

#[test]
fn who_waits_for_the_next_byte_overtakes_nobody() {
    let (words, mut producer, mut consumer) = ends(TWO_PAGES);
    for _ in 0..3 {
        assert_eq!(consumer.want_data(&words, 1), Ok(false));
        assert_eq!(producer.publish(&words, 1), Ok(true));
        assert_eq!(consumer.available(&words), Ok(1));
        consumer.release(&words, 1).unwrap();
        assert!(!consumer.overtaken());
    }
}

#[test]
fn a_waiting_writer_is_told_when_half_is_free() {
    let (words, mut producer, mut consumer) = ends(TWO_PAGES);
    producer.publish(&words, 8192).unwrap();
    assert_eq!(producer.want_space(&words, 1), Ok(false));
    assert_eq!(consumer.available(&words), Ok(8192));
    assert_eq!(consumer.release(&words, 4095), Ok(false));
    assert_eq!(consumer.release(&words, 1), Ok(true));
    assert_eq!(consumer.release(&words, 4096), Ok(false));
    // One byte is enough to go on, though half would be told of.
    producer.free(&words).unwrap();
    producer.publish(&words, 8000).unwrap();
    assert_eq!(producer.want_space(&words, 192), Ok(true));
    // More than half, if so much is needed; all of it at the most.
    assert_eq!(producer.want_space(&words, u32::MAX), Ok(false));
    assert_eq!(consumer.available(&words), Ok(8000));
    assert_eq!(consumer.release(&words, 7999), Ok(false));
    assert_eq!(consumer.release(&words, 1), Ok(true));
}

#[test]
fn a_reader_that_wants_more_than_fits_is_told_of_a_full_ring() {
    let (words, mut producer, mut consumer) = ends(Size::MIN);
    assert_eq!(consumer.want_data(&words, u32::MAX), Ok(false));
    producer.publish(&words, 1).unwrap();
    assert_eq!(producer.publish(&words, PAGE - 2), Ok(false));
    assert_eq!(producer.publish(&words, 1), Ok(true));
    assert_eq!(consumer.want_data(&words, u32::MAX), Ok(true));
}

#[test]
fn the_end_comes_after_the_last_byte() {
    let (words, mut producer, mut consumer) = ends(Size::MIN);
    assert_eq!(consumer.finished(&words), Ok(false));
    producer.publish(&words, 3).unwrap();
    producer.finish(&words);
    assert_eq!(words.load(Field::ProdFlags), FIN);
    assert_eq!(consumer.finished(&words), Ok(false));
    assert_eq!(consumer.total(), 3);
    consumer.release(&words, 3).unwrap();
    assert_eq!(consumer.finished(&words), Ok(true));
}

#[test]
fn the_reader_can_go() {
    let (words, producer, consumer) = ends(Size::MIN);
    assert!(!producer.reader_gone(&words));
    consumer.leave(&words);
    assert_eq!(words.load(Field::ConsFlags), GONE);
    assert!(producer.reader_gone(&words));
}
