// SPDX-License-Identifier: GPL-2.0

//! What the limits are when nobody has set them, and which numbers are accepted.

use super::{
    Limits,
    Tuning, //
};

/// Pages in a MiB.
const MIB: u64 = 256;

/// A domain's memory, in MiB, up to which a line holds, and that line: what is kept at 0 MiB, in
/// MiB, and the binary logarithm of how many MiB more keep one MiB more.
///
/// The same continuous curve as in Hyper-V's balloon, `compute_balloon_floor()` in
/// `drivers/hv/hv_balloon.c`: 128 MiB keep 72, 512 keep 168, 2048 keep 360, 8192 keep 744.
const FLOOR: [(u64, u64, u32); 5] = [
    (128, 8, 1),
    (512, 40, 2),
    (2048, 104, 3),
    (8192, 232, 4),
    (u64::MAX, 488, 5),
];

/// Returns the floor for a domain that can have `most` pages.
pub fn default_floor(most: u64) -> u64 {
    let mib = most / MIB;

    for (up_to, base, shift) in FLOOR {
        if mib < up_to {
            return (base * MIB + (most >> shift)).min(most);
        }
    }
    most
}

/// Returns the default limits for a domain that can have `most` pages.
///
/// An eighth of the floor stays available when memory is taken, so that the guest has something to
/// allocate from while its caches shrink. A quarter stays free when it goes back by itself.
pub fn default_limits(most: u64) -> Limits {
    let floor = default_floor(most);

    Limits {
        floor,
        reserve: floor / 8,
        cushion: floor / 4,
    }
}

/// What holds unless somebody tunes it: nothing goes back by itself; a guest out of memory may have
/// all there is, for five seconds at least.
pub const DEFAULT_TUNING: Tuning = Tuning {
    auto_return: false,
    relief: u64::MAX,
    hold_off_ms: 5000,
};

/// Longest time for which relief may be set to stay, in milliseconds: an hour.
pub const HOLD_OFF_MAX_MS: u32 = 3_600_000;

/// The least that a domain has had since somebody last asked for a size, in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lowest(u64);

impl Lowest {
    /// Somebody asks for a size when the domain has `current` pages.
    pub const fn new(current: u64) -> Self {
        Self(current)
    }

    /// Returns what the default floor is not to exceed now that the domain has `current` pages and
    /// `target` are asked for. It keeps the domain from shrinking, and has it grow to no more than
    /// somebody has asked for: what came as relief may go again.
    pub fn bound(&mut self, current: u64, target: u64) -> u64 {
        self.0 = self.0.min(current);
        self.0.max(target)
    }
}

/// Returns the limits for a domain that can have `most` pages and shall have `floor` at the least,
/// or the default, but no more than `bound`, if that is 0.
pub fn limits(most: u64, floor: u64, bound: u64) -> Limits {
    let limits = default_limits(most);

    match floor {
        0 => Limits {
            floor: limits.floor.min(bound),
            ..limits
        },
        floor => Limits {
            floor: floor.min(most),
            ..limits
        },
    }
}

/// Why a size given by a person is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not a decimal number that fits.
    NotANumber,
    /// It is below the floor or above what the domain can have.
    OutOfRange,
}

/// Parses a plain decimal number.
pub fn parse_number(text: &str) -> Result<u64, Refusal> {
    // The integer parser takes a sign; what is set here has none.
    if text.starts_with('+') {
        return Err(Refusal::NotANumber);
    }
    text.parse().map_err(|_| Refusal::NotANumber)
}

/// Parses a size in KiB, rounding down to whole pages.
pub fn parse_kib(text: &str) -> Result<u64, Refusal> {
    parse_number(text).map(|kib| kib / 4)
}

/// Returns `value` if it is one of `allowed`.
pub fn check_range(value: u64, allowed: core::ops::RangeInclusive<u64>) -> Result<u64, Refusal> {
    if allowed.contains(&value) {
        Ok(value)
    } else {
        Err(Refusal::OutOfRange)
    }
}

/// Parses a size in bytes, or in KiB, MiB or GiB with one of `kKmMgG` after it, rounding down to
/// whole pages.
pub fn parse_bytes(text: &str) -> Result<u64, Refusal> {
    let (digits, shift) = [(['k', 'K'], 10), (['m', 'M'], 20), (['g', 'G'], 30)]
        .into_iter()
        .find_map(|(suffix, shift)| Some((text.strip_suffix(suffix)?, shift)))
        .unwrap_or((text, 0));
    let bytes = parse_number(digits)?
        .checked_mul(1 << shift)
        .ok_or(Refusal::OutOfRange)?;

    Ok(bytes / (4 << 10))
}

/// Returns `pages` if a person may set it as the target.
pub fn check_target(pages: u64, limits: Limits, most: u64) -> Result<u64, Refusal> {
    check_range(pages, limits.floor..=most)
}
