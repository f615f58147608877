// SPDX-License-Identifier: GPL-2.0

//! Inodes, found by their numbers.
//!
//! An inode of ours has what the file system says of it in `i_private`, a [`FileSystem::Node`] in a
//! box; a link has its target in `i_link`, a C string of its own. Both are there before others find
//! the inode, and until it is freed.

use super::{
    directory,
    error::FileError,
    file,
    super_block::file_system,
    xattr,
    Attributes,
    FileSystem,
    TARGET_MAX, //
};
use crate::bindings as xen_bindings;
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    bindings,
    prelude::*, //
};

/// Bits of a device's minor number: `MINORBITS` in `include/linux/kdev_t.h`.
const MINOR_BITS: u32 = 20;

/// Functions of inodes of all kinds but directories.
struct Table<T>(PhantomData<T>);

impl<T: FileSystem> Table<T> {
    const FILE: bindings::inode_operations = bindings::inode_operations {
        listxattr: Some(xattr::list::<T>),
        get_inode_acl: Some(xattr::acl::<T>),
        ..pin_init::zeroed()
    };

    const LINK: bindings::inode_operations = bindings::inode_operations {
        get_link: Some(bindings::simple_get_link),
        listxattr: Some(xattr::list::<T>),
        ..pin_init::zeroed()
    };
}

/// Returns the file system that an inode is of, and what it has said of the inode.
///
/// # Safety
///
/// `inode` must be one from [`get`] that the caller has a reference to for `'a`, of a `T`.
pub(super) unsafe fn view<'a, T: FileSystem>(inode: *mut bindings::inode) -> (&'a T, &'a T::Node) {
    // SAFETY: By the requirements. Who has a reference to an inode keeps the super block.
    unsafe { (file_system((*inode).i_sb), &*(*inode).i_private.cast()) }
}

/// Returns the inode with that number, with a reference to it that the caller must put.
///
/// Context: process context, may sleep.
///
/// # Errors
///
/// `ENOMEM`, and what the file system says.
///
/// # Safety
///
/// `sb` must be a super block of a `T`, with its functions.
pub(super) unsafe fn get<T: FileSystem>(
    sb: *mut bindings::super_block,
    number: u64,
) -> Result<NonNull<bindings::inode>> {
    // SAFETY: By the requirements.
    let inode = NonNull::new(unsafe { bindings::iget_locked(sb, number) }).ok_or(ENOMEM)?;
    // SAFETY: We have a reference.
    if !unsafe { xen_bindings::xenoxide_inode_is_new(inode.as_ptr()) } {
        return Ok(inode);
    }
    // SAFETY: By the requirements, and as it is new: others wait for it.
    match unsafe { fill::<T>(inode.as_ptr(), file_system(sb), number) } {
        Ok(()) => {
            // SAFETY: As above.
            unsafe { bindings::unlock_new_inode(inode.as_ptr()) };
            Ok(inode)
        }
        Err(error) => {
            // SAFETY: As above. This takes the reference.
            unsafe { bindings::iget_failed(inode.as_ptr()) };
            Err(error)
        }
    }
}

/// # Safety
///
/// `inode` must be a new one of `fs`.
unsafe fn fill<T: FileSystem>(inode: *mut bindings::inode, fs: &T, number: u64) -> Result {
    let (attributes, node) = fs.inode(number)?.ok_or(FileError::Stale)?;
    let kind = u32::from(attributes.mode) & bindings::S_IFMT;
    let target = (kind == bindings::S_IFLNK)
        .then(|| target(fs, &node))
        .transpose()?;
    let node = KBox::new(node, GFP_KERNEL_ACCOUNT)?;

    // SAFETY: By the requirements the inode is ours alone. Its functions are for a `T`; those of a
    // device are set by `init_special_inode`. Nothing fails from here on, so what it owns is freed
    // with it.
    unsafe {
        describe(inode, &attributes);
        (*inode).i_private = KBox::into_raw(node).cast();
        (*inode).i_op = &Table::<T>::FILE;
        match kind {
            bindings::S_IFREG => {
                xen_bindings::xenoxide_inode_set_fop(inode, file::operations::<T>());
                (*(*inode).i_mapping).a_ops = file::pages::<T>();
            }
            bindings::S_IFDIR => {
                (*inode).i_op = directory::inode_operations::<T>();
                xen_bindings::xenoxide_inode_set_fop(inode, directory::operations::<T>());
            }
            bindings::S_IFLNK => {
                (*inode).i_op = &Table::<T>::LINK;
                let target = target.unwrap_or_default().into_raw_parts().0;
                xen_bindings::xenoxide_inode_set_link(inode, target);
            }
            _ => {
                let (major, minor) = attributes.device;
                let device = (major << MINOR_BITS) | (minor & ((1 << MINOR_BITS) - 1));
                bindings::init_special_inode(inode, attributes.mode, device);
            }
        }
    }
    Ok(())
}

/// Writes down what `stat(2)` says.
///
/// # Safety
///
/// `inode` must be a new one, of the caller's alone.
unsafe fn describe(inode: *mut bindings::inode, attributes: &Attributes) {
    let (seconds, nanoseconds) = attributes.modified;

    // SAFETY: By the requirements.
    unsafe {
        (*inode).i_mode = attributes.mode;
        (*inode).i_size = i64::try_from(attributes.size).unwrap_or(i64::MAX);
        (*inode).i_blocks = attributes.sectors;
        (*inode).i_generation = attributes.generation;
        bindings::set_nlink(inode, attributes.links);
        xen_bindings::xenoxide_inode_set_uid(inode, attributes.uid);
        xen_bindings::xenoxide_inode_set_gid(inode, attributes.gid);
        xen_bindings::xenoxide_inode_set_times(inode, seconds, nanoseconds);
    }
}

/// Returns a link's target, with a zero behind it.
fn target<T: FileSystem>(fs: &T, link: &T::Node) -> Result<KVec<u8>> {
    let mut room = KVec::from_elem(0, TARGET_MAX, GFP_KERNEL)?;
    let len = fs.target(link, (&mut room[..]).try_into().map_err(|_| EINVAL)?)?;
    let text = room.get(..len).ok_or(EIO)?;
    if text.is_empty() || text.contains(&0) {
        return Err(EIO);
    }
    let mut target = KVec::with_capacity(len + 1, GFP_KERNEL_ACCOUNT)?;

    target.extend_from_slice(text, GFP_KERNEL_ACCOUNT)?;
    target.push(0, GFP_KERNEL_ACCOUNT)?;
    Ok(target)
}

/// Frees an inode.
///
/// # Safety
///
/// Only the VFS may call this, for an inode of a `T` that nobody can find any more.
pub(super) unsafe extern "C" fn free<T: FileSystem>(inode: *mut bindings::inode) {
    // SAFETY: By the requirements. One that could not be filled is a bad one, with neither, and is
    // no link.
    unsafe {
        let node = (*inode).i_private.cast::<T::Node>();
        if !node.is_null() {
            drop(KBox::from_raw(node));
        }
        if u32::from((*inode).i_mode) & bindings::S_IFMT == bindings::S_IFLNK {
            bindings::kfree(xen_bindings::xenoxide_inode_link(inode).cast());
        }
        bindings::free_inode_nonrcu(inode);
    }
}
