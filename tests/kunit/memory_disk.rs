// SPDX-License-Identifier: GPL-2.0

//! A disk of the test's own, opened in the kernel.
//!
//! What programs see of one is tested by scenarios.

use crate::{
    disk::{
        Content,
        Disk,
        Shape,
        MOST_SECTORS,
        SECTOR, //
    },
    failure::Failure, //
};
use kernel::{
    iov::IovIterDest,
    page::PAGE_SIZE,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// How many disks there are.
static ALIVE: Atomic<u32> = Atomic::new(0);

const SECTORS: u64 = 3 * PAGE_SIZE as u64 / SECTOR + 1;
const SIZE: u64 = SECTORS * SECTOR;

/// What is on the disk.
struct Bytes {
    /// Where it cannot be read any more.
    torn: u64,
}

impl Bytes {
    fn torn(torn: u64) -> Self {
        ALIVE.fetch_add(1, Relaxed);
        Self { torn }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Relaxed);
    }
}

impl Content for Bytes {
    fn read(&self, at: u64, to: &mut IovIterDest<'_>) -> Result {
        let mut at = at;
        while !to.is_empty() && at < self.torn {
            to.copy_to_iter(&[byte(at)]);
            at += 1;
        }
        if to.is_empty() {
            Ok(())
        } else {
            Err(Failure::NotConnected.into())
        }
    }
}

fn byte(at: u64) -> u8 {
    (at % 251) as u8
}

fn disk(sectors: u64, torn: u64) -> Result<Disk<Bytes>> {
    Disk::new(
        &crate::THIS_MODULE,
        Shape {
            name: fmt!("xen_kunit{sectors}"),
            sectors,
            unit: PAGE_SIZE as u32,
            ahead: 2 * PAGE_SIZE as u32,
        },
        Bytes::torn(torn),
    )
}

#[kunit_tests(xen_disk)]
mod tests {
    use super::*;
    use crate::eventually;

    #[test]
    fn reading_ends_with_the_disk() -> Result {
        let disk = disk(SECTORS, SIZE)?;
        let file = disk.open_inside()?;
        let mut room = KVec::from_elem(0_u8, 4 * PAGE_SIZE, GFP_KERNEL)?;

        assert_eq!(file.read(0, &mut room)? as u64, SIZE);
        for (at, has) in room.iter().enumerate().take(SIZE as usize) {
            assert_eq!(*has, byte(at as u64));
        }
        let last = SIZE as i64 - 1;
        assert_eq!(file.read(last, &mut room)?, 1);
        assert_eq!(room[0], byte(SIZE - 1));
        assert_eq!(file.read(last + 1, &mut room)?, 0);
        Ok(())
    }

    #[test]
    fn what_cannot_be_read_is_an_error() -> Result {
        let disk = disk(SECTORS, PAGE_SIZE as u64 + 5)?;
        let file = disk.open_inside()?;
        let mut room = [0; 10];

        assert_eq!(file.read(3, &mut room)?, 10);
        assert_eq!(room[9], byte(12));
        let torn = file.read(PAGE_SIZE as i64, &mut room);
        assert!(torn.is_err_and(|error| error == EIO));
        Ok(())
    }

    #[test]
    fn what_is_retired_is_not_opened() -> Result {
        let disk = disk(SECTORS, SIZE)?;
        let file = disk.open_inside()?;
        assert!(disk.retire().is_err_and(|error| error == EBUSY));
        drop(file);
        // Whoever has looked for partitions closes the disk a little later.
        assert!(eventually(|| disk.retire().is_ok()));
        assert!(disk.open_inside().is_err_and(|error| error == ENXIO));
        Ok(())
    }

    #[test]
    fn what_is_removed_is_dropped() -> Result {
        for _ in 0..3 {
            let disk = disk(SECTORS, SIZE)?;
            assert_eq!(ALIVE.load(Relaxed), 1);
            assert!(eventually(|| disk.retire().is_ok()));
            drop(disk);
            assert_eq!(ALIVE.load(Relaxed), 0);
        }
        Ok(())
    }

    #[test]
    fn there_are_disks_that_cannot_be() {
        let too_large = disk(MOST_SECTORS + 1, 0);
        assert!(too_large.is_err_and(|error| error == EINVAL));
        assert_eq!(ALIVE.load(Relaxed), 0);
    }
}
