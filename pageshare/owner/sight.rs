// SPDX-License-Identifier: GPL-2.0

//! What there is to see of areas, their trees and their members: folders in `/sys/class/misc/pageshare/`.

use super::{
    area::Area,
    guest::Guest,
    loaded::Loaded,
    Areas, //
};
use crate::{
    area::{
        format::BLOCK,
        store::Use,
        wire::Label, //
    },
    linux::{
        folder::{
            Figure,
            Folders,
            Nested,
            Place,
            Subject, //
        },
        work::Worker, //
    },
    xen::domain::DomId, //
};
use kernel::{
    pr_warn_once,
    prelude::*,
    str::BStr,
    sync::Arc, //
};

/// KiB of so many pages.
fn kib(pages: u64) -> u64 {
    pages * (BLOCK as u64 / 1024)
}

impl Subject for Arc<Area> {
    const FIGURES: &'static [Figure<Self>] = &[
        Figure::new(c"referenced", |area| area.totals().referenced),
        Figure::new(c"unique", |area| area.totals().unique.into()),
        Figure::new(c"in_memory", |area| area.totals().here.into()),
        Figure::new(c"spare", |area| area.totals().spare.into()),
        Figure::new(c"mapped", |area| area.totals().grants.into()),
        Figure::new(c"mounts", |area| area.attached()),
        Figure::new(c"lent", |area| area.lent()),
        Figure::new(c"offered", |area| area.totals().offered.into()),
        Figure::new(c"got", |area| area.counts().got()),
        Figure::new(c"read", |area| area.counts().read()),
        Figure::new(c"hits", |area| area.counts().hits()),
        Figure::new(c"io_avoided_kb", |area| kib(area.counts().hits())),
        Figure::new(c"saved_kb", |area| kib(area.totals().saved())),
    ];
}

impl Subject for Arc<Loaded> {
    const FIGURES: &'static [Figure<Self>] = &[
        Figure::new(c"referenced", |tree| tree.blocks().into()),
        Figure::new(c"unique", |tree| {
            tree.sum(|page| (page.references == 1).into())
        }),
        Figure::new(c"in_memory", |tree| tree.sum(|page| page.here.into())),
        Figure::new(c"mapped", |tree| tree.sum(|page| page.readers)),
        Figure::new(c"mounts", |tree| tree.attached()),
        Figure::new(c"got", |tree| tree.counts().got()),
        Figure::new(c"read", |tree| tree.counts().read()),
        Figure::new(c"hits", |tree| tree.counts().hits()),
        Figure::new(c"io_avoided_kb", |tree| kib(tree.counts().hits())),
        Figure::new(c"saved_kb", |tree| {
            kib(tree.sum(|page| page.readers.saturating_sub(1)))
        }),
    ];
}

impl Subject for Arc<Worker<Guest>> {
    const FIGURES: &'static [Figure<Self>] = &[
        Figure::new(c"mapped", |guest| guest.account.granted().into()),
        Figure::new(c"may_map", |guest| guest.account.most().into()),
        Figure::new(c"mounts", |guest| guest.mounts() as u64),
        Figure::new(c"got", |guest| guest.account.counts().got()),
        Figure::new(c"read", |guest| guest.account.counts().read()),
        Figure::new(c"hits", |guest| guest.account.counts().hits()),
        Figure::new(c"io_avoided_kb", |guest| kib(guest.account.counts().hits())),
        Figure::new(c"saved_kb", |guest| kib(guest.shared())),
    ];
}

impl Loaded {
    /// Adds what `figure` makes of each of its pages.
    fn sum(&self, figure: impl Fn(Use) -> u32) -> u64 {
        let mut sum = 0;
        self.area()
            .look_at(self.pages(), |page| sum += u64::from(figure(page)));
        sum
    }
}

impl Guest {
    /// How many of the pages that it has others have, too.
    fn shared(&self) -> u64 {
        let mut shared = 0;
        // With no memory for a list of areas nothing is.
        for area in self.areas.all().unwrap_or_default() {
            area.grants_of(&self.account, |_, readers| shared += u64::from(readers > 1));
        }
        shared
    }
}

/// The folders.
pub(super) struct Shown {
    /// With those of their trees.
    areas: Nested<Area, Loaded>,
    members: Folders<Worker<Guest>>,
}

fn text(name: &Label) -> &BStr {
    BStr::from_bytes(name.text())
}

impl Areas {
    /// Calls `each` with the domains and references of all grants that `guests` have, and of those of what is
    /// over that somebody still has mapped.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn each_grant(
        &self,
        guests: &[Arc<Worker<Guest>>],
        mut each: impl FnMut(DomId, u32),
    ) -> Result {
        for area in self.all()? {
            for guest in guests {
                area.grants_of(&guest.account, |reference, _| {
                    each(guest.domain(), reference)
                });
            }
        }
        self.overdue.each(each);
        Ok(())
    }

    /// From now on areas and members are seen at `place`.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn show(&self, place: Place<'_>) -> Result {
        self.sight.begin(Shown {
            areas: Nested::new(place, fmt!("areas"), "trees")?,
            members: Folders::new(place, fmt!("members"))?,
        });
        self.show_areas();
        Ok(())
    }

    /// From now on nothing is seen.
    ///
    /// Context: as for [`Areas::show`].
    pub(crate) fn hide(&self) {
        self.sight.end();
    }

    /// Areas or trees have come or gone: shows those that there are.
    ///
    /// Context: as for [`Areas::show`]; not under the lock of an area.
    pub(super) fn show_areas(&self) {
        tell(self.sight.change(|shown| {
            let areas = self.all()?;
            let name = |area| text(Area::name(area));
            shown.areas.agree(&areas, name, |area, folders| {
                let mut trees = KVec::new();
                area.named(&Label::NONE, &mut trees)?;
                folders.agree(&trees, |tree| text(tree.name()))
            })
        }));
    }

    /// Members have come or gone: shows those that `guests` returns.
    ///
    /// Context: as for [`Areas::show`]; not under a lock of a member.
    pub(crate) fn show_members(&self, guests: impl FnOnce() -> Result<KVec<Arc<Worker<Guest>>>>) {
        tell(self.sight.change(|shown| {
            let guests = guests()?;
            // One that is over may have another after it.
            let is_there = |guest: &&Arc<Worker<Guest>>| !guest.is_over();
            let mut there = KVec::with_capacity(guests.len(), GFP_KERNEL)?;
            for guest in guests.iter().filter(is_there) {
                there.push(guest.clone(), GFP_KERNEL)?;
            }
            shown.members.agree(&there, |guest| guest.domain())
        }));
    }
}

/// What is missing is made with the next change. Once: others may have it come and go all the time.
fn tell(agreed: Result) {
    if let Err(error) = agreed {
        pr_warn_once!("not all areas and members are in sysfs: {error:?}\n");
    }
}
