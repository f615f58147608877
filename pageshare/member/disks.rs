// SPDX-License-Identifier: GPL-2.0

//! The disks `/dev/pageshare0` and so on, each over a file that another domain keeps.
//!
//! Lock order: none is taken within [`Disks::list`], which is not held while a disk comes or goes:
//! its owner may take its time.

use super::{
    gate::Gate,
    image::{
        Image,
        AHEAD,
        UNIT, //
    },
    tree, //
};
use crate::{
    area::format::TARGET_MAX,
    arguments::{
        check,
        name,
        name_or_none, //
    },
    disk::{
        Disk,
        Shape, //
    },
    driver::Driver,
    linux::{
        device::Call,
        uapi::{
            ShareDetach,
            ShareDisk,
            SHARE_ATTACH,
            SHARE_DETACH,
            SHARE_DIGEST,
            SHARE_VERSION, //
        }, //
    },
    xen::domain::DomId, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

/// A number, and the disk that has it.
struct Place {
    number: u32,
    /// [`None`] while it comes or goes.
    disk: Option<Disk<Image>>,
}

/// All disks.
#[pin_data]
pub(crate) struct Disks {
    module: &'static ThisModule,
    gate: Arc<Gate>,
    #[pin]
    list: Mutex<KVec<Place>>,
}

impl Disks {
    /// None yet.
    pub(crate) fn new(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            module,
            gate: Arc::pin_init(Gate::new(), GFP_KERNEL)?,
            list <- new_mutex!(KVec::new()),
        })
    }

    /// Whether that is a call for disks.
    pub(crate) fn is_asked(call: &Call) -> bool {
        [SHARE_ATTACH, SHARE_DETACH].contains(&call.command)
    }

    /// Carries out a call.
    ///
    /// Context: process context of the caller, sleeps.
    pub(crate) fn request(&self, driver: &Driver, call: Call) -> Result {
        match call.command {
            _ if !call.writable => Err(EPERM),
            SHARE_ATTACH => self.attach(driver, call.argument),
            SHARE_DETACH => self.detach(call.argument),
            _ => Err(ENOTTY),
        }
    }

    /// `PAGESHARE_ATTACH`.
    fn attach(&self, driver: &Driver, argument: UserSlice) -> Result {
        let (mut reader, mut writer) = argument.reader_writer();
        let asked: ShareDisk = reader.read()?;
        check(asked.version, &asked.reserved)?;
        if asked.flags & !SHARE_DIGEST != 0 || asked.reserved0 != 0 {
            return Err(EINVAL);
        }
        let path = path(&asked)?;
        let names = (name(&asked.area)?, name_or_none(&asked.tree)?);
        let wanted = (asked.flags & SHARE_DIGEST != 0).then_some(&asked.digest);
        let owner = driver.owner(DomId::new(asked.owner).ok_or(EINVAL)?)?;
        let tree = tree::open(owner, names, wanted)?;
        let image = Image::find(tree, &path, self.gate.clone())?;
        let (digest, sectors) = (*image.tree().blocks().digest(), image.sectors());
        let number = self.take_number()?;
        // Before there is a disk, for which nobody would know the number if this failed.
        let made = writer
            .write(&ShareDisk {
                version: SHARE_VERSION,
                digest,
                number,
                sectors,
                ..asked
            })
            .and_then(|()| self.add(number, image));
        made.inspect_err(|_| self.forget(number))
    }

    /// `PAGESHARE_DETACH`.
    fn detach(&self, argument: UserSlice) -> Result {
        let asked: ShareDetach = argument.reader().read()?;
        check(asked.version, &asked.reserved)?;
        self.remove(asked.number)
    }

    /// Adds a disk with a number that was taken.
    fn add(&self, number: u32, image: Image) -> Result {
        let sectors = image.sectors();
        let disk = Disk::new(
            self.module,
            Shape {
                name: fmt!("pageshare{number}"),
                sectors,
                unit: UNIT,
                ahead: AHEAD,
            },
            image,
        )?;
        let mut list = self.list.lock();
        if let Some(place) = list.iter_mut().find(|place| place.number == number) {
            place.disk = Some(disk);
        }
        Ok(())
    }

    /// Returns a number that no disk has, and that none gets.
    fn take_number(&self) -> Result<u32> {
        let mut list = self.list.lock();
        let is_free = |number: &u32| !list.iter().any(|place| place.number == *number);
        let number = (0..).find(is_free).ok_or(ENOSPC)?;
        list.push(Place { number, disk: None }, GFP_KERNEL)?;
        Ok(number)
    }

    /// Removes a disk that nobody has open.
    fn remove(&self, number: u32) -> Result {
        let disk = {
            let mut list = self.list.lock();
            let place = list.iter_mut().find(|place| place.number == number);
            let place = place.ok_or(ENXIO)?;
            place.disk.as_ref().ok_or(EBUSY)?.retire()?;
            place.disk.take()
        };
        // Another one gets the number when this one is gone.
        drop(disk);
        self.forget(number);
        Ok(())
    }

    /// A number is free again.
    fn forget(&self, number: u32) {
        self.list.lock().retain(|place| place.number != number);
    }

    /// Lets nobody read any more, from now on; who does may not end before all links have ended.
    pub(crate) fn shut(&self) {
        self.gate.shut();
    }

    /// Waits for those who read, when all links have ended.
    ///
    /// Context: process context, sleeps.
    pub(crate) fn wait(&self) {
        self.gate.wait_until_empty();
    }

    /// Lets everybody read.
    pub(crate) fn open(&self) {
        self.gate.open();
    }

    /// Removes all disks.
    ///
    /// Context: process context, sleeps; nobody has one open, or calls.
    pub(crate) fn clear(&self) {
        let disks = core::mem::take(&mut *self.list.lock());
        drop(disks);
    }
}

/// Returns the path that a program means.
fn path(asked: &ShareDisk) -> Result<KVec<u8>> {
    let len = asked.path_bytes as usize;
    if len > TARGET_MAX {
        return Err(E2BIG);
    }
    let mut path = KVec::new();
    let from = UserSlice::new(UserPtr::from_addr(asked.path as usize), len);
    from.read_all(&mut path, GFP_KERNEL)?;
    Ok(path)
}
