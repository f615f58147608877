// SPDX-License-Identifier: GPL-2.0

//! Folders in sysfs that come and go with what they are about. Each file in one has a number.
//!
//! C headers: [`include/linux/kobject.h`](srctree/include/linux/kobject.h),
//! [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h).

use core::{
    fmt::Write,
    marker::PhantomData,
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
        c_void, //
    },
    fmt,
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    str::Formatter,
    sync::{
        Arc,
        Completion,
        Mutex, //
    },
    types::Opaque, //
};

/// A file, and the number in it.
#[repr(C)]
pub struct Figure<T> {
    // First: a pointer to it is one to the whole.
    attribute: bindings::attribute,
    value: fn(&T) -> u64,
}

impl<T> Figure<T> {
    /// Returns the file `name`, with what `value` makes of what the folder is about whenever it is read,
    /// in a program's process, where it may sleep.
    pub const fn new(name: &'static CStr, value: fn(&T) -> u64) -> Self {
        let mut attribute: bindings::attribute = pin_init::zeroed();
        attribute.name = kernel::str::as_char_ptr_in_const_context(name);
        attribute.mode = 0o444;
        Self { attribute, value }
    }
}

/// What folders can be about.
pub trait Subject: Sized + Send + Sync + 'static {
    /// The files of such a folder.
    const FIGURES: &'static [Figure<Self>];
}

/// A folder without files, for others.
impl Subject for () {
    const FIGURES: &'static [Figure<Self>] = &[];
}

/// Where folders can be put: in another, or in that of a device.
#[derive(Clone, Copy)]
pub struct Place<'a>(*mut bindings::kobject, PhantomData<&'a ()>);

impl Place<'_> {
    /// Returns the place that `raw` is.
    ///
    /// # Safety
    ///
    /// It has to be registered for as long as the place lives.
    pub unsafe fn new(raw: *mut bindings::kobject) -> Self {
        Self(raw, PhantomData)
    }
}

/// Functions of folders.
struct Table<T>(PhantomData<T>);

impl<T: Subject> Table<T> {
    const OPERATIONS: &'static bindings::sysfs_ops = &bindings::sysfs_ops {
        show: Some(show::<T>),
        store: None,
    };
    const TYPE: &'static bindings::kobj_type = &bindings::kobj_type {
        release: Some(release::<T>),
        sysfs_ops: Self::OPERATIONS,
        ..pin_init::zeroed()
    };
}

/// A folder about a `T`. Dropping it removes it, with all that is in it; this waits for who reads a file of
/// it, and for folders in it to be dropped.
///
/// # Invariants
///
/// `raw` is in sysfs, with the functions of [`Table<T>`] and no files but those of `T`, until `drop`; a reference
/// of it is ours.
#[pin_data(PinnedDrop)]
pub struct Folder<T: Subject> {
    about: T,
    /// The kernel has forgotten the folder.
    #[pin]
    gone: Completion,
    #[pin]
    raw: Opaque<bindings::kobject>,
}

// SAFETY: `T` is `Send` and `Sync`, and a folder may be removed from any thread.
unsafe impl<T: Subject> Send for Folder<T> {}
// SAFETY: As above; a shared folder can only be looked at.
unsafe impl<T: Subject> Sync for Folder<T> {}

impl<T: Subject> Folder<T> {
    /// Makes a folder at `place`, where nothing may have that `name`.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENOENT` if the place is removed just now.
    pub fn new<'a>(
        place: Place<'a>,
        name: fmt::Arguments<'a>,
        about: T,
    ) -> impl PinInit<Self, Error> + use<'a, T> {
        try_pin_init!(&this in Self {
            about,
            gone <- Completion::new(),
            raw <- Opaque::try_ffi_init(move |slot: *mut bindings::kobject| {
                // SAFETY: `slot` is valid for writing.
                unsafe { slot.write(pin_init::zeroed()) };
                // SAFETY: It is all zeroes, as it should be, and stays where it is until it was released. The place
                // is registered. `%pA` takes such arguments. A file that is read before this returns finds `about`,
                // which is initialised already.
                let made = to_result(unsafe {
                    bindings::kobject_init_and_add(
                        slot,
                        Table::<T>::TYPE,
                        place.0,
                        c"%pA".as_char_ptr(),
                        core::ptr::from_ref(&name).cast::<c_void>(),
                    )
                });
                let made = made.and_then(|()| add_files::<T>(slot));
                if made.is_err() {
                    // SAFETY: The reference is ours, and `gone` is initialised.
                    unsafe { bindings::kobject_put(slot) };
                    // SAFETY: As above.
                    unsafe { (*this.as_ptr()).gone.wait_for_completion() };
                }
                // INVARIANT: It is there, or not to be had.
                made
            }),
        })
    }

    /// What it is about.
    pub fn about(&self) -> &T {
        &self.about
    }

    /// Where folders can be put that are in it.
    pub fn place(&self) -> Place<'_> {
        // SAFETY: By the type invariants it is registered.
        unsafe { Place::new(self.raw.get()) }
    }
}

/// Adds the files of a folder about a `T`.
fn add_files<T: Subject>(raw: *mut bindings::kobject) -> Result {
    for figure in T::FIGURES {
        let attribute = core::ptr::from_ref(figure).cast();
        // SAFETY: The caller has just made the folder; the attribute lives as long as the program.
        to_result(unsafe { bindings::sysfs_create_file_ns(raw, attribute, null()) })?;
    }
    Ok(())
}

#[pinned_drop]
impl<T: Subject> PinnedDrop for Folder<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants it is there. This waits for running readers.
        unsafe { bindings::kobject_del(self.raw.get()) };
        // SAFETY: By the type invariants the reference is ours.
        unsafe { bindings::kobject_put(self.raw.get()) };
        self.gone.wait_for_completion();
    }
}

/// # Safety
///
/// Only sysfs may call this, for a file of a [`Folder<T>`].
unsafe extern "C" fn show<T: Subject>(
    kobj: *mut bindings::kobject,
    attribute: *mut bindings::attribute,
    buf: *mut c_char,
) -> isize {
    // SAFETY: By the requirements this is `raw` of a folder, which is dropped only when no file of it is read, and
    // whose `about` was initialised before.
    let about =
        unsafe { &raw const (*container_of!(Opaque::cast_from(kobj), Folder<T>, raw)).about };
    // SAFETY: As above.
    let about = unsafe { &*about };
    // SAFETY: By the type invariants it has the files of `T` only, which are in `Figure`s, at their beginnings.
    let figure = unsafe { &*attribute.cast_const().cast::<Figure<T>>() };
    // SAFETY: sysfs hands over a page to write to.
    let buf = unsafe { core::slice::from_raw_parts_mut(buf.cast::<u8>(), PAGE_SIZE) };
    let mut out = Formatter::new(buf);

    from_result(|| {
        writeln!(out, "{}", (figure.value)(about))?;
        Ok(out.bytes_written() as isize)
    })
}

/// # Safety
///
/// Only the kernel may call this, for a [`Folder<T>`] that was removed, or could not be made.
unsafe extern "C" fn release<T: Subject>(kobj: *mut bindings::kobject) {
    // SAFETY: By the requirements. Whoever drops the folder, or makes it, waits for this.
    let gone = unsafe { &raw const (*container_of!(Opaque::cast_from(kobj), Folder<T>, raw)).gone };
    // SAFETY: As above; it was initialised before the kernel knew of the folder.
    unsafe { (*gone).complete_all() };
}

/// A folder with one for each of several.
pub struct Folders<T: Send + Sync + 'static>
where
    Arc<T>: Subject,
{
    // Before the one that they are in.
    each: KVec<Pin<KBox<Folder<Arc<T>>>>>,
    all: Pin<KBox<Folder<()>>>,
}

impl<T: Send + Sync + 'static> Folders<T>
where
    Arc<T>: Subject,
{
    /// As [`Folder::new`], with nothing in it.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn new(place: Place<'_>, name: fmt::Arguments<'_>) -> Result<Self> {
        Ok(Self {
            each: KVec::new(),
            all: KBox::pin_init(Folder::new(place, name, ()), GFP_KERNEL)?,
        })
    }

    /// Has a folder for each of `wanted`, no two of which may have the same name, and for no others.
    ///
    /// Context: process context, may sleep; under no lock that is taken where a file is read.
    ///
    /// # Errors
    ///
    /// As for [`Folder::new`]. Then some are missing.
    pub fn agree<'a, N: fmt::Display>(
        &mut self,
        wanted: &'a [Arc<T>],
        name: impl Fn(&'a T) -> N,
    ) -> Result {
        // First: a new one may have the name of one that goes.
        self.each
            .retain(|folder| wanted.iter().any(|one| Arc::ptr_eq(one, folder.about())));
        for one in wanted {
            if self
                .each
                .iter()
                .any(|folder| Arc::ptr_eq(one, folder.about()))
            {
                continue;
            }
            let name = name(one);
            let folder = KBox::pin_init(
                Folder::new(self.all.place(), fmt!("{name}"), one.clone()),
                GFP_KERNEL,
            )?;
            self.each.push(folder, GFP_KERNEL)?;
        }
        Ok(())
    }

    /// What there is a folder for, with where folders can be put that are in it.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<T>, Place<'_>)> {
        self.each
            .iter()
            .map(|folder| (folder.about(), folder.place()))
    }
}

/// Folders for each of several, in each of these one more, and in that one for each of others.
pub struct Nested<P: Send + Sync + 'static, C: Send + Sync + 'static>
where
    Arc<P>: Subject,
    Arc<C>: Subject,
{
    // Before the ones that they are in.
    inner: KVec<(Arc<P>, Folders<C>)>,
    outer: Folders<P>,
    inside: &'static str,
}

impl<P: Send + Sync + 'static, C: Send + Sync + 'static> Nested<P, C>
where
    Arc<P>: Subject,
    Arc<C>: Subject,
{
    /// As [`Folders::new`]; the folders within others will be `inside`.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn new(place: Place<'_>, name: fmt::Arguments<'_>, inside: &'static str) -> Result<Self> {
        Ok(Self {
            inner: KVec::new(),
            outer: Folders::new(place, name)?,
            inside,
        })
    }

    /// As [`Folders::agree`]. `within` has the folders within each agree.
    ///
    /// # Errors
    ///
    /// As there, and those of `within`.
    pub fn agree<'a, N: fmt::Display>(
        &mut self,
        wanted: &'a [Arc<P>],
        name: impl Fn(&'a P) -> N,
        within: impl Fn(&Arc<P>, &mut Folders<C>) -> Result,
    ) -> Result {
        self.inner
            .retain(|(about, _)| wanted.iter().any(|one| Arc::ptr_eq(one, about)));
        self.outer.agree(wanted, name)?;
        for (about, place) in self.outer.iter() {
            let mut inner = self.inner.iter();
            let known = inner.position(|(one, _)| Arc::ptr_eq(one, about));
            let at = known.unwrap_or(self.inner.len());
            if known.is_none() {
                let none = Folders::new(place, fmt!("{}", self.inside))?;
                self.inner.push((about.clone(), none), GFP_KERNEL)?;
            }
            if let Some((_, folders)) = self.inner.get_mut(at) {
                within(about, folders)?;
            }
        }
        Ok(())
    }
}

/// What is seen in folders, if anything is.
#[pin_data]
pub struct Sight<T> {
    #[pin]
    shown: Mutex<Option<T>>,
}

impl<T: Unpin> Sight<T> {
    /// Nothing is.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            shown <- new_mutex!(None),
        })
    }

    /// From now on that is seen.
    ///
    /// Context: process context, may sleep.
    pub fn begin(&self, shown: T) {
        *self.shown.lock() = Some(shown);
    }

    /// From now on nothing is.
    ///
    /// Context: as for [`Sight::begin`], and that of dropping a `T`.
    pub fn end(&self) {
        let shown = self.shown.lock().take();
        drop(shown);
    }

    /// Changes what is seen, if anything is.
    ///
    /// Context: as for [`Sight::begin`].
    ///
    /// # Errors
    ///
    /// Those of `change`.
    pub fn change(&self, change: impl FnOnce(&mut T) -> Result) -> Result {
        match &mut *self.shown.lock() {
            Some(shown) => change(shown),
            None => Ok(()),
        }
    }
}
