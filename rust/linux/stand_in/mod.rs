// SPDX-License-Identifier: GPL-2.0

//! Pages that stand in for a program's own.
//!
//! The kernel lets no module replace the pages of anonymous memory. So it is done as the program
//! could do it: a file without a name is mapped over them, privately. Its pages are [`Frames`] of
//! somebody else's, as long as there are any, and else those of a file in memory, which can be
//! swapped out. What the program writes is its own copy, and it can never execute them.
//!
//! ```text
//!            replace                          take_away
//!   nothing ────────▶ a frame, mapped ───────────────────▶ a page of the file, with a copy
//!                            │ the program unmaps it, or ends
//!                            ▼
//!                       Keeper::over
//! ```
//!
//! Only modules with a file system have what this calls, in `rust/helpers/vfs.o`.
//!
//! C headers: [`include/linux/shmem_fs.h`](srctree/include/linux/shmem_fs.h),
//! [`include/linux/mm.h`](srctree/include/linux/mm.h).

mod folio;
#[cfg(CONFIG_KUNIT)]
pub mod inside;
mod mapping;

pub use mapping::is_mapped;

use crate::bindings as xen_bindings;
use core::{
    mem,
    ops::Range,
    ptr::NonNull, //
};
use folio::Folio;
use kernel::{
    bindings,
    error::{
        from_err_ptr,
        to_result, //
    },
    ffi::c_int,
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        Arc,
        Mutex,
        SetOnce, //
    }, //
};

/// Frames that have pages' contents.
///
/// # Safety
///
/// Programs may read a frame whose number [`Frames::number`] returns, but neither write nor execute
/// it, until [`Frames::release`] is called for its page.
pub unsafe trait Frames: Send + Sync + 'static {
    /// Returns the number of the frame that has a page's content. [`None`] if there is none.
    ///
    /// Context: process context.
    fn number(&self, page: usize) -> Option<usize>;

    /// Copies a page's content to `to`.
    ///
    /// Context: process context.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is no frame, `EINVAL` if `to` is longer than a page.
    fn read(&self, page: usize, to: &mut [u8]) -> Result;

    /// Has no frames for these pages any more.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Safety
    ///
    /// No program may have one of them mapped, and nobody may be asking for their numbers.
    unsafe fn release(&self, pages: Range<usize>);
}

/// Who is told that no program has pages any more.
pub trait Keeper<F: Frames>: Send + Sync + Sized + 'static {
    /// No program has one of the pages mapped any more, or can map one.
    ///
    /// Context: process context, may sleep; no lock of the memory management is held.
    fn over(stand_in: &Arc<StandIn<F, Self>>);
}

/// The file, as long as it is open.
#[derive(Clone, Copy)]
struct File(NonNull<bindings::file>);

// SAFETY: A file belongs to no thread.
unsafe impl Send for File {}

/// What makes a mapping of a file in memory.
type Map = unsafe extern "C" fn(*mut bindings::vm_area_desc) -> c_int;

/// What handles a fault on a page of a file in memory.
type Fault = unsafe extern "C" fn(*mut bindings::vm_fault) -> bindings::vm_fault_t;

/// A file in memory that nobody else has.
///
/// # Invariants
///
/// A reference to it is ours.
struct Fresh(NonNull<bindings::file>);

impl Fresh {
    /// Returns one of so many bytes.
    fn new(bytes: i64) -> Result<Self> {
        // SAFETY: No preconditions.
        let file = from_err_ptr(unsafe { xen_bindings::xenoxide_memory_file(bytes) })?;
        // INVARIANT: The reference is ours.
        Ok(Self(NonNull::new(file).ok_or(ENOMEM)?))
    }

    /// Returns what makes its mappings.
    fn map(&self) -> Result<Map> {
        // SAFETY: By the type invariants it is open; its functions are there.
        unsafe { (*(*self.0.as_ptr()).f_op).mmap_prepare }.ok_or(ENODEV)
    }

    /// Returns it, with the reference.
    fn take(self) -> NonNull<bindings::file> {
        let file = self.0;
        mem::forget(self);
        file
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::fput(self.0.as_ptr()) };
    }
}

/// Pages that stand in for those of a program.
///
/// # Invariants
///
/// - `file` is open as long as it is known and the lock is held. Its private data is a reference of
///   this object, and its functions are those of [`mapping`]. `map` and `fault` are its own ones.
/// - Programs have frames mapped by way of the file only, and get them under the lock of `file` only.
#[pin_data]
pub struct StandIn<F: Frames, K: Keeper<F>> {
    #[pin]
    file: Mutex<Option<File>>,
    map: Map,
    /// Known from the first mapping on.
    fault: SetOnce<Fault>,
    pages: usize,
    #[pin]
    frames: F,
    keeper: K,
}

impl<F: Frames, K: Keeper<F>> StandIn<F, K> {
    /// Returns a file with so many `pages`, without any mapping.
    ///
    /// Context: process context of a program that keeps the module, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENFILE`, `EINVAL` for no page, and what `frames` fails with.
    pub fn open(pages: usize, frames: impl PinInit<F, Error>, keeper: K) -> Result<Opened<F, K>> {
        let bytes = pages.checked_mul(PAGE_SIZE).filter(|&bytes| bytes > 0);
        let file = Fresh::new(i64::try_from(bytes.ok_or(EINVAL)?)?)?;
        let map = file.map()?;
        let this = Arc::pin_init(
            try_pin_init!(Self {
                file <- new_mutex!(None),
                map,
                fault: SetOnce::new(),
                pages,
                frames <- frames,
                keeper,
            }? Error),
            GFP_KERNEL,
        )?;
        let file = file.take();
        // SAFETY: Nobody else has the file yet. The module is there, as somebody calls.
        unsafe { mapping::take_over(file.as_ptr(), this.clone()) };
        // INVARIANT: It is open, and ours.
        *this.file.lock() = Some(File(file));
        Ok(Opened { file, this })
    }

    /// How many pages it has.
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// The frames. Their numbers are nobody's business.
    pub fn frames(&self) -> &F {
        &self.frames
    }

    /// Who keeps it.
    pub fn keeper(&self) -> &K {
        &self.keeper
    }

    /// Whether there is a frame for a page.
    ///
    /// Context: process context, may sleep.
    pub fn has_frame(&self, page: usize) -> bool {
        let _file = self.file.lock();
        self.frames.number(page).is_some()
    }

    /// Copies the content of a page's frame to `to`.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// As for [`Frames::read`].
    pub fn read(&self, page: usize, to: &mut [u8]) -> Result {
        // Nobody takes it away meanwhile.
        let _file = self.file.lock();
        self.frames.read(page, to)
    }

    /// Takes frames away from programs, which get `copies` of them instead, if they shall.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, if there is no memory for copies: then nothing is taken away.
    pub fn take_away(&self, pages: Range<usize>, copies: bool) -> Result {
        let file = self.file.lock();
        if let Some(File(file)) = *file {
            if copies {
                // SAFETY: By the type invariants the file is open.
                unsafe { self.copy(file.as_ptr(), pages.clone(), true) }?;
            }
            // SAFETY: As above.
            unsafe {
                bindings::unmap_mapping_pages(
                    (*file.as_ptr()).f_mapping,
                    pages.start,
                    pages.len(),
                    false,
                )
            };
        }
        // SAFETY: By the type invariants programs had them by way of the file only, and they get none
        // while we hold the lock.
        unsafe { self.frames.release(pages) };
        Ok(())
    }

    /// Puts what frames have into pages of the file; into all pages of a folio that is touched, as
    /// programs are shown all of it then. Without `make` only into folios that are there.
    ///
    /// # Safety
    ///
    /// `file` must be open, and the one in memory; its lock must be held.
    unsafe fn copy(&self, file: *mut bindings::file, pages: Range<usize>, make: bool) -> Result {
        let mut content = KVec::from_elem(0, PAGE_SIZE, GFP_KERNEL)?;
        let mut at = pages.start;
        while at < pages.end {
            let folio = match self.frames.number(at) {
                // SAFETY: By the requirements.
                Some(_) => unsafe { Folio::get(file, at, make) }?,
                None => None,
            };
            let Some(folio) = folio else {
                at += 1;
                continue;
            };
            at = folio.pages().end;
            for page in folio.pages().start..at.min(self.pages) {
                if self.frames.number(page).is_some() {
                    self.frames.read(page, &mut content)?;
                    folio.write(page, &content)?;
                }
            }
        }
        Ok(())
    }

    /// Sees to it that the file itself, where it has pages, has what frames have: perhaps there are
    /// folios from before the frames came.
    fn agree(&self, pages: Range<usize>) -> Result {
        let file = self.file.lock();
        let Some(File(file)) = &*file else {
            return Ok(());
        };
        // SAFETY: By the type invariants the file is open.
        match unsafe { xen_bindings::xenoxide_memory_file_is_empty(file.as_ptr()) } {
            true => Ok(()),
            // SAFETY: As above, and the lock is held.
            false => unsafe { self.copy(file.as_ptr(), pages, false) },
        }
    }
}

/// A file that can be mapped over the memory of programs. When it is dropped only mappings keep it.
///
/// # Invariants
///
/// `file` is that of `this`, and a reference to it is ours.
pub struct Opened<F: Frames, K: Keeper<F>> {
    file: NonNull<bindings::file>,
    this: Arc<StandIn<F, K>>,
}

impl<F: Frames, K: Keeper<F>> Opened<F, K> {
    /// What it opens.
    pub fn stand_in(&self) -> &Arc<StandIn<F, K>> {
        &self.this
    }

    /// Replaces the pages from `address` on, of the calling program, by `pages`.
    ///
    /// If it fails what was there is still there, unless the kernel has had no memory for the
    /// smallest allocations after it had unmapped it (`__mmap_region()`): that happens to programs
    /// only which are being killed.
    ///
    /// Context: process context of the program, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, for too many mappings as well; `EPERM` if the mapping is sealed.
    pub fn replace(&self, address: usize, pages: Range<usize>) -> Result {
        let (first, count) = (pages.start, pages.len());
        self.this.agree(pages)?;
        // SAFETY: The file is open. The kernel checks the rest: it is what mmap(2) does.
        let mapped = unsafe {
            bindings::vm_mmap(
                self.file.as_ptr(),
                address,
                count * PAGE_SIZE,
                xen_bindings::XENOXIDE_PROT_READ,
                xen_bindings::XENOXIDE_MAP_OVER,
                first * PAGE_SIZE,
            )
        };
        if mapped == address {
            return Ok(());
        }
        // A small negative number is an error.
        let error = i32::try_from(mapped as isize).unwrap_or(0);
        to_result(error).and(Err(EFAULT))
    }
}

impl<F: Frames, K: Keeper<F>> Drop for Opened<F, K> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the reference is ours.
        unsafe { bindings::fput(self.file.as_ptr()) };
    }
}
