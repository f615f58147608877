// SPDX-License-Identifier: GPL-2.0

//! Xenstore: reading, writing and watching nodes.
//!
//! Relative paths start at the domain's own directory, `/local/domain/<domid>`. What is read was
//! written by another domain: callers parse it as untrusted bytes.
//!
//! C headers: [`include/xen/xenbus.h`](srctree/include/xen/xenbus.h),
//! `xen/include/public/io/xs_wire.h` in Xen.

use super::domain::DomId;
use crate::bindings;
use core::{
    ops::Deref,
    ptr::NonNull,
    slice, //
};
use kernel::{
    container_of,
    error::{
        from_err_ptr,
        to_result, //
    },
    ffi::{
        c_char,
        c_uint, //
    },
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Completion, //
    },
    types::Opaque, //
};

/// No transaction: the operation stands alone.
const XBT_NIL: bindings::xenbus_transaction = bindings::xenbus_transaction { id: 0 };

/// The contents of a node.
///
/// # Invariants
///
/// `bytes` was allocated by `kmalloc()`, is `len` bytes long and ours alone.
pub struct Value {
    bytes: NonNull<u8>,
    len: usize,
}

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: By the type invariants.
        unsafe { slice::from_raw_parts(self.bytes.as_ptr(), self.len) }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the memory is from `kmalloc()` and ours.
        unsafe { kernel::bindings::kfree(self.bytes.as_ptr().cast()) };
    }
}

impl Value {
    /// Returns the contents as a decimal number, or [`None`] if it is anything else.
    ///
    /// White space around the digits is taken, nothing else.
    pub fn number(&self) -> Option<u64> {
        let digits = self.trim_ascii();
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        core::str::from_utf8(digits).ok()?.parse().ok()
    }
}

/// Reads the node `name` in directory `dir`.
///
/// Context: process context, sleeps until xenstored has answered.
///
/// # Errors
///
/// What xenstored says: `ENOENT`, `EACCES`, …; `ENOMEM`.
pub fn read(dir: &CStr, name: &CStr) -> Result<Value> {
    let mut len: c_uint = 0;
    // SAFETY: Both are C strings, `len` is valid for writing.
    let ptr = from_err_ptr(unsafe {
        bindings::xenbus_read(XBT_NIL, dir.as_char_ptr(), name.as_char_ptr(), &mut len)
    })?;

    // INVARIANT: On success the memory is `len` bytes long and belongs to the caller.
    Ok(Value {
        bytes: NonNull::new(ptr.cast()).ok_or(EIO)?,
        len: len as usize,
    })
}

/// Returns the number of this domain, which changes when it is saved and restored.
///
/// Context: process context, sleeps until xenstored has answered.
///
/// # Errors
///
/// What xenstored says; `EIO` if it is no number of a domain.
pub fn own_domid() -> Result<DomId> {
    let number = read(c"domid", c"")?.number().ok_or(EIO)?;
    u32::try_from(number).ok().and_then(DomId::new).ok_or(EIO)
}

/// The names of the nodes in a directory.
///
/// # Invariants
///
/// `names` was allocated by `kmalloc()`, is ours alone, and begins with `len` pointers to C strings
/// within it.
pub struct Listing {
    names: NonNull<*const c_char>,
    len: usize,
}

impl Listing {
    /// Goes through the names.
    pub fn iter(&self) -> impl Iterator<Item = &CStr> {
        // SAFETY: By the type invariants.
        let names = unsafe { slice::from_raw_parts(self.names.as_ptr(), self.len) };
        names.iter().map(|&name| {
            // SAFETY: By the type invariants.
            unsafe { CStr::from_char_ptr(name) }
        })
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the memory is from `kmalloc()` and ours.
        unsafe { kernel::bindings::kfree(self.names.as_ptr().cast()) };
    }
}

/// Lists the node `name` in directory `dir`: what is directly below it.
///
/// Context: process context, sleeps until xenstored has answered.
///
/// # Errors
///
/// What xenstored says: `ENOENT`, `EACCES`, …; `ENOMEM`.
pub fn list(dir: &CStr, name: &CStr) -> Result<Listing> {
    let mut len: c_uint = 0;
    // SAFETY: Both are C strings, `len` is valid for writing.
    let ptr = from_err_ptr(unsafe {
        bindings::xenbus_directory(XBT_NIL, dir.as_char_ptr(), name.as_char_ptr(), &mut len)
    })?;

    // INVARIANT: On success that is what belongs to the caller.
    Ok(Listing {
        names: NonNull::new(ptr.cast()).ok_or(EIO)?,
        len: len as usize,
    })
}

/// Writes `value` to the node `name` in directory `dir`, creating it if need be.
///
/// Context: process context, sleeps until xenstored has answered.
///
/// # Errors
///
/// What xenstored says: `EACCES`, `ENOSPC` (a quota), …; `ENOMEM`.
pub fn write(dir: &CStr, name: &CStr, value: &CStr) -> Result {
    // SAFETY: All are C strings.
    to_result(unsafe {
        bindings::xenbus_write(
            XBT_NIL,
            dir.as_char_ptr(),
            name.as_char_ptr(),
            value.as_char_ptr(),
        )
    })
}

/// Removes the node `name` in directory `dir` and all below it, if it is there.
///
/// Context: process context, sleeps until xenstored has answered.
///
/// # Errors
///
/// What xenstored says: `ENOENT` if there is no `dir`, `EACCES`, …; `ENOMEM`.
pub fn remove(dir: &CStr, name: &CStr) -> Result {
    // SAFETY: Both are C strings.
    to_result(unsafe { bindings::xenbus_rm(XBT_NIL, dir.as_char_ptr(), name.as_char_ptr()) })
}

/// Told when a watched node changes.
pub trait Watcher: Send + Sync {
    /// `path`, the watched node or one below it, has changed, or the watch has just been set:
    /// the first call comes without a change, and one comes after each resume.
    ///
    /// Context: process context, may sleep; the thread serves all watches of the kernel.
    fn changed(&self, path: &CStr);
}

/// A watch on a node and all below it. Dropping it ends it.
///
/// # Invariants
///
/// `watch` is registered from the end of its initialisation until `drop`; its `node` is a C string
/// that lives as long as the program, or that `_node` owns.
#[pin_data(PinnedDrop)]
pub struct Watch<T: Watcher + 'static> {
    #[pin]
    watch: Opaque<bindings::xenbus_watch>,
    watcher: Arc<T>,
    _node: Option<CString>,
}

// SAFETY: `T` is `Send` and `Sync`, and a watch may be ended from any thread.
unsafe impl<T: Watcher> Send for Watch<T> {}
// SAFETY: As above; a shared watch does nothing.
unsafe impl<T: Watcher> Sync for Watch<T> {}

impl<T: Watcher> Watch<T> {
    /// Sets a watch on `node`, for which `watcher` is called.
    ///
    /// Context: process context, sleeps until xenstored has answered.
    ///
    /// # Errors
    ///
    /// What xenstored says: `EACCES`, `E2BIG` (too many watches), …
    pub fn new(node: &'static CStr, watcher: Arc<T>) -> impl PinInit<Self, Error> {
        // SAFETY: The string lives as long as the program.
        unsafe { Self::register(node.as_char_ptr(), None, watcher) }
    }

    /// Sets a watch on a node whose name is not known before.
    ///
    /// Context, errors: as for [`Watch::new`].
    pub fn named(node: CString, watcher: Arc<T>) -> impl PinInit<Self, Error> {
        // The bytes of a `CString` stay where they are when it is moved.
        let name = node.as_char_ptr();
        // SAFETY: The string is kept, and never changed.
        unsafe { Self::register(name, Some(node), watcher) }
    }

    /// # Safety
    ///
    /// `name` is a C string that lives as long as the program or, unchanged, as long as `kept`.
    unsafe fn register(
        name: *const c_char,
        kept: Option<CString>,
        watcher: Arc<T>,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            watcher,
            _node: kept,
            watch <- Opaque::try_ffi_init(move |slot: *mut bindings::xenbus_watch| {
                // SAFETY: `slot` is valid for writing.
                unsafe {
                    slot.write(bindings::xenbus_watch {
                        node: name,
                        callback: Some(Self::callback),
                        ..pin_init::zeroed()
                    })
                };
                // SAFETY: `slot` is initialised and stays there until `drop`. A call of
                // `callback` before this returns finds `watcher`, which is initialised already.
                // INVARIANT: On success it is registered.
                to_result(unsafe { bindings::register_xenbus_watch(slot) })
            }),
        })
    }

    /// # Safety
    ///
    /// Only the xenbus core may call this, with a registered watch of this type and the path as a
    /// C string.
    unsafe extern "C" fn callback(
        watch: *mut bindings::xenbus_watch,
        path: *const c_char,
        _token: *const c_char,
    ) {
        let watch: *mut Opaque<bindings::xenbus_watch> = watch.cast();
        // SAFETY: The watch is `watch` of a pinned `Self`, and `drop` waits for this function.
        // Only `watcher` is used, which is initialised before the watch is registered.
        let watcher = unsafe { &(*container_of!(watch, Self, watch)).watcher };
        // SAFETY: By the requirements.
        watcher.changed(unsafe { CStr::from_char_ptr(path) });
    }
}

#[pinned_drop]
impl<T: Watcher> PinnedDrop for Watch<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants the watch is registered. This drops events that wait and
        // returns only when no callback runs.
        unsafe { bindings::unregister_xenbus_watch(self.watch.get()) };
    }
}

/// Waits for an event of its own.
#[pin_data]
struct Arrival {
    #[pin]
    event: Completion,
}

impl Watcher for Arrival {
    fn changed(&self, _path: &CStr) {
        self.event.complete_all();
    }
}

/// Waits until every watch event that was on its way has been handled, whoever watches.
///
/// Xenstored sends events in order, and one thread of the kernel handles them in order: a new
/// watch's first event comes after all of them. Of events with the same path and token it sends
/// one, if the second arises while the first waits to be sent; the call it leads to still comes
/// after both changes.
///
/// Context: process context, sleeps; not from a [`Watcher`].
///
/// # Errors
///
/// As for [`Watch::new`]; then nothing is known.
pub fn drain_events() -> Result {
    let arrival = Arc::pin_init(
        pin_init!(Arrival {
            event <- Completion::new(),
        }),
        GFP_KERNEL,
    )?;
    let watch = KBox::pin_init(Watch::new(c"domid", arrival.clone()), GFP_KERNEL)?;

    arrival.event.wait_for_completion();
    drop(watch);
    Ok(())
}
