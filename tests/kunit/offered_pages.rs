// SPDX-License-Identifier: GPL-2.0

//! Pages that stand in for a program's own, which are of this domain here. What another domain lends is tested by
//! scenarios.
//!
//! Not in a PV guest, where nothing stands in for anything, and Xen refuses the memory that KUnit gives to threads.

use crate::{
    stand_in::{
        inside::{
            Memory,
            OwnFrames, //
        },
        Keeper,
        Opened,
        StandIn, //
    },
    xen::domain::{
        self,
        Kind, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

/// More than are mapped together.
const PAGES: usize = 70;
/// This one has no frame.
const BARE: usize = 66;
/// What the program has before.
const OWN: u8 = 200;

/// Counts how often it is told that it is over.
struct Counter(Atomic<u32>);

impl Keeper<OwnFrames> for Counter {
    fn over(stand_in: &Arc<StandIn<OwnFrames, Self>>) {
        stand_in.keeper().0.fetch_add(1, Relaxed);
    }
}

type Ours = StandIn<OwnFrames, Counter>;

/// What the frame of a page has, 0 where there is none.
fn content(page: usize) -> u8 {
    match page {
        BARE => 0,
        page => page as u8 + 1,
    }
}

fn open() -> Result<Opened<OwnFrames, Counter>> {
    let mut bytes = KVec::new();
    for page in 0..PAGES {
        bytes.push(content(page), GFP_KERNEL)?;
    }
    StandIn::open(PAGES, OwnFrames::new(&bytes)?, Counter(Atomic::new(0)))
}

/// A program's memory, with something in each page, and what is to stand in for it. [`None`] in a PV guest.
fn program() -> Result<Option<(Memory, Opened<OwnFrames, Counter>)>> {
    if domain::kind() == Some(Kind::Pv) {
        return Ok(None);
    }
    let memory = Memory::new(PAGES)?;
    for page in 0..PAGES {
        memory.fill(page, OWN)?;
    }
    Ok(Some((memory, open()?)))
}

/// How often it is over.
fn over(stand_in: &Arc<Ours>) -> u32 {
    stand_in.keeper().0.load(Relaxed)
}

#[kunit_tests(xen_stand_in)]
mod tests {
    use super::*;

    #[test]
    fn what_is_replaced_is_read_and_the_rest_stays() -> Result {
        let Some((memory, opened)) = program()? else {
            return Ok(());
        };
        opened.replace(memory.address(3), 3..5)?;
        opened.replace(memory.address(60), 60..PAGES)?;
        for page in 0..PAGES {
            let wanted = match page {
                3..5 | 60.. => content(page),
                _ => OWN,
            };
            assert_eq!(memory.byte(page)?, Some(wanted));
        }
        assert!(memory.fill(3, OWN).is_err() && memory.fill(5, OWN).is_ok());
        Ok(())
    }

    #[test]
    fn what_is_taken_away_is_copied_or_lost() -> Result {
        let Some((memory, opened)) = program()? else {
            return Ok(());
        };
        opened.replace(memory.address(0), 0..PAGES)?;
        for page in 0..PAGES {
            assert_eq!(memory.byte(page)?, Some(content(page)));
        }
        let stand_in = opened.stand_in();
        stand_in.take_away(10..PAGES, true)?;
        stand_in.take_away(0..3, false)?;
        for page in 0..PAGES {
            let wanted = match page {
                0..3 => 0,
                page => content(page),
            };
            assert_eq!(memory.byte(page)?, Some(wanted));
            assert_eq!(stand_in.has_frame(page), (3..10).contains(&page));
        }
        Ok(())
    }

    #[test]
    fn it_is_over_once_and_only_when_nobody_has_it() -> Result {
        let Some((memory, opened)) = program()? else {
            return Ok(());
        };
        let stand_in = opened.stand_in().clone();
        opened.replace(memory.address(0), 0..1)?;
        opened.replace(memory.address(9), 9..10)?;
        drop(opened);
        assert_eq!(over(&stand_in), 0);
        assert_eq!(memory.byte(9)?, Some(content(9)));
        drop(memory);
        assert_eq!(over(&stand_in), 1);
        // Nobody has it mapped: there is nothing to be copied to.
        assert!(stand_in.take_away(0..PAGES, true).is_ok() && !stand_in.has_frame(0));
        Ok(())
    }

    #[test]
    fn nobody_executes_it() -> Result {
        let Some((memory, opened)) = program()? else {
            return Ok(());
        };
        assert_eq!(memory.execute(&opened), Err(EACCES));
        assert!(StandIn::open(0, OwnFrames::new(&[])?, Counter(Atomic::new(0))).is_err());
        Ok(())
    }
}
