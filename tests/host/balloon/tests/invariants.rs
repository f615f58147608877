// SPDX-License-Identifier: GPL-2.0

//! What the file `invariants` says.

use balloon_engine::invariants::{Facts, Verdict};

const SOUND: Facts = Facts {
    published: 30,
    counted: 30,
    walked: 30,
    taken: 50,
    given: 25,
    added: 5,
    current: 100,
    reserve: 15,
    lent: 5,
    total: 150,
    hotplug: false,
    at_rest: true,
    xen: Some(104),
    unseen: Some(4),
    target: 100,
    floor: 60,
    most: 145,
};

type Spoil = fn(&mut Facts);

/// The names of those that do not hold.
fn violated(facts: Facts) -> Vec<&'static str> {
    let judged = facts.judge().into_iter();
    judged
        .filter(|(_, verdict)| matches!(verdict, Verdict::Violated(..)))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn a_sound_state_is_sound() {
    assert!(
        SOUND
            .judge()
            .iter()
            .all(|(_, verdict)| *verdict == Verdict::Holds)
    );
}

#[test]
fn each_can_fail_alone() {
    let cases: [(&str, Spoil); 9] = [
        ("held_published", |f| f.published = 29),
        ("held_walked", |f| f.walked = 31),
        ("held_exchanged", |f| f.given = 26),
        ("held_exchanged", |f| f.added = 4),
        ("guest_total", |f| f.total = 151),
        ("guest_total", |f| f.lent = 4),
        ("hypervisor_total", |f| f.xen = Some(103)),
        ("target_above_floor", |f| f.target = 59),
        ("target_below_most", |f| f.target = 146),
    ];
    for (name, spoil) in cases {
        let mut facts = SOUND;
        spoil(&mut facts);
        assert_eq!(violated(facts), [name]);
    }
}

#[test]
fn a_moving_driver_proves_nothing() {
    let facts = Facts {
        at_rest: false,
        total: 1,
        xen: Some(1),
        ..SOUND
    };
    assert_eq!(violated(facts), [""; 0]);
    assert_eq!(facts.unseen_now(), None);
    assert_eq!(SOUND.unseen_now(), Some(4));
}

#[test]
fn memory_that_is_not_online_yet_may_be_missing() {
    let facts = |total| Facts {
        hotplug: true,
        total,
        ..SOUND
    };
    assert_eq!(violated(facts(200)), [""; 0]);
    assert_eq!(violated(facts(149)), ["guest_total"]);
}

#[test]
fn verdicts_read_well() {
    assert_eq!(Verdict::Holds.to_string(), "ok");
    assert_eq!(Verdict::Violated(3, -4).to_string(), "VIOLATED (3, -4)");
}
