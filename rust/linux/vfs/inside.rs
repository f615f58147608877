// SPDX-License-Identifier: GPL-2.0

//! Mounts that programs do not see, for tests.
//!
//! C headers: [`include/linux/mount.h`](srctree/include/linux/mount.h),
//! [`include/linux/fs.h`](srctree/include/linux/fs.h).

use super::{
    registration,
    FileSystem,
    Registration, //
};
use crate::bindings as xen_bindings;
use core::{
    marker::PhantomData,
    ptr::{
        null_mut,
        NonNull, //
    }, //
};
use kernel::{
    bindings,
    error::from_err_ptr,
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*, //
};

/// A mount in the kernel. Dropping it ends it.
///
/// # Invariants
///
/// `raw` is a mount of our own.
pub struct Inside<'a> {
    raw: NonNull<bindings::vfsmount>,
    lifetime: PhantomData<&'a ()>,
}

impl<'a> Inside<'a> {
    /// Mounts `source`, without options.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// What the file system says, `ENOMEM`.
    pub fn new<T: FileSystem>(_: &'a Registration<T>, source: &CStr) -> Result<Self> {
        // SAFETY: The type is registered.
        let raw = from_err_ptr(unsafe {
            bindings::vfs_kern_mount(
                registration::raw(),
                xen_bindings::XENOXIDE_SB_KERNMOUNT as c_int,
                source.as_char_ptr(),
                null_mut(),
            )
        })?;
        // INVARIANT: It is the one just made.
        Ok(Self {
            raw: NonNull::new(raw).ok_or(EINVAL)?,
            lifetime: PhantomData,
        })
    }

    /// Opens a file for reading.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// What `open(2)` has.
    pub fn open(&self, path: &CStr) -> Result<Opened<'_>> {
        let root = bindings::path {
            mnt: self.raw.as_ptr(),
            // SAFETY: By the type invariants.
            dentry: unsafe { (*self.raw.as_ptr()).mnt_root },
        };
        // SAFETY: It is a place in a mount that stays until then.
        let raw = from_err_ptr(unsafe {
            bindings::file_open_root(&root, path.as_char_ptr(), bindings::O_RDONLY as c_int, 0)
        })?;
        // INVARIANT: It is the one just opened.
        Ok(Opened {
            raw: NonNull::new(raw).ok_or(EINVAL)?,
            lifetime: PhantomData,
        })
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::kern_unmount(self.raw.as_ptr()) };
    }
}

/// An open file. Dropping it closes it.
///
/// # Invariants
///
/// `raw` is a file of our own.
pub struct Opened<'a> {
    raw: NonNull<bindings::file>,
    lifetime: PhantomData<&'a ()>,
}

impl Opened<'_> {
    /// # Safety
    ///
    /// It must be an open file that nobody else has, and what it is a file of must stay until it is
    /// closed.
    pub(crate) unsafe fn from_raw(raw: NonNull<bindings::file>) -> Self {
        // INVARIANT: By the requirements.
        Self {
            raw,
            lifetime: PhantomData,
        }
    }

    /// Reads, and returns how many bytes it were.
    ///
    /// # Errors
    ///
    /// What `pread(2)` has.
    pub fn read(&self, at: i64, to: &mut [u8]) -> Result<usize> {
        let mut at = at;
        // SAFETY: By the type invariants; the room is a slice.
        let ret = unsafe {
            let to_raw = to.as_mut_ptr().cast::<c_void>();
            bindings::kernel_read(self.raw.as_ptr(), to_raw, to.len(), &mut at)
        };
        usize::try_from(ret).map_err(|_| Error::from_errno(ret as c_int))
    }

    /// Returns the first place at or behind `at` with data, or, with `hole`, in a hole.
    ///
    /// # Errors
    ///
    /// What `lseek(2)` has.
    pub fn seek(&self, at: i64, hole: bool) -> Result<u64> {
        let whence = if hole {
            bindings::SEEK_HOLE
        } else {
            bindings::SEEK_DATA
        };
        // SAFETY: By the type invariants.
        let ret = unsafe { bindings::vfs_llseek(self.raw.as_ptr(), at, whence as c_int) };
        u64::try_from(ret).map_err(|_| Error::from_errno(ret as c_int))
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants. This closes at once what `fput` would close later.
        unsafe { bindings::__fput_sync(self.raw.as_ptr()) };
    }
}
