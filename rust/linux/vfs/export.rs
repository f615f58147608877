// SPDX-License-Identifier: GPL-2.0

//! Handles of files, for overlayfs and NFS: the inode's number and its generation.

use super::{
    error::FileError,
    inode,
    FileSystem, //
};
use crate::bindings as xen_bindings;
use core::{
    marker::PhantomData,
    ptr::from_ref, //
};
use kernel::{
    bindings,
    ffi::c_int,
    prelude::*, //
};

struct Table<T>(PhantomData<T>);

impl<T: FileSystem> Table<T> {
    // overlayfs compares `encode_fh`: an index is possible with this one.
    const EXPORT: xen_bindings::export_operations = xen_bindings::export_operations {
        encode_fh: Some(xen_bindings::generic_encode_ino32_fh),
        fh_to_dentry: Some(entry::<T>),
        fh_to_parent: Some(parent_entry::<T>),
        get_parent: Some(parent::<T>),
        ..pin_init::zeroed()
    };
}

/// Returns the functions of a super block.
pub(super) const fn operations<T: FileSystem>() -> *const bindings::export_operations {
    let table: &'static xen_bindings::export_operations = &Table::<T>::EXPORT;

    from_ref(table).cast()
}

/// Finds the inode of a handle.
///
/// # Safety
///
/// Only the export code may call this, for a super block of a `T`.
unsafe extern "C" fn find<T: FileSystem>(
    sb: *mut bindings::super_block,
    number: u64,
    generation: u32,
) -> *mut bindings::inode {
    // SAFETY: By the requirements.
    match unsafe { inode::get::<T>(sb, number) } {
        // SAFETY: It is referenced.
        Ok(inode) if generation != unsafe { (*inode.as_ptr()).i_generation } => {
            // SAFETY: The reference is ours.
            unsafe { bindings::iput(inode.as_ptr()) };
            Error::from(FileError::Stale).to_ptr()
        }
        Ok(inode) => inode.as_ptr(),
        Err(error) => error.to_ptr(),
    }
}

/// # Safety
///
/// Only the export code may call this, for a super block of a `T`.
unsafe extern "C" fn entry<T: FileSystem>(
    sb: *mut bindings::super_block,
    handle: *mut xen_bindings::fid,
    len: c_int,
    kind: c_int,
) -> *mut bindings::dentry {
    // SAFETY: By the requirements.
    unsafe { xen_bindings::generic_fh_to_dentry(sb, handle, len, kind, Some(find::<T>)) }
}

/// # Safety
///
/// Only the export code may call this, for a super block of a `T`.
unsafe extern "C" fn parent_entry<T: FileSystem>(
    sb: *mut bindings::super_block,
    handle: *mut xen_bindings::fid,
    len: c_int,
    kind: c_int,
) -> *mut bindings::dentry {
    // SAFETY: By the requirements.
    unsafe { xen_bindings::generic_fh_to_parent(sb, handle, len, kind, Some(find::<T>)) }
}

/// # Safety
///
/// Only the export code may call this, for a directory of a `T`.
unsafe extern "C" fn parent<T: FileSystem>(
    directory: *mut bindings::dentry,
) -> *mut bindings::dentry {
    // SAFETY: By the requirements.
    let found = unsafe {
        let (fs, node) = inode::view::<T>((*directory).d_inode);
        fs.parent(node)
            .and_then(|number| inode::get::<T>((*directory).d_sb, number))
    };

    match found {
        // SAFETY: This takes the reference.
        Ok(inode) => unsafe { bindings::d_obtain_alias(inode.as_ptr()) },
        Err(error) => error.to_ptr(),
    }
}
