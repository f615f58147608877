// SPDX-License-Identifier: GPL-2.0

//! What the administrator sees and sets: the files in `/sys/class/misc/xenballoon/`.
//!
//! Sizes are in KiB. What has a name in the built-in driver
//! (`/sys/devices/system/xen_memory/xen_memory0/`) has the same here.

use crate::{
    attributes,
    control::Control,
    engine::policy::{
        self,
        HOLD_OFF_MAX_MS, //
    },
    linux::{
        device::{
            Group,
            Groups, //
        },
        memory::PAGE_KIB, //
    },
    report,
    worker,
    xen::{
        builtin,
        reservation, //
    }, //
};
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

/// The state behind the device.
type State = Control;

attributes! { State, ROOT:
    /// What the balloon aims at: the newest of what the toolstack and the administrator have asked
    /// for, within the floor and what the domain can have.
    TargetKb c"target_kb" = |s| s.target() * PAGE_KIB,
        set |s, text| worker::set_target(s, policy::parse_kib(text));
    /// The same in bytes.
    Target c"target" = |s| s.target() * PAGE_KIB * 1024,
        set |s, text| worker::set_target(s, policy::parse_bytes(text));
    /// What the domain has.
    CurrentKb c"current_kb" = |s| s.current() * PAGE_KIB;
    /// The domain is never made smaller than this.
    FloorKb c"floor_kb" = |s| s.limits().floor * PAGE_KIB,
        set |s, text| {
            let pages = policy::check_range(policy::parse_kib(text)?, 0..=s.most())?;
            s.tunables.set_floor(pages);
            s.retarget();
            Ok(())
        };
    /// Whether what the guest does not use goes back by itself.
    AutoReturn c"auto_return" = |s| u8::from(s.tunables.tuning().auto_return),
        set |s, text| {
            let on = policy::check_range(policy::parse_number(text)?, 0..=1)? == 1;
            s.tunables.set_auto_return(on);
            s.retarget();
            Ok(())
        };
    /// What a guest out of memory may have beyond its target.
    ReliefKb c"relief_kb" = |s| s.tunables.tuning().relief.saturating_mul(PAGE_KIB),
        set |s, text| {
            s.tunables.set_relief(policy::parse_kib(text)?);
            Ok(())
        };
    /// For how long it keeps that; a second at the least.
    HoldOffMs c"hold_off_ms" = |s| s.tunables.tuning().hold_off_ms,
        set |s, text| {
            let ms = policy::check_range(policy::parse_number(text)?, 0..=HOLD_OFF_MAX_MS.into())?;
            s.tunables.set_hold_off(ms as u32);
            Ok(())
        };
    /// How many milliseconds there are between two reports in xenstore; 0: there are none.
    StatsMs c"stats_ms" = |s| s.report.interval(),
        set |s, text| {
            let ms = policy::check_range(policy::parse_number(text)?, 0..=u32::MAX.into())?;
            report::set_interval(&s.report, ms as u32)
        };
    /// Seconds until something that failed is tried again, rounded up.
    ScheduleDelay c"schedule_delay" = |_| 1;
    /// The longest of them.
    MaxScheduleDelay c"max_schedule_delay" = |_| 1;
    /// Steps since the last one that got anywhere.
    RetryCount c"retry_count" = |s| s.retries();
    /// How many there may be before it gives up: it never does.
    MaxRetryCount c"max_retry_count" = |_| 0;
    /// Whether the host gets pages filled with zeroes: always.
    ScrubPages c"scrub_pages" = |_| 1;
}

attributes! { State, INFO:
    /// What the domain has.
    InfoCurrentKb c"current_kb" = |s| s.current() * PAGE_KIB;
    /// What is surrendered, by us and by the built-in driver.
    LowKb c"low_kb" = |s| (s.held() + builtin::stats().reserve as u64) * PAGE_KIB;
    /// What of it is high memory: none where the kernel has none.
    HighKb c"high_kb" = |_| 0;
    /// What is asked for, before it is brought within the limits.
    AskedKb c"asked_kb" = |s| s.asked() * PAGE_KIB;
    /// The domain is never made smaller than this.
    InfoFloorKb c"floor_kb" = |s| s.limits().floor * PAGE_KIB;
    /// Nothing is taken that would leave less than this available to the guest.
    ReserveKb c"reserve_kb" = |s| s.limits().reserve * PAGE_KIB;
    /// What an idle guest keeps free when the rest goes back by itself.
    CushionKb c"cushion_kb" = |s| s.limits().cushion * PAGE_KIB;
    /// What went back by itself and may come back up to the target.
    ReturnedKb c"returned_kb" = |s| s.returned() * PAGE_KIB;
    /// The size that a guest out of memory was to have, while that holds; else 0.
    WantedKb c"wanted_kb" = |s| s.relief() * PAGE_KIB;
    /// Times that the guest was out of memory.
    OomEvents c"oom_events" = |s| s.counters.oom_events.load(Relaxed);
    /// Given because memory was scarce or all used up.
    RelievedKb c"relieved_kb" = |s| s.counters.relieved.load(Relaxed) * PAGE_KIB;
    /// Allocated for the host and not surrendered, as the guest was out of memory.
    SparedKb c"spared_kb" = |s| s.counters.spared.load(Relaxed) * PAGE_KIB;
    /// What the domain can have at the most.
    MaxKb c"max_kb" = |s| s.most() * PAGE_KIB;
    /// Who adds memory that the domain did not boot with: the built-in driver, this module, or
    /// nobody.
    Hotplug c"hotplug" = |s| s.adder().name();
    /// Why no memory could be added when this module last tried, as errno; 0 if it could.
    HotplugError c"hotplug_error" = |s| s.added.error.load(Relaxed);
    /// Added by this module since it was loaded, and online.
    AddedKb c"added_kb" = |s| s.added.pages.load(Relaxed) * PAGE_KIB;
    /// Added and not online when it was last needed.
    OfflineKb c"offline_kb" = |s| s.added.offline.load(Relaxed) * PAGE_KIB;
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
    /// Targets that were refused, and sizes in xenstore that are none.
    Refused c"refused_targets" = |s| s.counters.refused.load(Relaxed);
}

static ROOT_GROUP: Group = Group::new(None, &ROOT);
static INFO_GROUP: Group = Group::new(Some(c"info"), &INFO);

/// All files of the device.
pub(crate) static GROUPS: Groups<3> = Groups::new([&ROOT_GROUP, &INFO_GROUP]);
