// SPDX-License-Identifier: GPL-2.0

//! Extended attributes, and the access control lists among them.
//!
//! Who may read which is checked by the VFS, `xattr_permission()` in `fs/xattr.c`; which are told
//! is checked here.

use super::{
    error::FileError,
    inode,
    FileSystem, //
};
use crate::bindings as xen_bindings;
use core::{
    marker::PhantomData,
    ptr::null_mut, //
};
use kernel::{
    bindings,
    error::from_result,
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    prelude::*, //
};

/// Names that only the administrator sees.
const TRUSTED: &[u8] = b"trusted.";

/// One handler for all names.
struct Table<T>(PhantomData<T>);

impl<T: FileSystem> Table<T> {
    const HANDLER: bindings::xattr_handler = bindings::xattr_handler {
        prefix: kernel::str::as_char_ptr_in_const_context(c""),
        get: Some(get::<T>),
        ..pin_init::zeroed()
    };

    const HANDLERS: [*const bindings::xattr_handler; 2] = [&Self::HANDLER, core::ptr::null()];
}

/// Returns the handlers of a super block.
pub(super) const fn handlers<T: FileSystem>() -> *const *const bindings::xattr_handler {
    let handlers: &'static [_; 2] = &Table::<T>::HANDLERS;

    handlers.as_ptr()
}

/// Copies a value to `buf`, of `size` bytes, or, if that is 0, tells its length.
///
/// # Safety
///
/// Only the VFS may call this, for an inode of a `T`.
unsafe extern "C" fn get<T: FileSystem>(
    _handler: *const bindings::xattr_handler,
    _dentry: *mut bindings::dentry,
    inode: *mut bindings::inode,
    name: *const c_char,
    buf: *mut c_void,
    size: usize,
) -> c_int {
    // SAFETY: By the requirements.
    let ((fs, node), name) = unsafe { (inode::view::<T>(inode), CStr::from_char_ptr(name)) };
    let to = if buf.is_null() || size == 0 {
        &mut []
    } else {
        // SAFETY: By the requirements there is so much room.
        unsafe { core::slice::from_raw_parts_mut(buf.cast::<u8>(), size) }
    };

    from_result(|| {
        let len = fs
            .xattr(node, name.to_bytes(), to)?
            .ok_or(FileError::NoData)?;
        if !to.is_empty() && len > to.len() {
            return Err(ERANGE);
        }
        Ok(c_int::try_from(len)?)
    })
}

/// Copies all names to `buf`, of `size` bytes, or, if that is 0, tells their length.
///
/// # Safety
///
/// Only the VFS may call this, for an entry of a `T`.
pub(super) unsafe extern "C" fn list<T: FileSystem>(
    dentry: *mut bindings::dentry,
    buf: *mut c_char,
    size: usize,
) -> isize {
    // SAFETY: By the requirements.
    let (fs, node) = unsafe { inode::view::<T>((*dentry).d_inode) };
    // SAFETY: No preconditions.
    let sees_all = unsafe { bindings::capable(bindings::CAP_SYS_ADMIN as c_int) };
    let mut used = 0_usize;
    let mut each = |name: &[u8]| {
        if name.starts_with(TRUSTED) && !sees_all {
            return Ok(());
        }
        let end = used + name.len() + 1;
        if size > 0 {
            if end > size {
                return Err(ERANGE);
            }
            // SAFETY: By the requirements there is so much room.
            unsafe {
                let to = buf.add(used);
                to.copy_from_nonoverlapping(name.as_ptr(), name.len());
                to.add(name.len()).write(0);
            }
        }
        used = end;
        Ok(())
    };

    let result = fs.xattrs(node, &mut each);

    from_result(|| result.map(|()| used as isize))
}

/// # Safety
///
/// Only the VFS may call this, for an inode of a `T`.
pub(super) unsafe extern "C" fn acl<T: FileSystem>(
    inode: *mut bindings::inode,
    kind: c_int,
    rcu: bool,
) -> *mut bindings::posix_acl {
    if rcu {
        // It comes again where it may sleep.
        return ECHILD.to_ptr();
    }
    // SAFETY: By the requirements.
    let (fs, node) = unsafe { inode::view::<T>(inode) };
    // SAFETY: It has names for all kinds.
    let name = unsafe { CStr::from_char_ptr(xen_bindings::xenoxide_acl_name(kind)) };

    match value(fs, node, name.to_bytes()) {
        // SAFETY: It is a slice.
        Ok(Some(value)) => unsafe {
            xen_bindings::xenoxide_acl_from_xattr(value.as_ptr().cast(), value.len())
        },
        Ok(None) => null_mut(),
        Err(error) => error.to_ptr(),
    }
}

/// Returns a copy of an attribute's value.
fn value<T: FileSystem>(fs: &T, node: &T::Node, name: &[u8]) -> Result<Option<KVec<u8>>> {
    let Some(len) = fs.xattr(node, name, &mut [])? else {
        return Ok(None);
    };
    let mut value = KVec::from_elem(0, len, GFP_KERNEL)?;

    match fs.xattr(node, name, &mut value)? {
        Some(now) if now == len => Ok(Some(value)),
        _ => Err(EIO),
    }
}
