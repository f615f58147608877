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
    linux::module,
    vfs::{
        Around,
        AtHand,
        Locked,
        Pinned,
        PAGES, //
    }, //
};
use core::{
    marker::PhantomData,
    ops::Range, //
};
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
}

/// Frames of pages from one on, 0 where there is none.
///
/// # Invariants
///
/// Programs may have them as long as the object is there, and then until they are taken away.
struct Numbers {
    first: u64,
    numbers: [usize; PAGES],
}

impl Numbers {
    /// Returns the frames of pages.
    ///
    /// # Safety
    ///
    /// The lock of the file must be held as long as the object is there.
    unsafe fn new(frames: &impl Frames, indexes: Range<u64>) -> Self {
        let mut numbers = [0; PAGES];
        for (number, page) in numbers.iter_mut().zip(indexes.clone()) {
            *number = frames.number(page as usize).unwrap_or(0);
        }
        // INVARIANT: By the requirements nobody takes frames away.
        Self {
            first: indexes.start,
            numbers,
        }
    }

    /// None at all.
    fn none() -> Self {
        // INVARIANT: There is no frame.
        Self {
            first: 0,
            numbers: [0; PAGES],
        }
    }
}

/// A frame.
///
/// # Invariants
///
/// It is one of [`Numbers`] that are there.
struct Frame(usize);

// SAFETY: By the type invariants programs may read it. `StandIn::take_away` looks for mappings.
unsafe impl Pinned for Frame {
    fn pfn(&self) -> usize {
        self.0
    }
}

impl AtHand for Numbers {
    type Frames<'a> = Frame;

    fn each<'a>(&'a self, _locked: &'a Locked, mut each: impl FnMut(u64, Self::Frames<'a>)) {
        let known = (self.first..).zip(&self.numbers);
        for (index, &number) in known.filter(|(_, &number)| number != 0) {
            // INVARIANT: It is one of them.
            each(index, Frame(number));
        }
    }
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
        // SAFETY: By the requirements; the mapping is one for frames, made by `map`.
        let around = unsafe { Around::new(vma, (page, address), this.pages) };
        let numbers = match this.frames.number(page) {
            // SAFETY: The lock is held until this block ends.
            Some(_) => unsafe { Numbers::new(&this.frames, around.indexes()) },
            // Only to have a page table: without one the kernel maps a huge page of the file, if there is
            // one, which it does not count as it should in a mapping with frames.
            None => Numbers::none(),
        };
        match around.insert(&numbers, page as u64) {
            Ok(true) => return bindings::vm_fault_reason_VM_FAULT_NOPAGE,
            Ok(false) => {}
            Err(_) => return bindings::vm_fault_reason_VM_FAULT_OOM,
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
