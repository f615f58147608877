// SPDX-License-Identifier: GPL-2.0

//! A file that a program has handed over, to be read by the kernel.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h).

use kernel::{
    bindings,
    error::to_result,
    fs::file::{
        File,
        LocalFile, //
    },
    prelude::*,
    sync::aref::ARef, //
};

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
}
