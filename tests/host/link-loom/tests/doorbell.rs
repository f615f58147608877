// SPDX-License-Identifier: GPL-2.0

//! The doorbell in every order: who rings is heard, and what it did before is seen.

use loom::cell::Cell;
use loom::thread;
use socket_link::link::doorbell::{answer, ring};
use socket_link::link::ring::{Consumer, Producer};
use socket_link::link::segment::Size;
use socket_link::link::slots::Slot;
use socket_link_loom::{Bell, CELL, Event, Segments, Weak, Words, explore};
use std::rc::Rc;

/// Two connections ring, one event channel for both.
fn two(weak: Weak) {
    explore(3, move || {
        let (bell, event) = (Bell::new(weak), Event::new());
        let done = Rc::new([Cell::new(0), Cell::new(0)]);
        for number in 0..2 {
            let (bell, event, done) = (bell.clone(), event.clone(), done.clone());
            thread::spawn(move || {
                done[number as usize].set(1);
                event.send_if(ring(&bell, Slot::new(number).unwrap()));
            });
        }
        let mut heard = [false; 2];
        while heard != [true; 2] {
            event.wait();
            answer(&bell, |slot| {
                assert_eq!(done[slot.index()].get(), 1);
                heard[slot.index()] = true;
            });
        }
    });
}

#[test]
fn all_who_ring_are_heard() {
    two(Weak::Nothing);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn needs_release_of_the_word() {
    two(Weak::Set);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn needs_acquire_of_the_word() {
    two(Weak::Take);
}

#[test]
#[should_panic(expected = "deadlock")]
fn needs_the_word_before_the_summary() {
    two(Weak::SetFirst);
}

/// The whole chain: an event for a ring only if one is wanted, on the channel only if the bell was
/// silent. The reader looks only where it was rung for.
#[test]
fn a_reader_hears_of_all_data() {
    explore(3, || {
        let (words, same) = Words::pair(Weak::Nothing);
        let (bell, event, segments) = (Bell::new(Weak::Nothing), Event::new(), Segments::new());
        let slot = Slot::new(7).unwrap();
        let writer = {
            let (bell, event, segments) = (bell.clone(), event.clone(), segments.clone());
            thread::spawn(move || {
                let mut producer = Producer::new(Size::MIN);
                for value in 1..=2 {
                    segments.at(&producer.place(CELL)).set(value);
                    if producer.publish(&same, CELL).unwrap() {
                        event.send_if(ring(&bell, slot));
                    }
                }
            })
        };
        let mut consumer = Consumer::new(Size::MIN);
        let mut value = 0;
        while value < 2 {
            if consumer.available(&words).unwrap() > 0 {
                value += 1;
                assert_eq!(segments.at(&consumer.place(CELL)).get(), value);
                consumer.release(&words, CELL).unwrap();
            } else if !consumer.want_data(&words, 1).unwrap() {
                let mut rung = false;
                while !rung {
                    event.wait();
                    answer(&bell, |heard| rung |= heard == slot);
                }
            }
        }
        writer.join().unwrap();
    });
}
