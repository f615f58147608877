// SPDX-License-Identifier: GPL-2.0

//! The scenes that are searched.

use crate::house::{Flaw, Kind, Scene};
use crate::law::Law;
use balloon_engine::engine::{Limits, Tuning};

/// All that a guest of the scenes can have: six 2 MiB runs.
pub const MOST: u64 = 3072;
/// A target that is no multiple of a run.
pub const ODD: u64 = 1541;
/// A target below the floor.
pub const LOW: u64 = 600;
/// A target above all there is.
pub const BEYOND: u64 = 3500;
/// What programs use, and what is more than [`ODD`].
pub const WANTS: [u64; 2] = [300, 1700];
/// The limits of all scenes.
pub const LIMITS: Limits = Limits {
    floor: 1024,
    reserve: 128,
    cushion: 512,
};
/// Their tuning. Relief stays for two seconds instead of five.
pub const TUNING: Tuning = Tuning {
    auto_return: false,
    relief: 1024,
    hold_off_ms: 2000,
};

/// All that may happen.
const ALL: [Kind; 9] = [
    Kind::Target,
    Kind::Reserve,
    Kind::Want,
    Kind::Scatter,
    Kind::HostScatter,
    Kind::Die,
    Kind::Suspend,
    Kind::Hang,
    Kind::Unload,
];

/// Three guests, of which one has all its memory, one is ballooned, and of one the built-in driver
/// holds half.
pub const THREE: Scene<3> = Scene {
    limits: LIMITS,
    tuning: TUNING,
    start: [(MOST, MOST, 0), (ODD, ODD, 0), (ODD, ODD, MOST - ODD)],
    most: MOST,
    targets: &[LOW, ODD, MOST],
    dynamic: (LOW, MOST),
    wants: &WANTS,
    headroom: 1024,
    slush: 256,
    spare: 0,
    kinds: &ALL,
    events: 2,
    faults: 2,
    until_ms: 4000,
    late: false,
    flaw: Flaw::None,
    laws: &[
        Law::S1,
        Law::S3,
        Law::S4,
        Law::S5,
        Law::S8,
        Law::S9,
        Law::S11,
        Law::S12,
        Law::L1,
        Law::L2,
        Law::L3,
        Law::L4,
        Law::L5,
        Law::L6,
    ],
};

/// The same, where the host lets no domain have more than its target.
pub const TIGHT: Scene<3> = Scene {
    headroom: 0,
    faults: 1,
    ..THREE
};

/// One guest to which more happens.
pub const ONE: Scene<1> = Scene {
    limits: THREE.limits,
    tuning: THREE.tuning,
    start: [(MOST, MOST, 0)],
    most: THREE.most,
    targets: &[LOW, ODD, MOST, BEYOND],
    dynamic: (LOW, BEYOND),
    wants: THREE.wants,
    headroom: THREE.headroom,
    slush: THREE.slush,
    spare: 2048,
    kinds: THREE.kinds,
    events: 4,
    faults: 2,
    until_ms: 4000,
    late: false,
    flaw: Flaw::None,
    laws: THREE.laws,
};

/// One guest, half of it with the built-in driver.
pub const LENT: Scene<1> = Scene {
    start: [(ODD, ODD, MOST - ODD)],
    events: 3,
    ..ONE
};

/// One guest whose built-in driver hears of targets after the module.
pub const LATE: Scene<1> = Scene {
    kinds: &[Kind::Target, Kind::Want, Kind::Scatter, Kind::Suspend],
    events: 3,
    faults: 1,
    late: true,
    ..ONE
};

/// One guest that returns what it does not use by itself, for its first seconds.
pub const AUTO: Scene<1> = Scene {
    tuning: Tuning {
        auto_return: true,
        ..TUNING
    },
    kinds: &[Kind::Target, Kind::Want, Kind::Scatter],
    events: 3,
    faults: 1,
    laws: &[
        Law::S1,
        Law::S3,
        Law::S4,
        Law::S5,
        Law::S9,
        Law::L3,
        Law::L4,
    ],
    ..ONE
};
