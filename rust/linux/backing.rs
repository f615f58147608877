// SPDX-License-Identifier: GPL-2.0

//! A file that a program has handed over, to be read by the kernel.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h).

use crate::bindings as xen_bindings;
use core::ops::Range;
use kernel::{
    bindings,
    error::to_result,
    ffi::c_int,
    fs::file::{
        File,
        LocalFile, //
    },
    prelude::*,
    sync::aref::ARef, //
};

/// What is going to become of a part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// All of it is read soon.
    Soon,
    /// It was read, and is not read again: nobody needs it in the page cache.
    Over,
}

/// A file that stays open.
pub struct Backing(ARef<File>);

impl Backing {
    /// Takes the calling program's file `fd`, which it may close then.
    ///
    /// Context: process context of a program, in a call for another file.
    ///
    /// # Errors
    ///
    /// `EBADF` if there is none.
    pub fn new(fd: u32) -> Result<Self> {
        let file = LocalFile::fget(fd)?;
        // SAFETY: The call that this is part of is for another file, and does not use the position
        // of this one.
        Ok(Self(unsafe { LocalFile::assume_no_fdget_pos(file) }))
    }

    /// Reads what is `at` bytes behind the start of the file. Returns how many bytes: fewer than
    /// `to` has if the file ends before.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// What the file system says: `EBADF` if the file is not open for reading, `EINVAL` if it cannot
    /// be read so, `EISDIR`, `EIO`, …
    pub fn read(&self, at: u64, to: &mut [u8]) -> Result<usize> {
        let mut done = 0;

        while let Some(rest) = to.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let mut position = i64::try_from(at + done as u64).map_err(|_| EINVAL)?;
            // SAFETY: The file is open, and `rest` is valid for writing as many bytes.
            let read = unsafe {
                bindings::kernel_read(
                    self.0.as_ptr(),
                    rest.as_mut_ptr().cast(),
                    rest.len(),
                    &mut position,
                )
            };
            if read < 0 {
                to_result(read as i32)?;
            }
            if read == 0 {
                break;
            }
            done += read as usize;
        }
        Ok(done)
    }

    /// Has nothing read ahead: who reads a part of the file from now on reads just what is needed.
    ///
    /// Context: process context.
    pub fn read_exactly(&self) {
        self.advise(0..0, xen_bindings::POSIX_FADV_RANDOM);
    }

    /// Tells what is going to become of these bytes.
    ///
    /// Context: process context, may sleep.
    pub fn will_use(&self, bytes: Range<u64>, how: Use) {
        let advice = match how {
            Use::Soon => xen_bindings::POSIX_FADV_WILLNEED,
            Use::Over => xen_bindings::POSIX_FADV_DONTNEED,
        };
        self.advise(bytes, advice);
    }

    /// Gives an advice about these bytes, about all if there are none.
    fn advise(&self, bytes: Range<u64>, advice: u32) {
        let (Ok(at), Ok(len)) = (
            bytes.start.try_into(),
            bytes.end.saturating_sub(bytes.start).try_into(),
        ) else {
            return;
        };
        // What comes of it is only how fast it is.
        // SAFETY: The file is open.
        unsafe { bindings::vfs_fadvise(self.0.as_ptr(), at, len, advice as c_int) };
    }
}
