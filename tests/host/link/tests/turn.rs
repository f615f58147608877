// SPDX-License-Identifier: GPL-2.0
//! What one connection wants never happens to another one in the same slot.

use socket_link::link::slots::Slot;
use socket_link::link::turn::{Turn, Wanted};

fn turn(number: u32) -> Turn {
    Turn::new(Slot::new(7).unwrap(), number)
}

fn seen(wanted: Wanted) -> (u32, u32) {
    let again = Wanted::from_word(wanted.word());
    (again.turn(turn(0).slot()).number(), again.bits())
}

#[test]
fn one_turns_wishes_add_up() {
    let wanted = Wanted::default().with(turn(5), 1).with(turn(5), 8);
    assert_eq!(seen(wanted), (5, 9));
    assert_eq!(wanted.turn(turn(0).slot()), turn(5));
}

#[test]
fn a_later_turn_does_not_get_them() {
    let wanted = Wanted::default().with(turn(5), 1).with(turn(6), 8);
    assert_eq!(seen(wanted), (6, 8));
}

#[test]
fn what_is_over_changes_nothing() {
    let wanted = Wanted::default().with(turn(6), 8).with(turn(5), 1);
    assert_eq!(seen(wanted), (6, 8));
}

#[test]
fn what_comes_late_is_not_the_next_ones() {
    // Nothing is wanted of turn 6 yet.
    let wanted = Wanted::default().with(turn(5), 1);
    assert_ne!(wanted.turn(turn(0).slot()), turn(6));
}

#[test]
fn numbers_wrap() {
    let wanted = Wanted::default().with(turn(u32::MAX), 1);
    assert_eq!(seen(wanted.with(turn(0), 2)), (0, 2));
    assert_eq!(
        seen(wanted.with(turn(0), 2).with(turn(u32::MAX), 4)),
        (0, 2)
    );
}
