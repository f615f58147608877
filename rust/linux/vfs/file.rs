// SPDX-License-Identifier: GPL-2.0

//! Regular files.

use super::{
    inode,
    mapping,
    FileSystem,
    Seek, //
};
use crate::bindings as xen_bindings;
use core::marker::PhantomData;
use kernel::{
    bindings,
    error::from_result,
    ffi::c_int,
    iov::IovIterDest,
    page::PAGE_SIZE,
    prelude::*, //
};

/// Functions of regular files.
struct Table<T>(PhantomData<T>);

impl<T: FileSystem> Table<T> {
    // Splicing copies: pages of a pipe may be kept for any time.
    const FILE: bindings::file_operations = bindings::file_operations {
        llseek: Some(seek::<T>),
        read_iter: Some(read::<T>),
        mmap_prepare: Some(mapping::map::<T>),
        open: Some(bindings::generic_file_open),
        splice_read: Some(bindings::copy_splice_read),
        ..pin_init::zeroed()
    };

    const PAGES: bindings::address_space_operations = bindings::address_space_operations {
        read_folio: Some(read_folio::<T>),
        ..pin_init::zeroed()
    };
}

/// Returns the functions of an open file.
pub(super) const fn operations<T: FileSystem>() -> &'static bindings::file_operations {
    &Table::<T>::FILE
}

/// Returns the functions of a file's page cache.
pub(super) const fn pages<T: FileSystem>() -> &'static bindings::address_space_operations {
    &Table::<T>::PAGES
}

/// # Safety
///
/// Only the VFS may call this, for a file of a `T`.
unsafe extern "C" fn read<T: FileSystem>(
    call: *mut bindings::kiocb,
    iter: *mut bindings::iov_iter,
) -> isize {
    // SAFETY: By the requirements.
    let (inode, at) = unsafe { ((*(*call).ki_filp).f_inode, (*call).ki_pos) };
    // SAFETY: By the requirements; a file keeps its inode.
    let ((fs, node), size) = unsafe { (inode::view::<T>(inode), (*inode).i_size) };
    // SAFETY: By the requirements: it is to be written to, for the duration of this call.
    let to = unsafe { IovIterDest::from_raw(iter) };
    let room = to.len();
    let (Ok(at), Ok(left)) = (u64::try_from(at), u64::try_from(size.saturating_sub(at))) else {
        return 0;
    };

    // SAFETY: It is made as long again as it would be, below.
    unsafe { xen_bindings::xenoxide_iter_truncate(to.as_raw(), left) };
    let part = to.len();
    let result = if part > 0 {
        fs.read(node, at, to)
    } else {
        Ok(())
    };
    let copied = part - to.len();
    // SAFETY: By the requirements; so much of it was used.
    unsafe {
        xen_bindings::xenoxide_iter_reexpand(to.as_raw(), room - copied);
        (*call).ki_pos += copied as i64;
    }

    from_result(|| match result {
        Err(error) if copied == 0 => Err(error),
        Ok(()) if copied == 0 && part > 0 => Err(EFAULT),
        _ => Ok(copied as isize),
    })
}

/// # Safety
///
/// Only the VFS may call this, for a file of a `T`.
unsafe extern "C" fn seek<T: FileSystem>(
    file: *mut bindings::file,
    offset: bindings::loff_t,
    whence: c_int,
) -> bindings::loff_t {
    let what = match whence as u32 {
        bindings::SEEK_DATA => Seek::Data,
        bindings::SEEK_HOLE => Seek::Hole,
        // SAFETY: By the requirements.
        _ => return unsafe { bindings::generic_file_llseek(file, offset, whence) },
    };
    // SAFETY: By the requirements; a file keeps its inode.
    let ((fs, node), size) = unsafe {
        let inode = (*file).f_inode;
        (inode::view::<T>(inode), (*inode).i_size)
    };

    from_result(|| {
        if !(0..size).contains(&offset) {
            return Err(ENXIO);
        }
        let found = fs.seek(node, offset.unsigned_abs(), what)?;
        let found = found.and_then(|found| i64::try_from(found).ok());
        let place = match found.filter(|found| *found < size) {
            Some(found) => found.max(offset),
            None if what == Seek::Hole => size,
            None => return Err(ENXIO),
        };
        // SAFETY: By the requirements.
        Ok(unsafe { bindings::vfs_setpos(file, place, i64::MAX) })
    })
}

/// Fills a page of the page cache.
///
/// # Safety
///
/// Only the page cache may call this, for a page of a `T`'s file, which it has locked.
unsafe extern "C" fn read_folio<T: FileSystem>(
    _file: *mut bindings::file,
    folio: *mut bindings::folio,
) -> c_int {
    // SAFETY: By the requirements; a page of the cache keeps its inode while it is locked.
    let (inode, index) = unsafe {
        (
            xen_bindings::xenoxide_folio_inode(folio),
            xen_bindings::xenoxide_folio_index(folio),
        )
    };
    // SAFETY: As above.
    let ((fs, node), size) = unsafe { (inode::view::<T>(inode), (*inode).i_size) };
    // SAFETY: It is one page, since no others were asked for; ours to write as it is locked, and
    // not up to date. What it has, has no type.
    let page = unsafe {
        let address = xen_bindings::xenoxide_folio_map(folio).cast::<u8>();
        address.write_bytes(0, PAGE_SIZE);
        core::slice::from_raw_parts_mut(address, PAGE_SIZE)
    };
    let start = index.saturating_mul(PAGE_SIZE);
    let used = usize::try_from(size).unwrap_or(0).saturating_sub(start);
    let result = fs.fill(node, index as u64, page);
    if let Some(rest) = page.get_mut(used..) {
        rest.fill(0);
    }

    // SAFETY: It is what was mapped above, and nobody has a reference to it any more.
    unsafe {
        xen_bindings::xenoxide_folio_unmap(page.as_mut_ptr().cast());
        bindings::folio_end_read(folio, result.is_ok());
    }
    from_result(|| result.map(|()| 0))
}
