// SPDX-License-Identifier: GPL-2.0

//! A mount that was asked for.

use super::FileSystem;
use crate::bindings as xen_bindings;
use core::ptr::from_ref;
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    bindings,
    fmt,
    prelude::*, //
};

/// The options of one mount, up to now: the index of each in [`FileSystem::OPTIONS`], and its
/// value. The last one counts.
#[derive(Default)]
pub(super) struct Options(KVec<(usize, KVec<u8>)>);

impl Options {
    /// Takes an option, if there is one of that name; else returns that there is none.
    ///
    /// # Errors
    ///
    /// `EINVAL` without a value, `ENOMEM`.
    pub(super) fn put<T: FileSystem>(&mut self, key: &CStr, value: Option<&[u8]>) -> Result<bool> {
        let Some(index) = T::OPTIONS.iter().position(|known| *known == key) else {
            return Ok(false);
        };
        let mut copy = KVec::new();
        copy.extend_from_slice(value.ok_or(EINVAL)?, GFP_KERNEL_ACCOUNT)?;
        self.0.push((index, copy), GFP_KERNEL_ACCOUNT)?;
        Ok(true)
    }
}

/// What was asked for by mount(8), or by `fsconfig(2)`.
///
/// # Invariants
///
/// `raw` is a context of the file system's type, for `'a`.
pub struct Request<'a> {
    raw: *mut bindings::fs_context,
    options: &'a Options,
    known: &'static [&'static CStr],
}

impl<'a> Request<'a> {
    /// # Safety
    ///
    /// `raw` must be a context for a `T`, for `'a`.
    pub(super) unsafe fn new<T: FileSystem>(
        raw: *mut bindings::fs_context,
        options: &'a Options,
    ) -> Self {
        // INVARIANT: By the requirements.
        Self {
            raw,
            options,
            known: T::OPTIONS,
        }
    }

    /// Returns what shall be mounted (`source`), if that was said.
    pub fn source(&self) -> Option<&[u8]> {
        // SAFETY: By the type invariants.
        let source = unsafe { xen_bindings::xenoxide_fs_source(self.raw) };
        if source.is_null() {
            return None;
        }
        // SAFETY: It is a C string of the context.
        Some(unsafe { CStr::from_char_ptr(source) }.to_bytes())
    }

    /// Returns the value of an option, if it was given.
    pub fn option(&self, key: &CStr) -> Option<&[u8]> {
        self.options.0.iter().rev().find_map(|(index, value)| {
            (*self.known.get(*index)? == key).then_some(value.as_slice())
        })
    }

    /// Says in words why it fails: to who asked by `fsconfig(2)`, or to the kernel's log.
    pub fn error(&self, text: fmt::Arguments<'_>) {
        // SAFETY: By the type invariants; `%pA` takes such arguments.
        unsafe { xen_bindings::xenoxide_fs_error(self.raw, from_ref(&text).cast()) };
    }
}
