// SPDX-License-Identifier: GPL-2.0

//! The properties.

/// A property: always kept (S), or always within reach (L).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "LAWS says what each is")]
pub enum Law {
    S1,
    S2,
    S3,
    S4,
    S5,
    S6,
    S7,
    S8,
    S9,
    S10,
    S11,
    S12,
    L1,
    L2,
    L3,
    L4,
    L5,
    L6,
}

impl Law {
    /// Returns the law's bit in a set of laws.
    pub const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// Returns the law's name.
    pub fn name(self) -> &'static str {
        LAWS[self as usize].1
    }

    /// Returns where the law is checked.
    pub fn place(self) -> Place {
        LAWS[self as usize].2
    }
}

/// Where a law is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In [`crate::house`]: Xen, toolstack, guests that run the engine.
    House,
    /// In [`crate::house`], from every state, by what [`crate::calm`] makes of it.
    Calm,
    /// In [`crate::frames`]: one guest's page frames and locks around the engine.
    Frames,
}

/// Each law, its name, where it is checked, and what it says.
pub const LAWS: [(Law, &str, Place, &str); 18] = [
    (
        Law::S1,
        "S1",
        Place::House,
        "what the host has free and what its domains have is constant",
    ),
    (
        Law::S2,
        "S2",
        Place::Frames,
        "a machine frame has one owner at most, and no frame number is both surrendered and allocatable",
    ),
    (
        Law::S3,
        "S3",
        Place::House,
        "no domain exceeds what the host lets it have, and none is asked to grow beyond its target or its relief",
    ),
    (
        Law::S4,
        "S4",
        Place::House,
        "between two steps the guest's count is the host's, and with what is held it adds up to all there is, after partial calls too",
    ),
    (
        Law::S5,
        "S5",
        Place::House,
        "no step is decided that would take the domain below its floor or leave less than the reserve available",
    ),
    (
        Law::S6,
        "S6",
        Place::Frames,
        "what is surrendered has been zeroed since it was last written",
    ),
    (
        Law::S7,
        "S7",
        Place::Frames,
        "nobody touches a frame that is not backed and mapped; it is both before it is freed",
    ),
    (
        Law::S8,
        "S8",
        Place::House,
        "the host keeps its slush and what is reserved for domains to come free",
    ),
    (
        Law::S9,
        "S9",
        Place::House,
        "targets stay within the domain's dynamic range, and what is aimed at within its floor and all there is",
    ),
    (
        Law::S10,
        "S10",
        Place::Frames,
        "a task out of memory never waits for the lock of a step that allocates, and gets what that has in hand",
    ),
    (
        Law::S11,
        "S11",
        Place::House,
        "an unloaded module holds nothing, and nothing is lost",
    ),
    (
        Law::S12,
        "S12",
        Place::House,
        "each decision leads to the newest target heard of, not past it and not away from it",
    ),
    (
        Law::L1,
        "L1",
        Place::Calm,
        "a feasible target that stays is reached to the page, and the guest rests",
    ),
    (
        Law::L2,
        "L2",
        Place::Calm,
        "whatever failed before, memory moves within two seconds of its being possible",
    ),
    (
        Law::L3,
        "L3",
        Place::Calm,
        "with targets that stay the direction changes four times in a minute at the most, also with relief and a program that comes and goes",
    ),
    (
        Law::L4,
        "L4",
        Place::Calm,
        "nobody is stuck: no engine stops short, none spins, no delay exceeds a second",
    ),
    (
        Law::L5,
        "L5",
        Place::Calm,
        "a guest that hangs stops no other; each request ends reached or reported, and what relief promises comes",
    ),
    (
        Law::L6,
        "L6",
        Place::Calm,
        "suspended in the middle of a step, and resumed on a host without superpages, all this still holds",
    ),
];
