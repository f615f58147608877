// SPDX-License-Identifier: GPL-2.0

//! A misc device with sysfs attributes and ioctls.
//!
//! The kernel crate's `miscdevice` has no attributes, and does not name the module as the owner of
//! its files: with one open the module could be unloaded from under it.
//!
//! C headers: [`include/linux/miscdevice.h`](srctree/include/linux/miscdevice.h),
//! [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h).

use super::folder::Place;
use core::{
    fmt::{
        Display,
        Write, //
    },
    ptr::null, //
};
use kernel::{
    bindings,
    container_of,
    error::{
        from_result,
        to_result, //
    },
    ffi::{
        c_char,
        c_int,
        c_long,
        c_uint,
        c_ulong,
        c_void, //
    },
    fs::file::{
        flags,
        File, //
    },
    ioctl::_IOC_SIZE,
    page::PAGE_SIZE,
    prelude::*,
    str::Formatter,
    sync::Arc,
    types::Opaque,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

/// A call of `ioctl(2)` on the device's file.
pub struct Call {
    /// The number of the call.
    pub command: u32,
    /// The caller's memory, of the size that `command` says. A 32-bit program is served as any
    /// other, so its layouts must be the same.
    pub argument: UserSlice,
    /// Whether the file was opened for writing.
    pub writable: bool,
}

/// What programs can ask of the state behind a device.
pub trait Ioctl: Send + Sync + 'static {
    /// Carries out a call.
    ///
    /// Context: process context of the caller, may sleep.
    ///
    /// # Errors
    ///
    /// Whatever the caller shall see; `ENOTTY` where there is no such call. After `ERESTARTSYS` the
    /// call is made again, unless a handler ran that was installed without `SA_RESTART`.
    fn ioctl(&self, _call: Call) -> Result {
        Err(ENOTTY)
    }
}

/// One sysfs file of a device whose state is a `T`.
pub trait Attribute<T>: 'static {
    /// The file's name.
    const NAME: &'static CStr;
    /// Whether root may write it.
    const WRITABLE: bool = false;

    /// Prints the value, without a newline.
    ///
    /// Context: process context, may sleep.
    fn show(state: &T, out: &mut Formatter<'_>) -> Result;

    /// Takes a new value, white space around it removed.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// Whatever the writer shall see; `EPERM` where the file cannot be written.
    fn store(_state: &T, _value: &str) -> Result {
        Err(EPERM)
    }
}

/// Declares attributes that show one value each, some of them with what sets it, and lists them as a
/// group's [`Entries`], for devices whose state is a `$state`.
///
/// A value is anything that can be displayed; it may borrow from the state.
#[macro_export]
macro_rules! attributes {
    ($state:ty, $list:ident: $(
        $(#[$doc:meta])* $type:ident $name:literal = $value:expr $(, set $store:expr)?;
    )+) => {
        $(
            $(#[$doc])*
            struct $type;

            impl $crate::linux::device::Attribute<$state> for $type {
                const NAME: &'static ::kernel::str::CStr = $name;

                fn show(state: &$state, out: &mut ::kernel::str::Formatter<'_>) -> Result {
                    $crate::linux::device::show_value(state, out, $value)
                }

                $(
                    const WRITABLE: bool = true;

                    fn store(state: &$state, text: &str) -> Result {
                        let store: fn(&$state, &str) -> Result = $store;
                        store(state, text)
                    }
                )?
            }
        )+

        static $list: $crate::linux::device::Entries<{ [$($name),+].len() + 1 }> =
            $crate::linux::device::Entries::new([$({
                static ENTRY: $crate::linux::device::Entry =
                    $crate::linux::device::Entry::new::<$state, $type>();
                &ENTRY
            }),+]);
    };
}

/// Prints what `value` makes of a state; for [`attributes!`](crate::attributes).
pub fn show_value<'a, T, V: Display>(
    state: &'a T,
    out: &mut Formatter<'_>,
    value: impl FnOnce(&'a T) -> V,
) -> Result {
    Ok(write!(out, "{}", value(state))?)
}

/// An [`Attribute`] as the driver core wants it: made at compile time, for a `static`.
#[repr(transparent)]
pub struct Entry(bindings::device_attribute);

// SAFETY: The driver core only reads it.
unsafe impl Sync for Entry {}

impl Entry {
    /// Returns the entry for attribute `A` of devices whose state is a `T`.
    pub const fn new<T: Send + Sync + 'static, A: Attribute<T>>() -> Self {
        let mut raw: bindings::device_attribute = pin_init::zeroed();
        raw.attr.name = kernel::str::as_char_ptr_in_const_context(A::NAME);
        raw.attr.mode = if A::WRITABLE { 0o644 } else { 0o444 };
        raw.__bindgen_anon_1.show = Some(show::<T, A>);
        if A::WRITABLE {
            raw.__bindgen_anon_2.store = Some(store::<T, A>);
        }
        Self(raw)
    }
}

/// A list of entries, ended by a null pointer.
#[repr(transparent)]
pub struct Entries<const N: usize>([*const bindings::attribute; N]);

// SAFETY: The pointers are to statics that the driver core only reads.
unsafe impl<const N: usize> Sync for Entries<N> {}

impl<const N: usize> Entries<N> {
    /// Lists `entries`; `N` must be one more than their number, for the null pointer.
    pub const fn new<const M: usize>(entries: [&'static Entry; M]) -> Self {
        assert!(N == M + 1);
        let mut list = [null(); N];
        let mut i = 0;
        while i < M {
            list[i] = &entries[i].0.attr;
            i += 1;
        }
        Self(list)
    }
}

/// Attributes that belong together: the device's own, or those of a folder in it.
#[repr(transparent)]
pub struct Group(bindings::attribute_group);

// SAFETY: The pointers are to statics that the driver core only reads.
unsafe impl Sync for Group {}

impl Group {
    /// Returns a group of `entries`, in the folder `name` if one is given.
    pub const fn new<const N: usize>(
        name: Option<&'static CStr>,
        entries: &'static Entries<N>,
    ) -> Self {
        let mut raw: bindings::attribute_group = pin_init::zeroed();
        if let Some(name) = name {
            raw.name = kernel::str::as_char_ptr_in_const_context(name);
        }
        raw.__bindgen_anon_2.attrs = entries.0.as_ptr().cast_mut().cast();
        Self(raw)
    }
}

/// A list of groups, ended by a null pointer.
#[repr(transparent)]
pub struct Groups<const N: usize>([*const bindings::attribute_group; N]);

// SAFETY: The pointers are to statics that the driver core only reads.
unsafe impl<const N: usize> Sync for Groups<N> {}

impl<const N: usize> Groups<N> {
    /// Lists `groups`; `N` must be one more than their number, for the null pointer.
    pub const fn new<const M: usize>(groups: [&'static Group; M]) -> Self {
        assert!(N == M + 1);
        let mut list = [null(); N];
        let mut i = 0;
        while i < M {
            list[i] = &groups[i].0;
            i += 1;
        }
        Self(list)
    }
}

/// A misc device, `/dev/<name>` and `/sys/class/misc/<name>/`, and the state behind it.
///
/// The module cannot be unloaded while the device file is open. Dropping the device removes both.
///
/// # Invariants
///
/// - `misc` is registered from the end of its initialisation until `drop`, under a name and with
///   groups that live as long as the program, and with `fops`.
/// - `fops` names the module as its owner.
#[pin_data(PinnedDrop)]
pub struct Device<T: Send + Sync + 'static> {
    #[pin]
    misc: Opaque<bindings::miscdevice>,
    #[pin]
    fops: Opaque<bindings::file_operations>,
    state: Arc<T>,
}

// SAFETY: `T` is `Send` and `Sync`, and a device may be removed from any thread.
unsafe impl<T: Send + Sync> Send for Device<T> {}
// SAFETY: As above; a shared device does nothing.
unsafe impl<T: Send + Sync> Sync for Device<T> {}

impl<T: Ioctl> Device<T> {
    /// Registers the device `name` of `module` with the attributes of `groups`.
    ///
    /// To be done last by a module that starts: whoever has opened the file keeps the module from
    /// being unloaded, but not from failing to start.
    ///
    /// Context: may sleep.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is a device of that name, `ENOMEM`.
    pub fn new<const N: usize>(
        module: &'static ThisModule,
        name: &'static CStr,
        state: Arc<T>,
        groups: &'static Groups<N>,
    ) -> impl PinInit<Self, Error> {
        let groups = groups.0.as_ptr();

        try_pin_init!(&this in Self {
            state,
            fops <- Opaque::ffi_init(move |slot: *mut bindings::file_operations| {
                // SAFETY: `slot` is valid for writing.
                unsafe {
                    slot.write(bindings::file_operations {
                        owner: module.as_ptr(),
                        unlocked_ioctl: Some(ioctl::<T>),
                        #[cfg(CONFIG_COMPAT)]
                        compat_ioctl: bindings::compat_ptr_ioctl,
                        ..pin_init::zeroed()
                    })
                };
            }),
            misc <- Opaque::try_ffi_init(move |slot: *mut bindings::miscdevice| {
                // SAFETY: `this` is the object being initialised, so it has the field.
                let fops = Opaque::cast_into(unsafe { &raw const (*this.as_ptr()).fops });
                // SAFETY: `slot` is valid for writing.
                unsafe {
                    slot.write(bindings::miscdevice {
                        minor: bindings::MISC_DYNAMIC_MINOR as c_int,
                        name: name.as_char_ptr(),
                        fops,
                        groups: groups.cast_mut(),
                        ..pin_init::zeroed()
                    })
                };
                // SAFETY: `slot` is initialised and stays there until `drop`. An attribute that is
                // used before this returns finds `state`, which is initialised already.
                // INVARIANT: On success it is registered.
                to_result(unsafe { bindings::misc_register(slot) })
            }),
        })
    }
}

impl<T: Send + Sync + 'static> Device<T> {
    /// Where folders can be put that are in that of the device.
    pub fn place(&self) -> Place<'_> {
        // SAFETY: By the type invariants it is registered, and has a device of its own since then.
        unsafe { Place::new(&raw mut (*(*self.misc.get()).this_device).kobj) }
    }
}

#[pinned_drop]
impl<T: Send + Sync + 'static> PinnedDrop for Device<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants the device is registered. This waits for running readers
        // and writers of attributes.
        unsafe { bindings::misc_deregister(self.misc.get()) };
    }
}

/// Returns the state behind a device.
///
/// # Safety
///
/// `misc` must be the one of a [`Device<T>`], which must live for `'a`.
unsafe fn state<'a, T: Send + Sync + 'static>(misc: *mut c_void) -> &'a T {
    let misc = misc.cast::<Opaque<bindings::miscdevice>>();
    // SAFETY: By the requirements that is `misc` of a `Device<T>`, whose `state` is initialised
    // before the device is registered and lives until it is not.
    let state = unsafe { &raw const (*container_of!(misc, Device<T>, misc)).state };
    // SAFETY: As above.
    unsafe { &*state }
}

/// # Safety
///
/// Only the file system may call this, for an open file of a [`Device<T>`].
unsafe extern "C" fn ioctl<T: Ioctl>(
    file: *mut bindings::file,
    command: c_uint,
    argument: c_ulong,
) -> c_long {
    // SAFETY: The misc core sets a file's private data to its `struct miscdevice`. By the type
    // invariants the open file keeps the module, and the device with it.
    let state = unsafe { state::<T>((*file).private_data) };
    // SAFETY: The file is open for the duration of this call, which is not under its position lock.
    let file = unsafe { File::from_raw_file(file) };
    let access = file.flags() & flags::O_ACCMODE;
    let call = Call {
        command,
        argument: UserSlice::new(UserPtr::from_addr(argument), _IOC_SIZE(command)),
        writable: access == flags::O_WRONLY || access == flags::O_RDWR,
    };

    from_result(|| state.ioctl(call).map(|()| 0))
}

/// # Safety
///
/// Only sysfs may call this, for a device of a [`Device<T>`].
unsafe extern "C" fn show<T: Send + Sync + 'static, A: Attribute<T>>(
    dev: *mut bindings::device,
    _attr: *mut bindings::device_attribute,
    buf: *mut c_char,
) -> isize {
    // SAFETY: By the requirements. The misc core sets a device's driver data to its
    // `struct miscdevice`.
    let state = unsafe { state::<T>((*dev).driver_data) };
    // SAFETY: sysfs hands over a page to write to.
    let buf = unsafe { core::slice::from_raw_parts_mut(buf.cast::<u8>(), PAGE_SIZE) };
    let mut out = Formatter::new(buf);

    from_result(|| {
        A::show(state, &mut out)?;
        writeln!(out)?;
        Ok(out.bytes_written() as isize)
    })
}

/// # Safety
///
/// Only sysfs may call this, for a device of a [`Device<T>`].
unsafe extern "C" fn store<T: Send + Sync + 'static, A: Attribute<T>>(
    dev: *mut bindings::device,
    _attr: *mut bindings::device_attribute,
    buf: *const c_char,
    count: usize,
) -> isize {
    // SAFETY: By the requirements. The misc core sets a device's driver data to its
    // `struct miscdevice`.
    let state = unsafe { state::<T>((*dev).driver_data) };
    // SAFETY: sysfs hands over `count` bytes to read.
    let buf = unsafe { core::slice::from_raw_parts(buf.cast::<u8>(), count) };

    from_result(|| {
        let value = core::str::from_utf8(buf).map_err(|_| EINVAL)?;
        A::store(state, value.trim())?;
        Ok(count as isize)
    })
}
