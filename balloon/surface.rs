// SPDX-License-Identifier: GPL-2.0

//! What the administrator sees and sets: the files in `/sys/class/misc/xenballoon/`.
//!
//! Sizes are in KiB. What has a name in the built-in driver (`/sys/devices/system/xen_memory/`) has
//! the same here.

use crate::{
    linux::{
        device::{
            Attribute,
            Entries,
            Entry,
            Group,
            Groups, //
        },
        work::Worker, //
    },
    worker::{
        self,
        Balloon, //
    },
    xen::{
        builtin,
        reservation, //
    }, //
};
use core::fmt::Write;
use kernel::{
    prelude::*,
    str::Formatter,
    sync::atomic::Relaxed, //
};

/// KiB of a page.
const PAGE_KIB: u64 = 4;

/// The state behind the device.
type State = Worker<Balloon>;

/// What the balloon aims at: the newest of what the toolstack and the administrator have asked
/// for, within the floor and what the domain can have.
struct TargetKb;

impl Attribute<State> for TargetKb {
    const NAME: &'static CStr = c"target_kb";
    const WRITABLE: bool = true;

    fn show(state: &State, out: &mut Formatter<'_>) -> Result {
        Ok(write!(out, "{}", state.target() * PAGE_KIB)?)
    }

    fn store(state: &State, value: &str) -> Result {
        worker::set_target(state, value)
    }
}

/// Declares attributes that show one number, and lists them as a group's entries.
macro_rules! numbers {
    ($list:ident: $($(#[$doc:meta])* $type:ident $name:literal = $value:expr;)+) => {
        $(
            $(#[$doc])*
            struct $type;

            impl Attribute<State> for $type {
                const NAME: &'static CStr = $name;

                fn show(state: &State, out: &mut Formatter<'_>) -> Result {
                    let value: fn(&State) -> u64 = $value;
                    Ok(write!(out, "{}", value(state))?)
                }
            }
        )+

        static $list: Entries<{ [$($name),+].len() + 1 }> =
            Entries::new([$({ static ENTRY: Entry = Entry::new::<State, $type>(); &ENTRY }),+]);
    };
}

numbers! { INFO:
    /// What the domain has.
    InfoCurrentKb c"current_kb" = |s| s.current() * PAGE_KIB;
    /// What is surrendered, by us and by the built-in driver.
    LowKb c"low_kb" = |s| (s.held() + builtin::stats().reserve as u64) * PAGE_KIB;
    /// What of it is high memory: none where the kernel has none.
    HighKb c"high_kb" = |_| 0;
    /// What is asked for, before it is brought within the limits.
    AskedKb c"asked_kb" = |s| s.asked() * PAGE_KIB;
    /// The domain is never made smaller than this.
    FloorKb c"floor_kb" = |s| s.limits().floor * PAGE_KIB;
    /// Nothing is taken that would leave less than this available to the guest.
    ReserveKb c"reserve_kb" = |s| s.limits().reserve * PAGE_KIB;
    /// What the domain can have at the most.
    MaxKb c"max_kb" = |s| s.most() * PAGE_KIB;
    /// What the host lets the domain have at the moment, pages of the toolstack's included; 0 if it
    /// does not say.
    LimitKb c"limit_kb" = |_| reservation::maximum().unwrap_or(0) as u64 * PAGE_KIB;
    /// What this module holds surrendered.
    HeldKb c"held_kb" = |s| s.held() * PAGE_KIB;
    /// What the built-in driver holds surrendered.
    BuiltinKb c"builtin_kb" = |_| builtin::stats().reserve as u64 * PAGE_KIB;
    /// Hypercalls made since the module was loaded.
    Hypercalls c"hypercalls" = |s| s.counters.hypercalls.load(Relaxed);
    /// Taken in 2 MiB runs since the module was loaded.
    TakenHugeKb c"taken_huge_kb" = |s| s.counters.taken_huge.load(Relaxed) * PAGE_KIB;
    /// Taken in single pages.
    TakenBaseKb c"taken_base_kb" = |s| s.counters.taken_base.load(Relaxed) * PAGE_KIB;
    /// Given back in 2 MiB runs.
    GivenHugeKb c"given_huge_kb" = |s| s.counters.given_huge.load(Relaxed) * PAGE_KIB;
    /// Given back in single pages.
    GivenBaseKb c"given_base_kb" = |s| s.counters.given_base.load(Relaxed) * PAGE_KIB;
    /// Steps that got less than they asked for, or nothing.
    Failures c"failures" = |s| s.counters.failures.load(Relaxed);
    /// Targets that were refused.
    Refused c"refused_targets" = |s| s.counters.refused.load(Relaxed);
}

/// What the domain has.
struct CurrentKb;

impl Attribute<State> for CurrentKb {
    const NAME: &'static CStr = c"current_kb";

    fn show(state: &State, out: &mut Formatter<'_>) -> Result {
        InfoCurrentKb::show(state, out)
    }
}

static TARGET_KB: Entry = Entry::new::<State, TargetKb>();
static CURRENT_KB: Entry = Entry::new::<State, CurrentKb>();
static ROOT: Entries<3> = Entries::new([&TARGET_KB, &CURRENT_KB]);
static ROOT_GROUP: Group = Group::new(None, &ROOT);
static INFO_GROUP: Group = Group::new(Some(c"info"), &INFO);

/// All files of the device.
pub(crate) static GROUPS: Groups<3> = Groups::new([&ROOT_GROUP, &INFO_GROUP]);
