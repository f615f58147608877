// SPDX-License-Identifier: GPL-2.0

//! What the limits are when nobody has set them, and which numbers are accepted.

use super::Limits;

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
/// allocate from while its caches shrink.
pub fn default_limits(most: u64) -> Limits {
    let floor = default_floor(most);

    Limits {
        floor,
        reserve: floor / 8,
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

/// Parses a size in KiB, rounding down to whole pages.
pub fn parse_kib(text: &str) -> Result<u64, Refusal> {
    // The integer parser takes a sign; a size has none.
    if text.starts_with('+') {
        return Err(Refusal::NotANumber);
    }
    match text.parse::<u64>() {
        Ok(kib) => Ok(kib / 4),
        Err(_) => Err(Refusal::NotANumber),
    }
}

/// Returns `pages` if a person may set it as the target.
pub fn check_target(pages: u64, limits: Limits, most: u64) -> Result<u64, Refusal> {
    if (limits.floor..=most).contains(&pages) {
        Ok(pages)
    } else {
        Err(Refusal::OutOfRange)
    }
}
