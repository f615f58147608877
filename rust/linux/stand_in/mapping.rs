// SPDX-License-Identifier: GPL-2.0

//! Mappings of pages that stand in for others.
//!
//! The kernel knows no page of a frame, so nobody can hold one beyond the mapping: `O_DIRECT`,
//! `vmsplice(2)`, `process_vm_readv(2)` and futexes fail with `EFAULT` there, as for
//! [files](crate::vfs).

use super::{
    Frames,
    Keeper,
    StandIn, //
};
use crate::{
    bindings as xen_bindings,
    linux::module, //
};
use core::marker::PhantomData;
use kernel::{
    bindings,
    error::{
        from_result,
        to_result, //
    },
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    mm::virt::VmaRef,
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// So many pages are looked at when one is missing, those in the same place of a multiple of it.
const AROUND: usize = 16;

/// Functions of the file and of its mappings.
struct Table<F, K>(PhantomData<(F, K)>);

impl<F: Frames, K: Keeper<F>> Table<F, K> {
    const FILE: bindings::file_operations = bindings::file_operations {
        owner: module::this(),
        mmap_prepare: Some(map::<F, K>),
        release: Some(release::<F, K>),
        ..pin_init::zeroed()
    };

    const MAPPING: bindings::vm_operations_struct = bindings::vm_operations_struct {
        access: Some(access::<F, K>),
        fault: Some(fault::<F, K>),
        map_pages: Some(bindings::filemap_map_pages),
        ..pin_init::zeroed()
    };

    /// Returns the functions of the file.
    fn file() -> &'static bindings::file_operations {
        &Self::FILE
    }
}

/// Makes `file` one of `this`, which it keeps.
///
/// # Safety
///
/// It must be a file in memory that nobody else has yet; the module must not be about to be unloaded.
pub(super) unsafe fn take_over<F: Frames, K: Keeper<F>>(
    file: *mut bindings::file,
    this: Arc<StandIn<F, K>>,
) {
    // SAFETY: By the requirements. The file gives the module back when it is freed, and the object
    // to `release`.
    unsafe {
        bindings::__module_get(module::this());
        (*file).f_op = Table::<F, K>::file();
        (*file).private_data = Arc::into_raw(this).cast_mut().cast();
    }
}

/// Returns what a file is of.
///
/// # Safety
///
/// It must be a file that was [taken over](take_over) with these types, and stay open for `'a`.
unsafe fn stand_in<'a, F: Frames, K: Keeper<F>>(file: *mut bindings::file) -> &'a StandIn<F, K> {
    // SAFETY: By the requirements the file has a reference of it.
    unsafe { &*(*file).private_data.cast::<StandIn<F, K>>() }
}

/// Whether an area of a program's memory is a mapping of pages that stand in for others.
///
/// Context: any; the area is locked for reading.
pub fn is_mapped(area: &VmaRef) -> bool {
    // SAFETY: It is there, and keeps its file. No other files of the module that can be mapped have
    // an owner.
    unsafe {
        let file = (*area.as_ptr()).vm_file;
        !file.is_null() && (*(*file).f_op).owner == module::this()
    }
}

/// Makes a mapping.
///
/// # Safety
///
/// Only the memory management may call this, for a file with these types.
unsafe extern "C" fn map<F: Frames, K: Keeper<F>>(mapping: *mut bindings::vm_area_desc) -> c_int {
    // SAFETY: By the requirements.
    let this = unsafe { stand_in::<F, K>((*mapping).file) };

    from_result(|| {
        // SAFETY: By the requirements it is ours to look at and to change.
        unsafe {
            if xen_bindings::xenoxide_mapping_executes(mapping) {
                return Err(EACCES);
            }
            this.prepare(mapping)?;
            xen_bindings::xenoxide_mapping_never_executes(mapping);
            xen_bindings::xenoxide_mapping_has_frames(mapping);
            (*mapping).vm_ops = &Table::<F, K>::MAPPING;
        }
        Ok(0)
    })
}

impl<F: Frames, K: Keeper<F>> StandIn<F, K> {
    /// Makes a mapping as one of the file in memory.
    ///
    /// # Safety
    ///
    /// `mapping` must be one of the file that is being made.
    unsafe fn prepare(&self, mapping: *mut bindings::vm_area_desc) -> Result {
        // SAFETY: By the requirements; by the type invariants that is what the file has.
        to_result(unsafe { (self.map)(mapping) })?;
        // SAFETY: By the requirements; it has functions now.
        let own = unsafe { (*(*mapping).vm_ops).fault }.ok_or(ENODEV)?;
        self.fault.populate(own);
        Ok(())
    }

    /// Maps frames around one that was missing.
    ///
    /// # Safety
    ///
    /// `vma` must be a mapping of the file in which a fault is being handled, and the lock held.
    unsafe fn insert_around(
        &self,
        vma: *mut bindings::vm_area_struct,
        (page, address): (usize, usize),
    ) {
        // SAFETY: By the requirements.
        let (start, len) = unsafe { ((*vma).vm_pgoff, xen_bindings::xenoxide_mapping_pages(vma)) };
        let first = (page - page % AROUND).max(start);
        let end = self
            .pages
            .min(start.saturating_add(len))
            .min(first + AROUND);
        let mut around = Numbers {
            vma,
            first: address.wrapping_sub((page - first).wrapping_mul(PAGE_SIZE)),
            numbers: [0; AROUND],
        };
        for (number, other) in around.numbers.iter_mut().zip(first..end) {
            *number = self.frames.number(other).unwrap_or(0);
        }
        // SAFETY: By the requirements so many pages from the first one's address on are in the mapping, and
        // the function is called with what it is for. With no memory for page tables pages are mapped when
        // they are missing.
        unsafe {
            bindings::apply_to_page_range(
                (*vma).vm_mm,
                around.first,
                end.saturating_sub(first) * PAGE_SIZE,
                Some(insert),
                (&raw mut around).cast(),
            )
        };
    }
}

/// What [`insert`] is called with: the frames of the pages from an address on, 0 where there is none.
struct Numbers {
    vma: *mut bindings::vm_area_struct,
    first: usize,
    numbers: [usize; AROUND],
}

/// Maps a page that has a frame.
///
/// # Safety
///
/// `data` is a [`Numbers`] of frames that may be mapped now, and `entry` that of one of its pages in a page
/// table which is locked.
unsafe extern "C" fn insert(
    entry: *mut bindings::pte_t,
    address: c_ulong,
    data: *mut c_void,
) -> c_int {
    // SAFETY: By the requirements.
    let around = unsafe { &*data.cast::<Numbers>() };
    let at = address.wrapping_sub(around.first) / PAGE_SIZE;
    if let Some(&number) = around.numbers.get(at).filter(|&&number| number != 0) {
        // SAFETY: By the requirements.
        unsafe { xen_bindings::xenoxide_mapping_insert(around.vma, address, entry, number, 1) };
    }
    0
}

/// Maps a page that is missing.
///
/// # Safety
///
/// Only the memory management may call this, for a mapping of a file with these types.
unsafe extern "C" fn fault<F: Frames, K: Keeper<F>>(
    fault: *mut bindings::vm_fault,
) -> bindings::vm_fault_t {
    // SAFETY: By the requirements; a mapping keeps its file.
    let (this, vma, page, address) = unsafe {
        let place = &(*fault).__bindgen_anon_1;
        let this = stand_in::<F, K>((*place.vma).vm_file);
        (this, place.vma, place.pgoff, place.address)
    };
    {
        // Who takes a frame away holds the lock, and looks for mappings.
        let _file = this.file.lock();
        if let Some(number) = this.frames.number(page) {
            // SAFETY: The mapping is one for frames, made by `map`. By the type invariants the frame
            // may be mapped, under the lock.
            let result = unsafe { bindings::vmf_insert_mixed(vma, address, number) };
            if result == bindings::vm_fault_reason_VM_FAULT_NOPAGE {
                // SAFETY: As above.
                unsafe { this.insert_around(vma, (page, address)) };
            }
            return result;
        }
    }
    match this.fault.as_ref() {
        // SAFETY: It is what the file's own mappings have, and a page of the file is missing.
        Some(own) => unsafe { own(fault) },
        None => bindings::vm_fault_reason_VM_FAULT_SIGBUS,
    }
}

/// Reads what a program has mapped, for a debugger: only what the kernel knows no page of comes here.
///
/// # Safety
///
/// Only the memory management may call this, for a mapping of a file with these types, with an
/// address in it.
unsafe extern "C" fn access<F: Frames, K: Keeper<F>>(
    vma: *mut bindings::vm_area_struct,
    address: c_ulong,
    buf: *mut c_void,
    len: c_int,
    write: c_int,
) -> c_int {
    // SAFETY: By the requirements; a mapping keeps its file.
    let (this, page) = unsafe {
        (
            stand_in::<F, K>((*vma).vm_file),
            xen_bindings::xenoxide_mapping_index(vma, address),
        )
    };

    from_result(|| {
        if write != 0 {
            return Err(EFAULT);
        }
        let mut content = KVec::from_elem(0, PAGE_SIZE, GFP_KERNEL)?;
        this.read(page, &mut content)?;
        let rest = content.get(address % PAGE_SIZE..).unwrap_or(&[]);
        let part = rest.len().min(usize::try_from(len)?);
        // SAFETY: By the requirements there is room for `len` bytes.
        unsafe {
            buf.cast::<u8>()
                .copy_from_nonoverlapping(rest.as_ptr(), part)
        };
        Ok(part as c_int)
    })
}

/// The last one who had the file has it no more.
///
/// # Safety
///
/// Only the VFS may call this, once, for a file with these types.
unsafe extern "C" fn release<F: Frames, K: Keeper<F>>(
    _inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    // SAFETY: By the requirements: the file's reference is ours now.
    let this = unsafe { Arc::from_raw((*file).private_data.cast::<StandIn<F, K>>()) };
    // INVARIANT: It is not open any more.
    *this.file.lock() = None;
    K::over(&this);
    0
}
