// SPDX-License-Identifier: GPL-2.0

//! Super blocks.

use super::{
    export,
    inode,
    xattr,
    FileSystem,
    NAME_MAX, //
};
use crate::bindings as xen_bindings;
use core::{
    marker::PhantomData,
    ptr::{
        from_ref,
        NonNull, //
    }, //
};
use kernel::{
    bindings,
    error::{
        from_result,
        to_result, //
    },
    ffi::{
        c_int,
        c_uchar,
        c_void, //
    },
    new_mutex,
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNode, //
    },
    seq_file::SeqFile,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// A super block that can be found.
#[derive(Clone, Copy)]
struct Found(NonNull<bindings::super_block>);

// SAFETY: A super block belongs to no thread.
unsafe impl Send for Found {}

impl Found {
    /// Takes `count` pages of an inode, or with 0 all from `index` on, out of all mappings. One that
    /// is being filled is not waited for: nobody has it mapped yet.
    ///
    /// # Safety
    ///
    /// The super block must be there.
    unsafe fn unmap(self, number: u64, index: usize, count: usize) {
        let mut is_new = false;
        // SAFETY: By the requirements; `has_number` gets the number, which stays until then.
        let inode = unsafe {
            bindings::ilookup5_nowait(
                self.0.as_ptr(),
                number,
                Some(has_number),
                from_ref(&number).cast_mut().cast(),
                &mut is_new,
            )
        };
        if inode.is_null() {
            return;
        }
        // SAFETY: The inode is referenced until then.
        unsafe {
            if !is_new {
                bindings::unmap_mapping_pages((*inode).i_mapping, index, count, false);
            }
            bindings::iput(inode);
        }
    }
}

/// Whether it is the inode that is looked for.
///
/// # Safety
///
/// Only [`Found::unmap`] may have the kernel call this, with the address of a number.
unsafe extern "C" fn has_number(inode: *mut bindings::inode, number: *mut c_void) -> c_int {
    // SAFETY: By the requirements.
    unsafe { c_int::from((*inode).i_ino == *number.cast::<u64>()) }
}

/// What a [`Mount`] knows.
struct Known {
    /// The super block.
    sb: Option<Found>,
    /// The numbers of inodes with mappings that have frames, or had some.
    shown: RBTree<u64, ()>,
}

/// Where a file system is mounted, if it is.
///
/// # Invariants
///
/// The super block is one that has its root, as long as it is known and the lock is held.
#[pin_data]
pub struct Mount {
    #[pin]
    known: Mutex<Known>,
}

impl Mount {
    /// Returns that of a file system that is not mounted.
    pub fn new() -> impl PinInit<Self> {
        // INVARIANT: There is none.
        pin_init!(Self {
            known <- new_mutex!(Known {
                sb: None,
                shown: RBTree::new(),
            }),
        })
    }

    /// Takes pages of an inode out of all mappings, so that programs fault on them again. What
    /// they have written themselves stays. With a `count` of 0, all from `index` on.
    ///
    /// Context: process context, sleeps. No lock may be held that a method of [`FileSystem`] takes,
    /// other than [`FileSystem::inode`].
    pub fn unmap(&self, number: u64, index: usize, count: usize) {
        let known = self.known.lock();
        if let Some(sb) = known.sb {
            // SAFETY: By the type invariants.
            unsafe { sb.unmap(number, index, count) };
        }
    }

    /// Takes all pages of all inodes out of mappings with frames.
    ///
    /// Context: that of [`Mount::unmap`].
    pub fn unmap_all(&self) {
        let known = self.known.lock();
        if let Some(sb) = known.sb {
            for number in known.shown.keys() {
                // SAFETY: By the type invariants.
                unsafe { sb.unmap(*number, 0, 0) };
            }
        }
    }

    /// An inode is about to have a mapping with frames.
    pub(super) fn shows(&self, number: u64) -> Result {
        if self.known.lock().shown.get(&number).is_none() {
            // Without the lock: who gives memory back may come here.
            let node = RBTreeNode::new(number, (), GFP_KERNEL)?;
            self.known.lock().shown.insert(node);
        }
        Ok(())
    }

    /// There is a super block.
    fn set(&self, sb: NonNull<bindings::super_block>) {
        self.known.lock().sb = Some(Found(sb));
    }

    /// There is that super block no more, if there was.
    fn clear(&self, sb: *mut bindings::super_block) {
        let mut known = self.known.lock();
        if known.sb.is_some_and(|it| it.0.as_ptr() == sb) {
            known.sb = None;
            known.shown = RBTree::new();
        }
    }
}

/// Functions of a super block.
struct Table<T>(PhantomData<T>);

impl<T: FileSystem> Table<T> {
    const SUPER: bindings::super_operations = bindings::super_operations {
        free_inode: Some(inode::free::<T>),
        statfs: Some(statfs::<T>),
        show_options: Some(show_options::<T>),
        ..pin_init::zeroed()
    };
}

/// Returns the file system.
///
/// # Safety
///
/// `sb` must be a super block of a `T`, and be there for `'a`.
pub(super) unsafe fn file_system<'a, T: FileSystem>(sb: *mut bindings::super_block) -> &'a T {
    // SAFETY: By the requirements: it has a reference to one.
    unsafe { &*(*sb).s_fs_info.cast::<T>() }
}

/// Makes a new super block one of ours.
///
/// # Safety
///
/// Only the mount code may call this, for a super block whose `s_fs_info` is an [`Arc<T>`].
pub(super) unsafe extern "C" fn fill<T: FileSystem>(
    sb: *mut bindings::super_block,
    _context: *mut bindings::fs_context,
) -> c_int {
    from_result(|| {
        // SAFETY: By the requirements.
        let fs = unsafe { file_system::<T>(sb) };
        // SAFETY: By the requirements it is valid, and not seen by others before its root is set.
        unsafe {
            (*sb).s_magic = T::MAGIC;
            (*sb).s_flags |= xen_bindings::XENOXIDE_SB_FLAGS;
            (*sb).s_maxbytes = i64::MAX;
            (*sb).s_blocksize = PAGE_SIZE;
            (*sb).s_blocksize_bits = PAGE_SHIFT as c_uchar;
            (*sb).s_time_gran = 1;
            (*sb).s_op = &Table::<T>::SUPER;
            (*sb).s_xattr = xattr::handlers::<T>();
            (*sb).s_export_op = export::operations::<T>();
            xen_bindings::xenoxide_super_set_uuid(sb, fs.uuid().as_ptr());
            to_result(bindings::super_setup_bdi(sb))?;
            (*sb).s_root = root::<T>(sb, fs)?;
        }
        let mount = fs.mount();
        // SAFETY: The entry is ours, and `mount` belongs to `fs`, which outlives it.
        unsafe { (*(*sb).s_root).d_fsdata = from_ref(mount).cast_mut().cast() };
        // INVARIANT: It is there, with its root, until `kill`, which finds the same `Mount`.
        mount.set(NonNull::new(sb).ok_or(EINVAL)?);
        Ok(0)
    })
}

/// # Safety
///
/// `sb` must be a super block of `fs`, all but its root in place.
unsafe fn root<T: FileSystem>(
    sb: *mut bindings::super_block,
    fs: &T,
) -> Result<*mut bindings::dentry> {
    // SAFETY: By the requirements.
    let inode = unsafe { inode::get::<T>(sb, fs.root()) }?;
    // SAFETY: It is referenced.
    if u32::from(unsafe { (*inode.as_ptr()).i_mode }) & bindings::S_IFMT != bindings::S_IFDIR {
        // SAFETY: The reference is ours.
        unsafe { bindings::iput(inode.as_ptr()) };
        return Err(EIO);
    }
    // SAFETY: This takes our reference, also if it fails.
    let dentry = unsafe { bindings::d_make_root(inode.as_ptr()) };

    NonNull::new(dentry).map(NonNull::as_ptr).ok_or(ENOMEM)
}

/// Ends a super block.
///
/// # Safety
///
/// Only the mount code may call this, for a super block of a `T`.
pub(super) unsafe extern "C" fn kill<T: FileSystem>(sb: *mut bindings::super_block) {
    // SAFETY: By the requirements. It is turned into an `Arc` again below.
    let fs = unsafe { (*sb).s_fs_info.cast::<T>() };
    // SAFETY: By the requirements. With a root there is what `fill` has put into it.
    // INVARIANT: Nobody finds it from here on.
    unsafe {
        let root = (*sb).s_root;
        if !root.is_null() {
            (*(*root).d_fsdata.cast::<Mount>()).clear(sb);
        }
    }
    // SAFETY: By the requirements. After that nobody uses the file system through it any more.
    unsafe {
        bindings::kill_anon_super(sb);
        drop(Arc::from_raw(fs));
    }
}

/// # Safety
///
/// Only the VFS may call this, for an entry in a file system of the type `T`.
unsafe extern "C" fn statfs<T: FileSystem>(
    dentry: *mut bindings::dentry,
    buf: *mut bindings::kstatfs,
) -> c_int {
    let buf = buf.cast::<xen_bindings::kstatfs>();
    // SAFETY: By the requirements.
    let (sb, numbers) = unsafe {
        let sb = (*dentry).d_sb;
        (sb, file_system::<T>(sb).statfs())
    };

    // SAFETY: By the requirements there is such an object to be filled, zeroes up to now.
    unsafe {
        (*buf).f_type = T::MAGIC as isize;
        (*buf).f_bsize = PAGE_SIZE as isize;
        (*buf).f_blocks = numbers.blocks;
        (*buf).f_files = numbers.files;
        (*buf).f_namelen = NAME_MAX as isize;
        xen_bindings::xenoxide_statfs_set_id(buf, sb);
    }
    0
}

/// # Safety
///
/// Only the VFS may call this, for an entry in a file system of the type `T`.
unsafe extern "C" fn show_options<T: FileSystem>(
    out: *mut bindings::seq_file,
    root: *mut bindings::dentry,
) -> c_int {
    // SAFETY: By the requirements.
    let (fs, out) = unsafe { (file_system::<T>((*root).d_sb), SeqFile::from_raw(out)) };

    fs.show_options(out);
    0
}
