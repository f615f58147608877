// SPDX-License-Identifier: GPL-2.0

//! Disks that can only be read, in safe Rust.
//!
//! What is read is copied by the thread that asks for it, which may sleep meanwhile: there is neither
//! a queue nor a thread between, as with the kernel's own RAM disks.
//!
//! The kernel crate's `block::mq` does not reach: its disks have queues whose functions may not
//! sleep, nothing of a request can be seen, an open disk does not keep its module, and it cannot be
//! marked as one that is only read.
//!
//! Nothing here is but in `rust/helpers/disk.o`, which only modules with disks have.
//!
//! C headers: [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h),
//! [`include/linux/bio.h`](srctree/include/linux/bio.h).

#[cfg(CONFIG_KUNIT)]
mod inside;

use crate::{
    bindings as xen_bindings,
    failure::Failure,
    linux::noio::NoIo, //
};
use core::{
    marker::PhantomData,
    ptr::{
        null_mut,
        NonNull, //
    }, //
};
use kernel::{
    bindings,
    error::{
        from_err_ptr,
        from_result,
        to_result, //
    },
    ffi::c_int,
    fmt::{
        self,
        Write, //
    },
    iov::IovIterDest,
    prelude::*,
    str::Formatter,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Completion, //
    },
    types::Opaque, //
};

/// Bytes of a sector: what a disk is made of, and the least that can be read.
pub const SECTOR: u64 = bindings::SECTOR_SIZE as u64;

/// The most sectors that a disk can have.
pub const MOST_SECTORS: u64 = i64::MAX as u64 / SECTOR;

/// In [`Shared::openers`]: nobody can open the disk any more.
const RETIRED: u32 = u32::MAX;

/// What is on a disk.
pub trait Content: Send + Sync + 'static {
    /// Copies what is `at` bytes behind the disk's start to `to`, until that is full. It does not go
    /// beyond the disk's end. It is called by any number of threads at once.
    ///
    /// Context: process context, may sleep. All allocations are as with `GFP_NOIO`.
    ///
    /// # Errors
    ///
    /// Who reads without the page cache (`O_DIRECT`) sees `ENOLINK` for [`Failure::NotConnected`],
    /// `ENOMEM`, and `EIO` for all else; who reads with it sees `EIO`.
    fn read(&self, at: u64, to: &mut IovIterDest<'_>) -> Result;
}

/// What a disk is to be like.
pub struct Shape<'a> {
    /// Its name, of up to 31 bytes.
    pub name: fmt::Arguments<'a>,
    /// How many sectors it has, up to [`MOST_SECTORS`].
    pub sectors: u64,
    /// In what units it is best read, in bytes: a power of two, from a sector to a page.
    pub unit: u32,
    /// How far the kernel may read ahead, in bytes.
    pub ahead: u32,
}

/// What the kernel finds by a disk.
#[pin_data]
struct Shared<T> {
    operations: bindings::block_device_operations,
    /// How often the disk and its partitions are open, or [`RETIRED`].
    openers: Atomic<u32>,
    /// The kernel has forgotten the disk.
    #[pin]
    gone: Completion,
    content: T,
}

impl<T> Shared<T> {
    /// Somebody opens the disk.
    fn open(&self) -> Result {
        let mut openers = self.openers.load(Relaxed);
        loop {
            // The last number before `RETIRED` is not to be reached.
            if openers >= RETIRED - 1 {
                return Err(ENXIO);
            }
            match self.openers.cmpxchg(openers, openers + 1, Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => openers = now,
            }
        }
    }
}

/// Functions of a disk.
struct Table<T>(PhantomData<T>);

impl<T: Content> Table<T> {
    const OPERATIONS: bindings::block_device_operations = bindings::block_device_operations {
        submit_bio: Some(submit::<T>),
        open: Some(open::<T>),
        release: Some(release::<T>),
        free_disk: Some(free::<T>),
        ..pin_init::zeroed()
    };
}

/// A disk, `/dev/<name>`, with the partitions that are found on it. Dropping it removes it; whoever
/// has it open keeps the module from being unloaded.
///
/// # Invariants
///
/// - `raw` is a disk that was added, and a reference of it is ours.
/// - Its private data is the address of `shared`, and its functions are those there.
pub struct Disk<T: Content> {
    raw: NonNull<bindings::gendisk>,
    shared: Pin<KBox<Shared<T>>>,
}

// SAFETY: `T` is `Send` and `Sync`, and a disk may be removed from any thread.
unsafe impl<T: Content> Send for Disk<T> {}
// SAFETY: As above; a shared disk can only be retired.
unsafe impl<T: Content> Sync for Disk<T> {}

impl<T: Content> Disk<T> {
    /// Adds a disk, and looks for partitions on it, for which it is read.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENOSPC` if there are too many disks; `EINVAL` if the shape is none.
    pub fn new(module: &'static ThisModule, shape: Shape<'_>, content: T) -> Result<Self> {
        if shape.sectors > MOST_SECTORS {
            return Err(EINVAL);
        }
        let shared = KBox::pin_init(
            pin_init!(Shared {
                operations: bindings::block_device_operations {
                    owner: module.as_ptr(),
                    ..Table::<T>::OPERATIONS
                },
                openers: Atomic::new(0),
                gone <- Completion::new(),
                content,
            }),
            GFP_KERNEL,
        )?;
        let raw = allocate(&shape)?;
        // SAFETY: The disk is ours, and nobody knows it. `shared` stays where it is until the
        // kernel has forgotten the disk.
        unsafe {
            (*raw.as_ptr()).fops = &shared.operations;
            (*raw.as_ptr()).private_data = core::ptr::from_ref(&*shared).cast_mut().cast();
        }
        // SAFETY: As above.
        let added = named(unsafe { &mut (*raw.as_ptr()).disk_name }, shape.name)
            // SAFETY: As above; it has a name, and functions.
            .and_then(|()| unsafe {
                bindings::set_capacity(raw.as_ptr(), shape.sectors);
                bindings::set_disk_ro(raw.as_ptr(), true);
                to_result(bindings::device_add_disk(
                    null_mut(),
                    raw.as_ptr(),
                    null_mut(),
                ))
            });
        if let Err(error) = added {
            // SAFETY: The reference is ours. The disk was never there, so this ends it.
            unsafe { bindings::put_disk(raw.as_ptr()) };
            return Err(error);
        }
        // INVARIANT: It was added.
        Ok(Self { raw, shared })
    }

    /// Makes that nobody can open the disk any more.
    ///
    /// Context: process context.
    ///
    /// # Errors
    ///
    /// `EBUSY` if somebody has it open.
    pub fn retire(&self) -> Result {
        let retired = self.shared.openers.cmpxchg(0, RETIRED, Relaxed);
        retired.map(|_| ()).map_err(|_| EBUSY)
    }
}

impl<T: Content> Drop for Disk<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it was added, and the reference is ours. The first waits
        // for all that read.
        unsafe {
            bindings::del_gendisk(self.raw.as_ptr());
            bindings::put_disk(self.raw.as_ptr());
        }
        // Others may have had a reference, though they could not open it.
        self.shared.gone.wait_for_completion();
    }
}

/// Returns a disk that nobody knows.
fn allocate(shape: &Shape<'_>) -> Result<NonNull<bindings::gendisk>> {
    let mut limits = bindings::queue_limits {
        logical_block_size: SECTOR as u32,
        physical_block_size: shape.unit,
        // The kernel reads twice as much ahead.
        io_opt: shape.ahead / 2,
        ..pin_init::zeroed()
    };
    // SAFETY: `limits` is valid for reading and writing.
    let raw = from_err_ptr(unsafe { xen_bindings::xenoxide_alloc_disk(&mut limits) })?;

    NonNull::new(raw).ok_or(ENOMEM)
}

/// Writes a name to its place, with a zero behind it.
fn named(place: &mut [u8], name: fmt::Arguments<'_>) -> Result {
    let (_, room) = place.split_last_mut().ok_or(EINVAL)?;

    Ok(Formatter::new(room).write_fmt(name)?)
}

/// Returns what belongs to a disk.
///
/// # Safety
///
/// `disk` must be the one of a [`Disk<T>`], and `'a` end before the kernel forgets it.
unsafe fn shared<'a, T>(disk: *mut bindings::gendisk) -> &'a Shared<T> {
    // SAFETY: By the requirements and the type invariants.
    unsafe { &*(*disk).private_data.cast() }
}

/// # Safety
///
/// Only the block layer may call this, for the disk of a [`Disk<T>`].
unsafe extern "C" fn open<T: Content>(
    disk: *mut bindings::gendisk,
    _mode: bindings::blk_mode_t,
) -> c_int {
    // SAFETY: By the requirements.
    let shared = unsafe { shared::<T>(disk) };

    from_result(|| shared.open().map(|()| 0))
}

/// # Safety
///
/// Only the block layer may call this, for the disk of a [`Disk<T>`], once for each [`open`].
unsafe extern "C" fn release<T: Content>(disk: *mut bindings::gendisk) {
    // SAFETY: By the requirements.
    let shared = unsafe { shared::<T>(disk) };

    shared.openers.fetch_sub(1, Relaxed);
}

/// # Safety
///
/// Only the block layer may call this, when it forgets the disk of a [`Disk<T>`].
unsafe extern "C" fn free<T: Content>(disk: *mut bindings::gendisk) {
    // SAFETY: By the requirements.
    let shared = unsafe { shared::<T>(disk) };

    shared.gone.complete_all();
}

/// Carries out what a program or a file system has asked for.
///
/// # Safety
///
/// Only the block layer may call this, for the disk of a [`Disk<T>`], with what is now ours.
unsafe extern "C" fn submit<T: Content>(bio: *mut bindings::bio) {
    // Memory may be free only after something has been read from here.
    let _scope = NoIo::begin();
    // SAFETY: By the requirements; there are no such calls any more when the disk is forgotten.
    let (shared, is_read) = unsafe {
        let disk = xen_bindings::xenoxide_bio_disk(bio);
        (shared::<T>(disk), xen_bindings::xenoxide_bio_is_read(bio))
    };
    let result = if is_read {
        // SAFETY: By the requirements; it is a read.
        unsafe { read(bio, &shared.content) }
    } else {
        Err(EROFS)
    };

    // SAFETY: By the requirements; the last call gives it back.
    unsafe {
        if let Err(error) = result {
            (*bio).bi_status = bindings::errno_to_blk_status(status(error).to_errno());
        }
        bindings::bio_endio(bio);
    }
}

/// Reads what `bio` asks for.
///
/// # Safety
///
/// It must be a read, and ours.
unsafe fn read<T: Content>(bio: *mut bindings::bio, content: &T) -> Result {
    let iter = Opaque::<bindings::iov_iter>::uninit();
    // SAFETY: By the requirements. The iterator is made of the memory of `bio`, which is to be
    // written to and stays there until it is given back.
    let (at, start, to) = unsafe {
        xen_bindings::xenoxide_bio_iter(bio, iter.get());
        (
            xen_bindings::xenoxide_bio_sector(bio),
            bindings::bio_start_io_acct(bio),
            IovIterDest::from_raw(iter.get()),
        )
    };
    let result = content.read(at.saturating_mul(SECTOR), to);
    let is_full = to.is_empty();

    // SAFETY: By the requirements; it was begun above.
    unsafe { xen_bindings::xenoxide_bio_end_acct(bio, start) };
    result.and(if is_full { Ok(()) } else { Err(EIO) })
}

/// Returns what the block layer has for an error.
fn status(error: Error) -> Error {
    if error == Failure::NotConnected.into() {
        Failure::NoLink.into()
    } else {
        error
    }
}
