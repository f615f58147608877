// SPDX-License-Identifier: GPL-2.0

//! Files in the memory of programs.
//!
//! What a program may execute, and all if there are no frames, comes from the page cache. Anything
//! else comes from the file system's frames as long as it has them, and can never be made
//! executable: `mprotect(2)` fails with `EACCES`, as it does on a file system mounted `noexec`.
//!
//! The kernel knows no page of a frame, so nobody can hold one beyond the mapping: `O_DIRECT`,
//! `vmsplice(2)`, `process_vm_readv(2)` and futexes fail with `EFAULT` there. A debugger reads it
//! by [`FileSystem::fill`].

use super::{
    around::{
        Around,
        AtHand,
        Locked, //
    },
    inode,
    FileSystem,
    Pinned, //
};
use crate::bindings as xen_bindings;
use core::marker::PhantomData;
use kernel::{
    bindings,
    error::from_result,
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    page::PAGE_SIZE,
    prelude::*, //
};

/// Functions of mappings with frames.
struct Table<T>(PhantomData<T>);

impl<T: FileSystem> Table<T> {
    const FRAMES: bindings::vm_operations_struct = bindings::vm_operations_struct {
        access: Some(access::<T>),
        fault: Some(fault::<T>),
        ..pin_init::zeroed()
    };
}

/// Makes a mapping.
///
/// # Safety
///
/// Only the memory management may call this, for a file of a `T`.
pub(super) unsafe extern "C" fn map<T: FileSystem>(mapping: *mut bindings::vm_area_desc) -> c_int {
    // SAFETY: By the requirements.
    let result = unsafe { bindings::generic_file_readonly_mmap_prepare(mapping) };
    // SAFETY: By the requirements; a file keeps its inode.
    let (fs, executes, number) = unsafe {
        let inode = (*(*mapping).file).f_inode;
        (
            inode::view::<T>(inode).0,
            xen_bindings::xenoxide_mapping_executes(mapping),
            (*inode).i_ino,
        )
    };
    if result != 0 || executes || !fs.has_frames() {
        return result;
    }

    from_result(|| {
        fs.mount().shows(number)?;
        // SAFETY: By the requirements it is ours to change.
        unsafe {
            xen_bindings::xenoxide_mapping_never_executes(mapping);
            xen_bindings::xenoxide_mapping_has_frames(mapping);
            (*mapping).vm_ops = &Table::<T>::FRAMES;
        }
        Ok(0)
    })
}

/// Returns how many pages a file has.
///
/// # Safety
///
/// `inode` must be valid.
unsafe fn pages(inode: *mut bindings::inode) -> usize {
    // SAFETY: By the requirements.
    let size = unsafe { (*inode).i_size };

    usize::try_from(size).unwrap_or(0).div_ceil(PAGE_SIZE)
}

/// Pages of a file that follow each other.
struct Pages<'a, T: FileSystem> {
    fs: &'a T,
    run: &'a T::Run,
}

impl<T: FileSystem> AtHand for Pages<'_, T> {
    type Frames<'a>
        = T::Shown<'a>
    where
        Self: 'a;

    #[inline]
    fn each<'a>(&'a self, locked: &'a Locked, each: impl FnMut(u64, T::Shown<'a>)) {
        self.fs.frames_at_hand(self.run, locked, each);
    }
}

/// Maps a page that is missing.
///
/// # Safety
///
/// Only the memory management may call this, for a mapping of a `T`'s file.
unsafe extern "C" fn fault<T: FileSystem>(fault: *mut bindings::vm_fault) -> bindings::vm_fault_t {
    // SAFETY: By the requirements; a mapping keeps its file.
    let (vma, index, address, inode) = unsafe {
        let place = &(*fault).__bindgen_anon_1;
        let inode = (*(*place.vma).vm_file).f_inode;
        (place.vma, place.pgoff, place.address, inode)
    };
    // SAFETY: As above.
    let ((fs, node), end) = unsafe { (inode::view::<T>(inode), pages(inode)) };
    if index >= end {
        return bindings::vm_fault_reason_VM_FAULT_SIGBUS;
    }
    // SAFETY: By the requirements.
    let around = unsafe { Around::new(vma, (index, address), end) };
    let index = index as u64;
    let run = fs.run(node, index, around.indexes());
    if let Ok(Some(run)) = &run {
        if around.insert(&Pages { fs, run }, index) == Ok(true) {
            return bindings::vm_fault_reason_VM_FAULT_NOPAGE;
        }
    }
    let frame = match fs.frame(node, index) {
        Ok(Some(frame)) => frame,
        // SAFETY: By the requirements.
        Ok(None) => return unsafe { bindings::filemap_fault(fault) },
        Err(error) if error == ENOMEM => return bindings::vm_fault_reason_VM_FAULT_OOM,
        Err(_) => return bindings::vm_fault_reason_VM_FAULT_SIGBUS,
    };
    // SAFETY: The mapping is one for frames, made by `map`. Whoever takes the frame away waits until
    // `frame` is gone, and looks for mappings then.
    let result = unsafe { bindings::vmf_insert_mixed(vma, address, frame.pfn()) };
    if let (Ok(Some(run)), bindings::vm_fault_reason_VM_FAULT_NOPAGE) = (&run, result) {
        fs.show(run);
        // The page itself is mapped: the others can have faults of their own.
        let _ = around.insert(&Pages { fs, run }, index);
    }
    result
}

/// Reads what a program has mapped, for a debugger.
///
/// # Safety
///
/// Only the memory management may call this, for a mapping of a `T`'s file, with an address in it.
unsafe extern "C" fn access<T: FileSystem>(
    vma: *mut bindings::vm_area_struct,
    address: c_ulong,
    buf: *mut c_void,
    len: c_int,
    write: c_int,
) -> c_int {
    // SAFETY: By the requirements; a mapping keeps its file.
    let (inode, index) = unsafe {
        (
            (*(*vma).vm_file).f_inode,
            xen_bindings::xenoxide_mapping_index(vma, address),
        )
    };
    // SAFETY: As above.
    let ((fs, node), end) = unsafe { (inode::view::<T>(inode), pages(inode)) };

    from_result(|| {
        if write != 0 || index >= end {
            return Err(EFAULT);
        }
        let mut page = KVec::from_elem(0, PAGE_SIZE, GFP_KERNEL)?;
        fs.fill(node, index as u64, &mut page)?;
        let rest = page.get(address % PAGE_SIZE..).unwrap_or(&[]);
        let part = rest.len().min(usize::try_from(len)?);
        // SAFETY: By the requirements there is room for `len` bytes.
        unsafe {
            buf.cast::<u8>()
                .copy_from_nonoverlapping(rest.as_ptr(), part)
        };
        Ok(part as c_int)
    })
}
