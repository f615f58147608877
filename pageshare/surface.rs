// SPDX-License-Identifier: GPL-2.0

//! What the administrator sees and sets: the files in `/sys/class/misc/pageshare/`.

use crate::{
    area::policy,
    attributes,
    driver::Driver,
    linux::{
        device::{
            Group,
            Groups, //
        },
        work::Worker, //
    }, //
};
use kernel::prelude::*;

/// The state behind the device.
type State = Worker<Driver>;

/// Reads a number.
fn number(text: &str) -> Result<u64> {
    policy::number(text).ok_or(EINVAL)
}

attributes! { State, OWNER:
    /// How many pages are granted to a member that comes from now on.
    MemberPages c"member_pages" = |s| s.settings().member_pages(),
        set |s, text| s.settings().set_member_pages(number(text)?);
    /// Domains that have a link.
    Members c"members" = |s| s.members();
    /// Pages that they have mapped, one counted for each of them.
    Granted c"granted" = |s| s.areas().granted();
    /// Pages that members still have mapped of what is over.
    Overdue c"overdue" = |s| s.areas().overdue();
    /// Pages that have memory.
    InMemory c"in_memory" = |s| s.areas().in_memory();
    /// Of those, the ones that nobody has mapped.
    Spare c"spare" = |s| s.areas().spare();
    /// Blocks that were read from files, since the module was loaded.
    Filled c"filled" = |s| s.settings().filled();
    /// Pages that members' programs have for their own, one counted each time.
    Lent c"lent" = |s| s.areas().lent();
    /// Pages that no tree has, but only members have offered.
    Offered c"offered" = |s| s.areas().offered();
}

attributes! { State, MEMBER:
    /// How many pages of an owner may be mapped: the module's parameter.
    Pages c"pages" = |s| s.settings().pages();
    /// For how long mappings are kept that nobody uses.
    IdleSeconds c"idle_seconds" = |s| s.settings().idle_seconds(),
        set |s, text| s.set_idle_seconds(number(text)?);
    /// Pages that are mapped, or on their way.
    Mapped c"mapped" = |s| s.figures().used;
    /// Pages that programs have for their own.
    Borrowed c"borrowed" = |s| s.figures().borrowed;
    /// Times that a block was looked for and mapped, since the module was loaded, as all that follows.
    Hits c"hits" = |s| s.figures().counters.hits;
    /// Blocks that owners were asked for.
    Asked c"asked" = |s| s.figures().counters.asked;
    /// Blocks that they did not grant, or that could not be mapped.
    Failed c"failed" = |s| s.figures().counters.failed;
    /// Blocks that were given back to have room, or because they were not used.
    Evicted c"evicted" = |s| s.figures().counters.evicted;
    /// Blocks that owners wanted back.
    Withdrawn c"withdrawn" = |s| s.figures().counters.withdrawn;
    /// Calls of the hypervisor that map.
    MapCalls c"map_calls" = |s| s.figures().calls.maps;
    /// Calls of the hypervisor that unmap.
    UnmapCalls c"unmap_calls" = |s| s.figures().calls.unmaps;
}

static OWNER_GROUP: Group = Group::new(Some(c"owner"), &OWNER);
static MEMBER_GROUP: Group = Group::new(Some(c"member"), &MEMBER);

/// All files of the device.
pub(crate) static GROUPS: Groups<3> = Groups::new([&OWNER_GROUP, &MEMBER_GROUP]);
