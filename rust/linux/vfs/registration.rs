// SPDX-License-Identifier: GPL-2.0

//! The module's type of file system, as the kernel knows it, and mounts of it.

use super::{
    request::{
        Options,
        Request, //
    },
    super_block,
    FileSystem, //
};
use crate::bindings as xen_bindings;
use core::marker::PhantomData;
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    bindings,
    error::{
        from_result,
        to_result, //
    },
    ffi::c_int,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Arc, //
    },
    types::Opaque, //
};

/// "No such option": the kernel looks whether it knows it.
const NOT_OURS: c_int = -(bindings::ENOPARAM as c_int);

/// The one type of this module. It is a static since the lock checker wants its keys to be.
///
/// # Invariants
///
/// `raw` is the caller's alone that has set `taken`, until it is registered, and again when it is
/// not any more.
struct Slot {
    raw: Opaque<bindings::file_system_type>,
    taken: Atomic<u32>,
    /// What [`FileSystem::attach`] gets: an address.
    state: Atomic<usize>,
}

// SAFETY: By the type invariants it is changed by one thread alone.
unsafe impl Sync for Slot {}

static SLOT: Slot = Slot {
    raw: Opaque::zeroed(),
    taken: Atomic::new(0),
    state: Atomic::new(0),
};

/// Returns the module's type, to mount it.
#[cfg(CONFIG_KUNIT)]
pub(super) fn raw() -> *mut bindings::file_system_type {
    SLOT.raw.get()
}

/// The registration of a module's type of file system. Dropping it ends it.
///
/// Whatever is mounted keeps the module from being unloaded.
///
/// # Invariants
///
/// [`SLOT`] is taken, and registered for a `T`; its state is the object that we have.
pub struct Registration<T: FileSystem> {
    _state: Arc<T::State>,
}

impl<T: FileSystem> Registration<T> {
    /// Registers the type, whose file systems are found by `state`.
    ///
    /// To be done last by a module that starts: programs may mount it from here on, which keeps the
    /// module from being unloaded, but not from failing to start.
    ///
    /// Context: may sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is another one of that name, or of this module.
    pub fn new(module: &'static ThisModule, state: Arc<T::State>) -> Result<Self> {
        SLOT.taken.cmpxchg(0, 1, Full).map_err(|_| EBUSY)?;
        SLOT.state
            .store(core::ptr::from_ref(&*state).addr(), Relaxed);
        // SAFETY: By the type invariants of `Slot` it is ours to change. It becomes a type with a
        // name, an owner and functions that live as long as the module.
        let result = to_result(unsafe {
            let raw = SLOT.raw.get();
            (*raw).name = T::NAME.as_char_ptr();
            (*raw).owner = module.as_ptr();
            (*raw).fs_flags = bindings::FS_ALLOW_IDMAP as c_int;
            (*raw).init_fs_context = Some(begin::<T>);
            (*raw).kill_sb = Some(super_block::kill::<T>);
            bindings::register_filesystem(raw)
        });
        if let Err(error) = result {
            SLOT.taken.xchg(0, Full);
            return Err(error);
        }
        // INVARIANT: It is registered.
        Ok(Self { _state: state })
    }
}

impl<T: FileSystem> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is registered. Each mount keeps the module, so there is
        // none; only inodes may be left that wait to be freed, by our functions.
        unsafe {
            bindings::unregister_filesystem(SLOT.raw.get());
            bindings::rcu_barrier();
        }
        SLOT.taken.xchg(0, Full);
    }
}

/// Functions of a context.
struct Table<T>(PhantomData<T>);

impl<T: FileSystem> Table<T> {
    const CONTEXT: xen_bindings::fs_context_operations = xen_bindings::fs_context_operations {
        free: Some(free::<T>),
        parse_param: Some(parse_param::<T>),
        get_tree: Some(get_tree::<T>),
        reconfigure: Some(reconfigure),
        ..pin_init::zeroed()
    };
}

/// Returns the options of a context.
///
/// # Safety
///
/// It must be a context of ours, and nobody else may use them for `'a`.
unsafe fn options<'a>(context: *mut bindings::fs_context) -> &'a mut Options {
    // SAFETY: By the requirements: `begin` has put them there, and only `free` takes them away.
    unsafe { &mut *(*xen_bindings::xenoxide_fs_private(context)).cast() }
}

/// Makes a new context one of ours.
///
/// # Safety
///
/// Only the mount code may call this, for a context of a `T`.
unsafe extern "C" fn begin<T: FileSystem>(context: *mut bindings::fs_context) -> c_int {
    from_result(|| {
        let options = KBox::new(Options::default(), GFP_KERNEL_ACCOUNT)?;
        // SAFETY: By the requirements it is a valid context, of nobody else.
        unsafe {
            *xen_bindings::xenoxide_fs_private(context) = KBox::into_raw(options).cast();
            xen_bindings::xenoxide_fs_set_operations(context, &Table::<T>::CONTEXT);
        }
        Ok(0)
    })
}

/// # Safety
///
/// Only the mount code may call this, for a context of a `T`.
unsafe extern "C" fn free<T: FileSystem>(context: *mut bindings::fs_context) {
    // SAFETY: By the requirements. What `get_tree` has put there is still there if no super block
    // has taken it.
    unsafe {
        let file_system = (*xen_bindings::xenoxide_fs_info(context)).cast::<T>();
        if !file_system.is_null() {
            drop(Arc::from_raw(file_system));
        }
        drop(KBox::from_raw(options(context)));
    }
}

/// # Safety
///
/// Only the mount code may call this, for a context of a `T`.
unsafe extern "C" fn parse_param<T: FileSystem>(
    context: *mut bindings::fs_context,
    parameter: *mut bindings::fs_parameter,
) -> c_int {
    // SAFETY: By the requirements; options are given by one thread at a time. A parameter has a
    // key, and a string if it says so.
    let (options, key, value) = unsafe {
        let is_string = xen_bindings::xenoxide_fs_is_string(parameter);
        (
            options(context),
            CStr::from_char_ptr(xen_bindings::xenoxide_fs_key(parameter)),
            is_string.then(|| CStr::from_char_ptr(xen_bindings::xenoxide_fs_string(parameter))),
        )
    };

    match options.put::<T>(key, value.map(CStr::to_bytes)) {
        Ok(true) => 0,
        Ok(false) => NOT_OURS,
        Err(error) => error.to_errno(),
    }
}

/// Mounts.
///
/// # Safety
///
/// Only the mount code may call this, for a context of a `T`.
unsafe extern "C" fn get_tree<T: FileSystem>(context: *mut bindings::fs_context) -> c_int {
    // SAFETY: By the requirements; there are no more options for the duration of this call.
    let request = unsafe { Request::new::<T>(context, options(context)) };

    from_result(|| {
        // SAFETY: By the invariants of the registration, which stays: who mounts keeps the module.
        let state = unsafe { &*(SLOT.state.load(Relaxed) as *const T::State) };
        let key = Arc::into_raw(T::attach(state, &request)?).cast_mut().cast();
        // SAFETY: By the requirements. From here on the context has the reference to the object,
        // until a new super block takes it.
        to_result(unsafe {
            xen_bindings::get_tree_keyed(context, Some(super_block::fill::<T>), key)
        })?;
        Ok(0)
    })
}

/// Leaves it as it is: nothing can be changed.
///
/// # Safety
///
/// Only the mount code may call this, for a context of ours.
unsafe extern "C" fn reconfigure(context: *mut bindings::fs_context) -> c_int {
    // SAFETY: By the requirements.
    unsafe { xen_bindings::xenoxide_fs_stay_read_only(context) };
    0
}
