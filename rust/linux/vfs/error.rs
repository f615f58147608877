// SPDX-License-Identifier: GPL-2.0

//! Error codes that the kernel crate has no names for.

use kernel::{
    bindings,
    prelude::*, //
};

/// Why a file cannot be had.
pub(super) enum FileError {
    /// A name is too long (`ENAMETOOLONG`).
    NameTooLong,
    /// There is no attribute of that name (`ENODATA`).
    NoData,
    /// There is no such inode (`ESTALE`).
    Stale,
}

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        let number = match error {
            FileError::NameTooLong => bindings::ENAMETOOLONG,
            FileError::NoData => bindings::ENODATA,
            FileError::Stale => bindings::ESTALE,
        };
        Error::from_errno(-(number as i32))
    }
}
