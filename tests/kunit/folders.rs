// SPDX-License-Identifier: GPL-2.0

//! Folders of figures in sysfs.

use crate::{
    linux::{
        device::{
            Device,
            Groups,
            Ioctl, //
        },
        folder::{
            Figure,
            Folder,
            Folders,
            Subject, //
        }, //
    },
    THIS_MODULE, //
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

/// How many there are.
static ALIVE: Atomic<u32> = Atomic::new(0);

/// What folders are about.
struct Number(u32);

impl Number {
    fn new(number: u32) -> Result<Arc<Self>> {
        ALIVE.fetch_add(1, Relaxed);
        Ok(Arc::new(Self(number), GFP_KERNEL)?)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Relaxed);
    }
}

impl Subject for Arc<Number> {
    const FIGURES: &'static [Figure<Self>] = &[
        Figure::new(c"number", |number| number.0.into()),
        Figure::new(c"twice", |number| u64::from(number.0) * 2),
    ];
}

struct Nothing;

impl Ioctl for Nothing {}

static GROUPS: Groups<1> = Groups::new([]);

fn device() -> Result<Pin<KBox<Device<Nothing>>>> {
    let state = Arc::new(Nothing, GFP_KERNEL)?;
    KBox::pin_init(
        Device::new(&THIS_MODULE, c"xen_kunit", state, &GROUPS),
        GFP_KERNEL,
    )
}

fn numbers(folders: &Folders<Number>) -> impl Iterator<Item = u32> + '_ {
    folders.iter().map(|(number, _)| number.0)
}

#[kunit_tests(xen_folder)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_folder_any_more_is_dropped() -> Result {
        let device = device()?;
        for _ in 0..3 {
            let folder = Folder::new(device.place(), fmt!("one"), Number::new(1)?);
            let folder = KBox::pin_init(folder, GFP_KERNEL)?;
            assert_eq!(folder.about().0, 1);
            assert_eq!(ALIVE.load(Relaxed), 1);
            drop(folder);
            assert_eq!(ALIVE.load(Relaxed), 0);
        }
        Ok(())
    }

    #[test]
    fn there_is_a_folder_for_each_that_is_wanted() -> Result {
        let device = device()?;
        let mut folders = Folders::new(device.place(), fmt!("numbers"))?;
        let (one, two, other) = (Number::new(1)?, Number::new(2)?, Number::new(2)?);
        folders.agree(&[one.clone(), two.clone()], |number| number.0)?;
        assert!(numbers(&folders).eq([1, 2]));
        // Another one with the same name takes its place.
        folders.agree(&[other.clone(), one.clone()], |number| number.0)?;
        assert!(numbers(&folders).eq([1, 2]));
        assert!(folders
            .iter()
            .any(|(number, _)| Arc::ptr_eq(number, &other)));
        let inside = folders
            .iter()
            .next()
            .map(|(_, place)| Folders::<Number>::new(place, fmt!("in")));
        drop(inside.ok_or(ENOENT)??);
        folders.agree(&[], |number| number.0)?;
        assert_eq!(folders.iter().count(), 0);
        drop((one, two, other));
        assert_eq!(ALIVE.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn a_device_may_go_first() -> Result {
        let device = device()?;
        let mut folders = Folders::new(device.place(), fmt!("numbers"))?;
        folders.agree(&[Number::new(1)?], |number| number.0)?;
        drop(device);
        drop(folders);
        assert_eq!(ALIVE.load(Relaxed), 0);
        Ok(())
    }
}
