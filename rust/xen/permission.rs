// SPDX-License-Identifier: GPL-2.0

//! Who may read and write nodes of xenstore.
//!
//! The kernel has no function to say so. Its device for programs, `/dev/xen/xenbus`, carries any
//! message, but only from and to a program's memory: a page of it is borrowed. Threads of the kernel
//! borrow it from the program that loaded the module, whose memory is kept for that.
//!
//! C headers: [`include/xen/interface/io/xs_wire.h`](srctree/include/xen/interface/io/xs_wire.h),
//! `drivers/xen/xenbus/xenbus_dev_frontend.c`.

use super::domain::DomId;
use crate::bindings as xen_bindings;
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::from_err_ptr,
    ffi::{
        c_char,
        c_int, //
    },
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    str::CString,
    sync::Mutex,
    types::NotThreadSafe,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

/// What a domain may do with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    None,
    /// Read it.
    Read,
    /// Write it.
    Write,
    /// Both.
    Both,
}

impl Access {
    /// Returns xenstore's letter for it.
    const fn letter(self) -> char {
        match self {
            Access::None => 'n',
            Access::Read => 'r',
            Access::Write => 'w',
            Access::Both => 'b',
        }
    }
}

/// The size of a message's header.
const HEADER: usize = size_of::<xen_bindings::xsd_sockmsg>();

/// The device for xenstore's messages, open.
///
/// It is kept open, for later there may be no program around that sees its node: after a resume in a
/// new domain, whose xenstore has none of the old one's permissions, there is only the kernel.
#[pin_data]
pub struct Device {
    file: OpenFile,
    memory: Memory,
    /// The number of the last message. Whoever holds the lock may have one on its way.
    #[pin]
    last: Mutex<u32>,
}

impl Device {
    /// Opens it, as the program that loads the module, and keeps the memory of that.
    ///
    /// Context: process context of a program that sees `/dev`, may sleep.
    ///
    /// # Errors
    ///
    /// `EPERM` if it is no program, or one without `CAP_SYS_ADMIN`; what `open(2)` says: `ENOENT`,
    /// `EACCES`, …; `ENXIO` if it is not that device.
    pub fn open() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            memory: Memory::current()?,
            file: OpenFile::open(c"/dev/xen/xenbus")?,
            last <- new_mutex!(0),
        })
    }

    /// Sets who may do what with the node `path`, and with what will be made below it: `owner`
    /// everything, others `others`, and those of `single` what is said there.
    ///
    /// Only the owner of a node may do this.
    ///
    /// Context: process context, sleeps until xenstored has answered.
    ///
    /// # Errors
    ///
    /// `EPERM` for a program that is not trusted with this (it has no `CAP_SYS_ADMIN`): a thread of
    /// the kernel is. `EINTR` if the program is wanted elsewhere; what xenstored says: `ENOENT`,
    /// `EACCES`, …
    pub fn permit(
        &self,
        path: &CStr,
        owner: DomId,
        others: Access,
        single: &[(DomId, Access)],
    ) -> Result {
        let mut body = KVec::new();
        body.extend_from_slice(path.to_bytes_with_nul(), GFP_KERNEL)?;
        // The first entry says who owns the node, and what those may do that are not named.
        let first = [(owner, others)];
        for (domain, access) in Iterator::chain(first.iter(), single) {
            let entry = CString::try_from_fmt(fmt!("{}{}", access.letter(), domain))?;
            body.extend_from_slice(entry.to_bytes_with_nul(), GFP_KERNEL)?;
        }
        self.request(xen_bindings::xsd_sockmsg_type_XS_SET_PERMS, &body)
    }

    /// Sends a message to xenstored and waits for its answer, which must be a plain yes.
    fn request(&self, kind: u32, body: &[u8]) -> Result {
        let page = Borrowed::new(&self.memory)?;
        let mut last = self.last.lock();
        *last = last.wrapping_add(1);
        let header = xen_bindings::xsd_sockmsg {
            type_: kind,
            req_id: *last,
            tx_id: 0,
            len: u32::try_from(body.len())?,
        };
        let mut message = KVec::with_capacity(HEADER + body.len(), GFP_KERNEL)?;
        for word in [header.type_, header.req_id, header.tx_id, header.len] {
            message.extend_from_slice(&word.to_ne_bytes(), GFP_KERNEL)?;
        }
        message.extend_from_slice(body, GFP_KERNEL)?;
        self.file.write(&page, &message)?;

        loop {
            let mut answer = [0; HEADER];
            self.file.read(&page, &mut answer)?;
            let word = |n: usize| {
                let bytes = answer.iter().skip(n * 4).take(4).rev();
                bytes.fold(0, |word, &byte| word << 8 | u32::from(byte))
            };
            let (kind, number, len) = (word(0), word(1), word(3));
            let len = usize::try_from(len)?;
            let mut text = KVec::from_elem(0, len.min(PAGE_SIZE), GFP_KERNEL)?;
            self.file.read(&page, &mut text)?;
            // An earlier caller may not have waited for its answer.
            if number == header.req_id {
                return match kind {
                    xen_bindings::xsd_sockmsg_type_XS_ERROR => Err(error(&text)),
                    _ => Ok(()),
                };
            }
        }
    }
}

/// Returns the error of that name, as xenstored sends it.
fn error(name: &[u8]) -> Error {
    match name.strip_suffix(b"\0").unwrap_or(name) {
        b"EACCES" => EACCES,
        b"EINVAL" => EINVAL,
        b"ENOENT" => ENOENT,
        b"ENOMEM" => ENOMEM,
        b"ENOSPC" => ENOSPC,
        b"EROFS" => EROFS,
        b"E2BIG" => E2BIG,
        _ => EIO,
    }
}

/// The file of the device.
///
/// # Invariants
///
/// It is open, and ours to close. Its operations have functions to read and to write a program's
/// memory, which need nothing but the file.
struct OpenFile(NonNull<bindings::file>);

// SAFETY: An open file may be used from any thread.
unsafe impl Send for OpenFile {}
// SAFETY: As above; the device serialises calls.
unsafe impl Sync for OpenFile {}

impl OpenFile {
    fn open(path: &CStr) -> Result<Self> {
        // SAFETY: The path is a C string.
        let file = from_err_ptr(unsafe {
            bindings::filp_open(path.as_char_ptr(), bindings::O_RDWR as c_int, 0)
        })?;
        // INVARIANT: Both functions are checked next.
        let this = Self(NonNull::new(file).ok_or(ENXIO)?);
        let operations = this.operations();
        if operations.read.is_none() || operations.write.is_none() {
            return Err(ENXIO);
        }
        Ok(this)
    }

    fn operations(&self) -> &bindings::file_operations {
        // SAFETY: By the type invariants the file is open, and so has operations.
        unsafe { &*(*self.0.as_ptr()).f_op }
    }

    /// Writes all of `bytes`, by way of `page`.
    fn write(&self, page: &Borrowed<'_>, bytes: &[u8]) -> Result {
        let write = self.operations().write.ok_or(ENXIO)?;

        for part in bytes.chunks(PAGE_SIZE) {
            page.slice(part.len()).writer().write_slice(part)?;
            let mut position = 0;
            // SAFETY: The file is open, and the memory that of the calling program.
            let done = unsafe { write(self.0.as_ptr(), page.address(), part.len(), &mut position) };
            if done != part.len() as isize {
                return Err(failure(done));
            }
        }
        Ok(())
    }

    /// Reads all of `bytes`, by way of `page`, waiting for them.
    fn read(&self, page: &Borrowed<'_>, mut bytes: &mut [u8]) -> Result {
        let read = self.operations().read.ok_or(ENXIO)?;

        while !bytes.is_empty() {
            let wanted = bytes.len().min(PAGE_SIZE);
            let mut position = 0;
            // SAFETY: The file is open, and the memory that of the calling program.
            let done = unsafe {
                read(
                    self.0.as_ptr(),
                    page.address().cast_mut(),
                    wanted,
                    &mut position,
                )
            };
            let done = usize::try_from(done)
                .ok()
                .filter(|&done| done > 0 && done <= wanted)
                .ok_or_else(|| failure(done))?;
            let (part, rest) = bytes.split_at_mut(done);
            page.slice(done).reader().read_slice(part)?;
            bytes = rest;
        }
        Ok(())
    }
}

/// Returns the error of a call that did not do what it should.
fn failure(result: isize) -> Error {
    match c_int::try_from(result) {
        Ok(errno) if errno == ERESTARTSYS.to_errno() => EINTR,
        Ok(errno) if errno < 0 => Error::from_errno(errno),
        _ => EIO,
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is ours to close.
        unsafe { bindings::fput(self.0.as_ptr()) };
    }
}

/// Whether the calling thread is that of a program that is trusted with xenstore anyway.
///
/// Threads of a program can write its memory, and so make any message of ours theirs.
fn is_trusted_program() -> bool {
    // SAFETY: The current thread is there; the first user namespace is always there.
    unsafe {
        !(*bindings::get_current()).mm.is_null()
            && bindings::ns_capable_noaudit(
                &raw mut bindings::init_user_ns,
                bindings::CAP_SYS_ADMIN as c_int,
            )
    }
}

/// The memory of a program, which may have ended.
///
/// # Invariants
///
/// A reference to it is ours. The program was trusted with xenstore when it was taken.
struct Memory(NonNull<bindings::mm_struct>);

// SAFETY: References are counted atomically, and nothing is bound to a thread.
unsafe impl Send for Memory {}
// SAFETY: As above; memory is used by many threads as a rule.
unsafe impl Sync for Memory {}

impl Memory {
    /// Takes that of the calling program.
    fn current() -> Result<Self> {
        if !is_trusted_program() {
            return Err(EPERM);
        }
        // SAFETY: The current thread is there.
        let memory = unsafe { bindings::get_task_mm(bindings::get_current()) };
        // INVARIANT: The reference is ours.
        Ok(Self(NonNull::new(memory).ok_or(EPERM)?))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the reference is ours.
        unsafe { bindings::mmput(self.0.as_ptr()) };
    }
}

/// The memory that a thread of the kernel works with, until this is dropped.
///
/// # Invariants
///
/// This thread is one of the kernel's and uses the memory: the object does not leave the thread.
struct Used<'a>(&'a Memory, NotThreadSafe);

impl<'a> Used<'a> {
    /// Uses `memory` if the calling thread is one of the kernel's without any.
    fn new(memory: &'a Memory) -> Option<Self> {
        // SAFETY: The current thread is there, and what is looked at is its own.
        let is_bare = unsafe {
            let current = bindings::get_current();
            (*current).mm.is_null() && (*current).flags & bindings::PF_KTHREAD != 0
        };
        // SAFETY: The thread is the kernel's and has no memory; `memory` is there for `'a`.
        // INVARIANT: It uses that from here on.
        is_bare.then(|| unsafe {
            bindings::kthread_use_mm(memory.0.as_ptr());
            Self(memory, NotThreadSafe)
        })
    }
}

impl Drop for Used<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants this thread uses it.
        unsafe { bindings::kthread_unuse_mm(self.0 .0.as_ptr()) };
    }
}

/// A page in the memory that this thread works with.
///
/// # Invariants
///
/// The page is mapped, for reading and writing, in that memory: the object does not leave the
/// thread.
struct Borrowed<'a> {
    address: usize,
    /// It goes after the page.
    _used: Option<Used<'a>>,
    _thread: NotThreadSafe,
}

impl<'a> Borrowed<'a> {
    /// Maps a page, in `memory` if the calling thread has none of its own.
    fn new(memory: &'a Memory) -> Result<Self> {
        let used = Used::new(memory);
        if used.is_none() && !is_trusted_program() {
            return Err(EPERM);
        }
        // SAFETY: The thread has memory, to which this adds a page where there is room.
        let address = unsafe {
            bindings::vm_mmap(
                core::ptr::null_mut(),
                0,
                PAGE_SIZE,
                xen_bindings::XENOXIDE_PROT,
                xen_bindings::XENOXIDE_MAP,
                0,
            )
        };
        // Such addresses are errors.
        let address = from_err_ptr(address as *mut u8)?;
        // INVARIANT: It is mapped.
        Ok(Self {
            address: address as usize,
            _used: used,
            _thread: NotThreadSafe,
        })
    }

    /// Returns its address.
    fn address(&self) -> *const c_char {
        self.address as *const c_char
    }

    /// Returns its first `len` bytes.
    fn slice(&self, len: usize) -> UserSlice {
        UserSlice::new(UserPtr::from_addr(self.address), len)
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is mapped where this thread works. If the program has
        // unmapped it meanwhile, that is its own affair.
        unsafe { bindings::vm_munmap(self.address, PAGE_SIZE) };
    }
}
