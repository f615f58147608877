// SPDX-License-Identifier: GPL-2.0

//! Directories.

use super::{
    error::FileError,
    inode,
    xattr,
    FileSystem,
    NAME_MAX, //
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
    error::from_result,
    ffi::{
        c_int,
        c_uint, //
    },
    prelude::*, //
};

/// `.` and `..` come first.
const DOTS: i64 = 2;

/// Functions of directories.
struct Table<T>(PhantomData<T>);

impl<T: FileSystem> Table<T> {
    const INODE: bindings::inode_operations = bindings::inode_operations {
        lookup: Some(lookup::<T>),
        listxattr: Some(xattr::list::<T>),
        get_inode_acl: Some(xattr::acl::<T>),
        ..pin_init::zeroed()
    };

    const FILE: bindings::file_operations = bindings::file_operations {
        llseek: Some(bindings::generic_file_llseek),
        read: Some(bindings::generic_read_dir),
        iterate_shared: Some(iterate::<T>),
        ..pin_init::zeroed()
    };
}

/// Returns the functions of a directory's inode.
pub(super) const fn inode_operations<T: FileSystem>() -> &'static bindings::inode_operations {
    &Table::<T>::INODE
}

/// Returns the functions of an open directory.
pub(super) const fn operations<T: FileSystem>() -> &'static bindings::file_operations {
    &Table::<T>::FILE
}

/// # Safety
///
/// Only the VFS may call this, for a directory of a `T`, which it has locked for reading at least.
unsafe extern "C" fn lookup<T: FileSystem>(
    directory: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    _flags: c_uint,
) -> *mut bindings::dentry {
    // SAFETY: By the requirements; the name stays as long as the directory is locked.
    let name = unsafe {
        let len = xen_bindings::xenoxide_dentry_name_len(dentry) as usize;
        core::slice::from_raw_parts(xen_bindings::xenoxide_dentry_name(dentry), len)
    };
    if name.len() > NAME_MAX {
        return Error::from(FileError::NameTooLong).to_ptr();
    }
    // SAFETY: By the requirements.
    let (fs, node) = unsafe { inode::view::<T>(directory) };
    let found = fs.lookup(node, name).and_then(|number| match number {
        // SAFETY: By the requirements.
        Some(number) => unsafe { inode::get::<T>((*directory).i_sb, number) }.map(NonNull::as_ptr),
        None => Ok(null_mut()),
    });

    match found {
        // SAFETY: This takes the reference. Without an inode the kernel knows that there is none.
        Ok(inode) => unsafe { bindings::d_splice_alias(inode, dentry) },
        Err(error) => error.to_ptr(),
    }
}

/// # Safety
///
/// Only the VFS may call this, for an open directory of a `T`.
unsafe extern "C" fn iterate<T: FileSystem>(
    file: *mut bindings::file,
    context: *mut bindings::dir_context,
) -> c_int {
    // SAFETY: By the requirements.
    if !unsafe { xen_bindings::xenoxide_dir_emit_dots(file, context) } {
        return 0;
    }
    // SAFETY: By the requirements; positions before this one were just dealt with.
    let (fs, node, from) = unsafe {
        let (fs, node) = inode::view::<T>((*file).f_inode);
        (fs, node, (*context).pos - DOTS)
    };
    let mut emit = |name: &[u8], number: u64, kind: u8| {
        if !(1..=NAME_MAX).contains(&name.len()) {
            return false;
        }
        let (len, kind) = (name.len() as c_int, u32::from(kind));
        // SAFETY: By the requirements. So many bytes are there.
        unsafe {
            let has_room =
                xen_bindings::xenoxide_dir_emit(context, name.as_ptr(), len, number, kind);
            (*context).pos += i64::from(has_room);
            has_room
        }
    };

    from_result(|| {
        fs.read_directory(node, u64::try_from(from)?, &mut emit)?;
        Ok(0)
    })
}
