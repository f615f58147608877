// SPDX-License-Identifier: GPL-2.0

//! Who may read and write nodes of xenstore.
//!
//! The kernel has no function to say so. Its device for programs, `/dev/xen/xenbus`, carries any
//! message, but only from and to a program's memory: a page of the calling program is borrowed.
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
/// It is kept open, for later there may be no program around that sees its node.
#[pin_data]
pub struct Device {
    file: OpenFile,
    /// The number of the last message. Whoever holds the lock may have one on its way.
    #[pin]
    last: Mutex<u32>,
}

impl Device {
    /// Opens it.
    ///
    /// Context: process context of a program that sees `/dev` and may use it, may sleep.
    ///
    /// # Errors
    ///
    /// What `open(2)` says: `ENOENT`, `EACCES`, …; `ENXIO` if it is not that device.
    pub fn open() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            file: OpenFile::open(c"/dev/xen/xenbus")?,
            last <- new_mutex!(0),
        })
    }

    /// Sets who may do what with the node `path`, and with what will be made below it: `owner`
    /// everything, others `others`, and those of `single` what is said there.
    ///
    /// Only the owner of a node may do this.
    ///
    /// Context: process context of a program, sleeps until xenstored has answered.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if the calling thread is no program's, or one that is not trusted with this (it has
    /// no `CAP_SYS_ADMIN`): some other one may be. `EINTR` if the program is wanted elsewhere; what
    /// xenstored says: `ENOENT`, `EACCES`, …
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
        let page = Borrowed::new()?;
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
    fn write(&self, page: &Borrowed, bytes: &[u8]) -> Result {
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
    fn read(&self, page: &Borrowed, mut bytes: &mut [u8]) -> Result {
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

/// A page in the memory of the calling program.
///
/// # Invariants
///
/// The page is mapped, for reading and writing, in the memory of this thread's program: the object
/// does not leave the thread.
struct Borrowed(usize, NotThreadSafe);

impl Borrowed {
    /// Maps a page.
    ///
    /// Other threads of the program can write it, and so send what message they like: the program
    /// must be one that may use the device itself.
    fn new() -> Result<Self> {
        // SAFETY: The current thread is there, and what is looked at is its own.
        let is_program = unsafe {
            let current = bindings::get_current();
            !(*current).mm.is_null() && (*current).flags & bindings::PF_KTHREAD == 0
        };
        // SAFETY: No preconditions; the first user namespace is always there.
        let is_trusted = unsafe {
            bindings::ns_capable_noaudit(
                &raw mut bindings::init_user_ns,
                bindings::CAP_SYS_ADMIN as c_int,
            )
        };
        if !is_program || !is_trusted {
            return Err(EAGAIN);
        }
        // SAFETY: The program has memory of its own, to which this adds a page where there is room.
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
        Ok(Self(address as usize, NotThreadSafe))
    }

    /// Returns its address.
    fn address(&self) -> *const c_char {
        self.0 as *const c_char
    }

    /// Returns its first `len` bytes.
    fn slice(&self, len: usize) -> UserSlice {
        UserSlice::new(UserPtr::from_addr(self.0), len)
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is mapped in this thread's program. If the program has
        // unmapped it meanwhile, that is its own affair.
        unsafe { bindings::vm_munmap(self.0, PAGE_SIZE) };
    }
}
