// SPDX-License-Identifier: GPL-2.0

//! Errors of files that the kernel crate of 7.2 has no names for.
//!
//! C header: [`include/uapi/asm-generic/errno.h`](srctree/include/uapi/asm-generic/errno.h).

use kernel::{
    bindings,
    prelude::*, //
};

/// Why something in shared files is not to be had. It becomes an [`Error`] by `?` or `into()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// `EUCLEAN`: what describes the files makes no sense.
    Unclean,
    /// `EBADMSG`: the content is not what its digest says.
    Spoiled,
    /// `ESTALE`: what was there once is not any more.
    Stale,
    /// `ENOTCONN`: the owner does not answer.
    NotConnected,
    /// `ENOLINK`: the same, as disks have it.
    NoLink,
    /// `EDQUOT`: there are as many as there may be.
    Quota,
    /// `EOPNOTSUPP`: a domain of this kind cannot do it.
    Unsupported,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let number = match failure {
            Failure::Unclean => bindings::EUCLEAN,
            Failure::Spoiled => bindings::EBADMSG,
            Failure::Stale => bindings::ESTALE,
            Failure::NotConnected => bindings::ENOTCONN,
            Failure::NoLink => bindings::ENOLINK,
            Failure::Quota => bindings::EDQUOT,
            Failure::Unsupported => bindings::EOPNOTSUPP,
        };
        Error::from_errno(-(number as i32))
    }
}
