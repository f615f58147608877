// SPDX-License-Identifier: GPL-2.0

//! The ring in every order: no byte is read before it is written or overwritten before it is read,
//! the end is not seen before the last byte, and nobody sleeps for ever. Without any one of its
//! orderings one of those fails.

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use socket_link::link::ring::{Broken, Consumer, Fence, Field, Producer};
use socket_link::link::segment::Size;
use socket_link_loom::{CELL, Event, Segments, Weak, Words, explore};
use std::rc::Rc;

/// An end of a ring and what it works on.
struct End<R> {
    ring: R,
    words: Words,
    segments: Segments,
    /// What this end waits for.
    own: Event,
    /// What the other end waits for.
    other: Event,
}

/// Returns both ends of a ring through which a cell has gone: what the first one leaves in the words
/// wants no event.
fn used(weak: Weak) -> (End<Producer>, End<Consumer>) {
    let (mut producer, mut consumer) = ends(weak);
    producer.write(0);
    assert_eq!(consumer.read(), Some(0));
    (producer, consumer)
}

fn ends(weak: Weak) -> (End<Producer>, End<Consumer>) {
    let (words, same) = Words::pair(weak);
    let (segments, space, data) = (Segments::new(), Event::new(), Event::new());
    let producer = End {
        ring: Producer::new(Size::MIN),
        words,
        segments: segments.clone(),
        own: space.clone(),
        other: data.clone(),
    };
    let consumer = End {
        ring: Consumer::new(Size::MIN),
        words: same,
        segments,
        own: data,
        other: space,
    };
    (producer, consumer)
}

impl End<Producer> {
    /// Writes a cell as soon as there is room.
    fn write(&mut self, value: u32) {
        while self.ring.free_for(&self.words, CELL).unwrap() < CELL {
            if !self.ring.want_space(&self.words, CELL).unwrap() {
                self.own.wait();
            }
        }
        self.segments.at(&self.ring.place(CELL)).set(value);
        let wanted = self.ring.publish(&self.words, CELL).unwrap();
        self.other.send_if(wanted);
    }

    fn finish(&self) {
        self.ring.finish(&self.words);
        self.other.send();
    }
}

impl End<Consumer> {
    /// Reads a cell as soon as there is one. None at the end.
    fn read(&mut self) -> Option<u32> {
        while !self.ring.has_more_than(&self.words, 0).unwrap() {
            if self.ring.finished(&self.words).unwrap() {
                return None;
            }
            if !self.ring.want_data(&self.words, 1).unwrap() {
                self.own.wait();
            }
        }
        let value = self.segments.at(&self.ring.place(CELL)).get();
        let wanted = self.ring.release(&self.words, CELL).unwrap();
        self.other.send_if(wanted);
        self.ring.crossed();
        Some(value)
    }

    fn read_all(&mut self, last: u32) {
        for value in 1..=last {
            assert_eq!(self.read(), Some(value));
        }
        assert_eq!(self.read(), None);
    }
}

/// Three cells through a segment of two, and the end.
fn through(weak: Weak) {
    explore(2, move || {
        let (mut producer, mut consumer) = ends(weak);
        let writer = thread::spawn(move || {
            (1..=3).for_each(|value| producer.write(value));
            producer.finish();
        });
        consumer.read_all(3);
        writer.join().unwrap();
    });
}

/// Three cells through a segment of two, of which the writer does not say that they are all: nothing
/// but the event for the data wakes the reader.
fn on(weak: Weak) {
    explore(2, move || {
        let (mut producer, mut consumer) = used(weak);
        let writer = thread::spawn(move || (1..=3).for_each(|value| producer.write(value)));
        for value in 1..=3 {
            assert_eq!(consumer.read(), Some(value));
        }
        writer.join().unwrap();
    });
}

/// One cell through the old segment and three through the new one, of two cells each.
fn over(weak: Weak) {
    explore(2, move || {
        let (mut producer, mut consumer) = ends(weak);
        assert!(consumer.ring.offered(Size::MIN));
        let writer = thread::spawn(move || {
            producer.write(1);
            assert_eq!(producer.ring.switch(&producer.words, Size::MIN), Ok(true));
            producer.other.send();
            (2..=4).for_each(|value| producer.write(value));
            producer.finish();
        });
        consumer.read_all(4);
        assert_eq!(consumer.ring.slot(), 1);
        writer.join().unwrap();
    });
}

/// Into another segment and back again, with one cell in each.
fn there_and_back() {
    explore(2, move || {
        let (mut producer, mut consumer) = ends(Weak::Nothing);
        let (event, offered) = (Event::new(), Rc::new(AtomicBool::new(false)));
        let (again, is_offered) = (event.clone(), offered.clone());
        assert!(consumer.ring.offered(Size::MIN));
        let writer = thread::spawn(move || {
            producer.ring.switch(&producer.words, Size::MIN).unwrap();
            producer.other.send();
            producer.write(1);
            while !is_offered.load(Ordering::Acquire) {
                again.wait();
            }
            assert_eq!(producer.ring.switch(&producer.words, Size::MIN), Ok(true));
            producer.other.send();
            producer.write(2);
            producer.finish();
        });
        assert_eq!(consumer.read(), Some(1));
        assert!(consumer.ring.offered(Size::MIN));
        offered.store(true, Ordering::Release);
        event.send();
        assert_eq!(consumer.read(), Some(2));
        assert_eq!(consumer.read(), None);
        writer.join().unwrap();
    });
}

/// At the reading end one waits for a cell, and then one for two; there will be one. `heeds`: the
/// reader that may miss its event is told by the other one.
fn two_wait(heeds: bool) {
    explore(3, move || {
        let (mut producer, mut consumer) = used(Weak::Nothing);
        let told = Rc::new(AtomicBool::new(false));
        let is_told = told.clone();
        let writer = thread::spawn(move || {
            if producer.ring.publish(&producer.words, CELL).unwrap() {
                is_told.store(true, Ordering::Release);
                producer.other.send();
            }
        });
        let End { ring, words, .. } = &mut consumer;
        let there = ring.want_data(words, CELL).unwrap()
            || ring.want_data(words, 2 * CELL).unwrap()
            || ring.overtaken() && heeds;
        // Who waits for less looks when there is an event, not before.
        while !there && !told.load(Ordering::Acquire) {
            consumer.own.wait();
        }
        assert_eq!(consumer.ring.available(&consumer.words), Ok(CELL));
        writer.join().unwrap();
    });
}

#[test]
fn who_waits_for_less_is_woken() {
    two_wait(true);
}

#[test]
fn bytes_go_through() {
    through(Weak::Nothing);
}

#[test]
fn bytes_go_on() {
    on(Weak::Nothing);
}

#[test]
fn bytes_go_over_to_another_segment() {
    over(Weak::Nothing);
}

#[test]
fn bytes_go_there_and_back() {
    there_and_back();
}

/// A writer that waits for space is woken by a reader that leaves.
#[test]
fn a_reader_may_leave() {
    explore(3, || {
        let (mut producer, mut consumer) = ends(Weak::Nothing);
        let writer = thread::spawn(move || {
            while !producer.ring.reader_gone(&producer.words) {
                if producer.ring.free(&producer.words).unwrap() >= CELL {
                    let wanted = producer.ring.publish(&producer.words, CELL).unwrap();
                    producer.other.send_if(wanted);
                } else if !producer.ring.want_space(&producer.words, CELL).unwrap()
                    && !producer.ring.reader_gone(&producer.words)
                {
                    producer.own.wait();
                }
            }
        });
        consumer.read();
        consumer.ring.leave(&consumer.words);
        consumer.other.send();
        writer.join().unwrap();
    });
}

/// A peer that lies while both look: whatever is seen, a lie never becomes a place beyond what was
/// told truly at some time.
#[test]
fn a_peer_may_lie_at_any_time() {
    explore(3, || {
        use socket_link::link::ring::Lines;
        let (words, same) = Words::pair(Weak::Nothing);
        let liar = thread::spawn(move || {
            same.store(Field::Prod, 8);
            same.store(Field::SwitchAt, 4);
            same.store(Field::ProdGen, 1);
            same.store(Field::SwitchAt, 9000);
            same.store(Field::Prod, 9000);
        });
        let mut consumer = Consumer::new(Size::MIN);
        consumer.offered(Size::MIN);
        for _ in 0..3 {
            match consumer.available(&words) {
                Ok(here) => assert!([0, 4, 8].contains(&here) && consumer.total() <= 8192),
                Err(why) => assert!(matches!(why, Broken::Producer | Broken::SwitchPoint)),
            }
        }
        liar.join().unwrap();
    });
}

/// Tests that have to fail, each without one ordering.
macro_rules! needed {
    ($($name:ident: $scene:ident($weak:expr), $how:literal;)*) => {$(
        #[test]
        #[should_panic(expected = $how)]
        fn $name() {
            $scene($weak);
        }
    )*};
}

needed! {
    needs_release_of_prod: through(Weak::Store(Field::Prod)), "Causality violation";
    needs_acquire_of_prod: through(Weak::Load(Field::Prod)), "Causality violation";
    needs_release_of_cons: through(Weak::Store(Field::Cons)), "Causality violation";
    needs_acquire_of_cons: through(Weak::Load(Field::Cons)), "Causality violation";
    needs_acquire_of_fin: through(Weak::Load(Field::ProdFlags)), "assertion";
    needs_barrier_after_publish: on(Weak::Barrier(Fence::Published)), "deadlock";
    needs_barrier_after_release: on(Weak::Barrier(Fence::Released)), "deadlock";
    needs_barrier_after_want_data: on(Weak::Barrier(Fence::WantData)), "deadlock";
    needs_barrier_after_want_space: on(Weak::Barrier(Fence::WantSpace)), "deadlock";
    needs_recheck_of_data: on(Weak::Recheck(Fence::WantData)), "deadlock";
    needs_recheck_of_space: on(Weak::Recheck(Fence::WantSpace)), "deadlock";
    needs_word_of_who_overtakes: two_wait(false), "deadlock";
    needs_release_of_producers_generation: over(Weak::Store(Field::ProdGen)), "SwitchPoint";
    needs_acquire_of_producers_generation: over(Weak::Load(Field::ProdGen)), "SwitchPoint";
    needs_release_of_consumers_generation: over(Weak::Store(Field::ConsGen)), "Consumer";
    needs_acquire_of_consumers_generation: over(Weak::Load(Field::ConsGen)), "Consumer";
}
