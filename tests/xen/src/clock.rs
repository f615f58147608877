// SPDX-License-Identifier: GPL-2.0
//! The clocks of machines, compared by question and answer.
//!
//! A machine's answer holds its time `t`. The bed asked at `a` and had the answer at `b`, by its own clock. So
//! what the machine's clock is ahead of the bed's lies between `t - b` and `t - a`, whichever way took longer,
//! and several answers narrow it from both sides. Nothing is assumed but that the clocks run equally fast
//! meanwhile: ask right before and right after what is to be measured.

/// Nanoseconds of the bed's own clock.
pub fn bed_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// What is known of a moment or of a length of time, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Not less than this.
    pub low: i64,
    /// Not more than this.
    pub high: i64,
}

impl Interval {
    /// The best guess.
    pub fn middle(self) -> i64 {
        self.low + (self.high - self.low) / 2
    }

    /// How far the best guess may be off.
    pub fn error(self) -> i64 {
        (self.high - self.low + 1) / 2
    }
}

impl std::ops::Sub for Interval {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            low: self.low - other.high,
            high: self.high - other.low,
        }
    }
}

/// What a machine's clock is ahead of the bed's.
#[derive(Clone, Copy, Debug)]
pub struct Offset(Interval);

impl Default for Offset {
    /// Nothing is known.
    fn default() -> Self {
        Self(Interval {
            low: i64::MIN / 4,
            high: i64::MAX / 4,
        })
    }
}

impl Offset {
    /// Takes an answer into account: asked and answered by the bed's clock, the time told by the machine's.
    pub fn narrow(&mut self, asked: u64, told: u64, answered: u64) {
        self.0.low = self.0.low.max(told as i64 - answered as i64);
        self.0.high = self.0.high.min(told as i64 - asked as i64);
    }

    /// Takes into account what was found before or after.
    pub fn and(self, other: Self) -> Self {
        Self(Interval {
            low: self.0.low.max(other.0.low),
            high: self.0.high.min(other.0.high),
        })
    }

    /// The bed's time, somewhere between two times of the machine's.
    pub fn bed_time(self, from_ns: u64, to_ns: u64) -> Interval {
        let machine = Interval {
            low: from_ns as i64,
            high: to_ns as i64,
        };
        machine - self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_narrow_from_both_sides() {
        // The machine is 1000 ahead. One answer came quickly, another was asked quickly.
        let mut offset = Offset::default();
        offset.narrow(100, 1150, 151);
        offset.narrow(200, 1202, 290);
        assert_eq!(
            offset.0,
            Interval {
                low: 999,
                high: 1002
            }
        );
        let mut later = Offset::default();
        later.narrow(400, 1401, 500);
        let both = offset.and(later);
        assert_eq!(
            both.0,
            Interval {
                low: 999,
                high: 1001
            }
        );
        let time = both.bed_time(1500, 1504);
        assert_eq!(
            time,
            Interval {
                low: 499,
                high: 505
            }
        );
        assert_eq!((time.middle(), time.error()), (502, 3));
    }

    #[test]
    fn a_difference_is_as_unsure_as_both() {
        let (end, start) = (
            Interval { low: 50, high: 52 },
            Interval { low: 9, high: 10 },
        );
        assert_eq!(end - start, Interval { low: 40, high: 43 });
    }
}
