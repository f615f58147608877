// SPDX-License-Identifier: GPL-2.0

//! What programs ask `/dev/xenballoon` for, and those who wait there.
//!
//! Header for programs: `balloon/uapi/xenballoon.h`.

use crate::{
    linux::{
        device::{
            Call,
            Ioctl, //
        },
        memory::PAGE_KIB,
        uapi::{
            BalloonStats,
            BalloonTarget,
            BalloonWait,
            BALLOON_FOREVER,
            BALLOON_GET_STATS,
            BALLOON_SET_TARGET,
            BALLOON_VERSION,
            BALLOON_WAIT, //
        },
        work::Worker, //
    },
    report::Report,
    worker::{
        self,
        Balloon, //
    },
    xen::{
        builtin,
        reservation, //
    }, //
};
use core::ops::Deref;
use kernel::{
    new_condvar,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Relaxed, //
        },
        Arc,
        CondVar,
        CondVarTimeoutResult,
        Mutex, //
    },
    time::{
        msecs_to_jiffies,
        Instant,
        Monotonic, //
    },
    uaccess::UserSlice, //
};

/// What is behind the device. `Deref` leads to the balloon.
pub(crate) struct Control {
    pub(crate) balloon: Arc<Worker<Balloon>>,
    pub(crate) report: Arc<Worker<Report>>,
}

impl Deref for Control {
    type Target = Worker<Balloon>;

    fn deref(&self) -> &Self::Target {
        &self.balloon
    }
}

/// Where the balloon was after a step. Sizes are in pages.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place {
    /// How often a target had been announced when the step began.
    pub(crate) news: u64,
    /// What was aimed at.
    pub(crate) target: u64,
    /// What the domain had.
    pub(crate) current: u64,
    /// Nothing more was to be done for now: it was at its target, or elsewhere on purpose, and
    /// everybody had heard of that target.
    pub(crate) settled: bool,
}

/// Those who wait until the balloon is where it is to be.
#[pin_data]
pub(crate) struct Waiters {
    /// How often a target was announced: one that no step has seen yet is not reached, however the
    /// figures look. The first is what the domain finds when the module is loaded.
    news: Atomic<u64>,
    #[pin]
    place: Mutex<Place>,
    #[pin]
    moved: CondVar,
}

/// How a wait ended.
enum Wait {
    Reached,
    TimedOut,
    Interrupted,
}

impl Waiters {
    /// Returns an object nobody waits at.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            news: Atomic::new(1),
            place <- new_mutex!(Place::default()),
            moved <- new_condvar!(),
        })
    }

    /// Says that there may be a new target: after it was stored, before the worker is kicked.
    ///
    /// Context: any.
    pub(crate) fn announce(&self) {
        self.news.fetch_add(1, Full);
    }

    /// Returns how often a target was announced: before a step looks for it.
    pub(crate) fn news(&self) -> u64 {
        self.news.load(Acquire)
    }

    /// Says where the balloon is after a step.
    ///
    /// Context: may sleep.
    pub(crate) fn publish(&self, place: Place) {
        *self.place.lock() = place;
        self.moved.notify_all();
    }

    /// Waits until the balloon is where it is to be, for `timeout_ms` milliseconds at the most, and
    /// returns where it is then.
    ///
    /// Context: may sleep.
    fn wait(&self, timeout_ms: u32) -> (Place, Wait) {
        // One more for the tick that has begun.
        let mut left = match timeout_ms {
            0 => 0,
            ms => msecs_to_jiffies(ms) + 1,
        };
        let mut place = self.place.lock();

        loop {
            if place.news == self.news() && place.settled {
                return (*place, Wait::Reached);
            }
            if left == 0 {
                return (*place, Wait::TimedOut);
            }
            left = match self.moved.wait_interruptible_timeout(&mut place, left) {
                CondVarTimeoutResult::Woken { jiffies } => jiffies,
                CondVarTimeoutResult::Timeout => 0,
                CondVarTimeoutResult::Signal { .. } => return (*place, Wait::Interrupted),
            };
        }
    }
}

/// Checks what all arguments begin with, and that what is reserved is zero.
fn check(version: u32, reserved0: u32, reserved: &[u64]) -> Result {
    let zero = reserved0 == 0 && reserved.iter().all(|&word| word == 0);

    if version == BALLOON_VERSION && zero {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

/// `XENBALLOON_GET_STATS`.
fn get_stats(balloon: &Balloon, argument: UserSlice) -> Result {
    let (mut reader, mut writer) = argument.reader_writer();
    let asked: BalloonStats = reader.read()?;
    check(asked.version, asked.reserved0, &asked.reserved)?;

    let limits = balloon.limits();
    let counters = &balloon.counters;
    writer.write(&BalloonStats {
        version: BALLOON_VERSION,
        target_kb: balloon.target() * PAGE_KIB,
        current_kb: balloon.current() * PAGE_KIB,
        asked_kb: balloon.asked() * PAGE_KIB,
        floor_kb: limits.floor * PAGE_KIB,
        reserve_kb: limits.reserve * PAGE_KIB,
        max_kb: balloon.most() * PAGE_KIB,
        limit_kb: reservation::maximum().unwrap_or(0) as u64 * PAGE_KIB,
        held_kb: balloon.held() * PAGE_KIB,
        builtin_kb: builtin::stats().reserve as u64 * PAGE_KIB,
        hypercalls: counters.hypercalls.load(Relaxed),
        taken_huge_kb: counters.taken_huge.load(Relaxed) * PAGE_KIB,
        taken_base_kb: counters.taken_base.load(Relaxed) * PAGE_KIB,
        given_huge_kb: counters.given_huge.load(Relaxed) * PAGE_KIB,
        given_base_kb: counters.given_base.load(Relaxed) * PAGE_KIB,
        failures: counters.failures.load(Relaxed),
        refused: counters.refused.load(Relaxed),
        ..BalloonStats::default()
    })
}

/// `XENBALLOON_SET_TARGET`.
///
/// Who may open the file for writing is the administrator's choice, as with `target_kb` in sysfs.
fn set_target(balloon: &Worker<Balloon>, call: Call) -> Result {
    if !call.writable {
        return Err(EBADF);
    }
    let asked: BalloonTarget = call.argument.reader().read()?;
    check(asked.version, asked.reserved0, &asked.reserved)?;
    worker::set_target(balloon, Ok(asked.target_kb / PAGE_KIB))
}

/// `XENBALLOON_WAIT`.
fn wait(balloon: &Balloon, argument: UserSlice) -> Result {
    let (mut reader, mut writer) = argument.reader_writer();
    let asked: BalloonWait = reader.read()?;
    check(asked.version, 0, &asked.reserved)?;

    let start = Instant::<Monotonic>::now();
    let (place, end) = balloon.waiters.wait(asked.timeout_ms);
    let mut answer = BalloonWait {
        target_kb: place.target * PAGE_KIB,
        current_kb: place.current * PAGE_KIB,
        ..asked
    };
    if matches!(end, Wait::Interrupted) && asked.timeout_ms != BALLOON_FOREVER {
        // The call may be made again, with what it finds in its argument.
        let waited = u32::try_from(start.elapsed().as_millis()).unwrap_or(u32::MAX);
        answer.timeout_ms = asked.timeout_ms.saturating_sub(waited);
    }
    writer.write(&answer)?;
    match end {
        Wait::Reached => Ok(()),
        Wait::TimedOut => Err(ETIMEDOUT),
        Wait::Interrupted => Err(ERESTARTSYS),
    }
}

impl Ioctl for Control {
    fn ioctl(&self, call: Call) -> Result {
        match call.command {
            BALLOON_GET_STATS => get_stats(self, call.argument),
            BALLOON_SET_TARGET => set_target(self, call),
            BALLOON_WAIT => wait(self, call.argument),
            _ => Err(ENOTTY),
        }
    }
}
