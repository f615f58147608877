// SPDX-License-Identifier: GPL-2.0

//! What a file system has to tell.

use super::{
    Locked,
    Mount,
    Request, //
};
use core::ops::Range;
use kernel::{
    iov::IovIterDest,
    prelude::*,
    seq_file::SeqFile,
    sync::Arc, //
};

/// Longest name of a file, in bytes.
pub const NAME_MAX: usize = 255;

/// Longest target of a symbolic link, in bytes.
pub const TARGET_MAX: usize = 4095;

/// What `stat(2)` says of an inode.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes {
    /// Its kind, and its permissions.
    pub mode: u16,
    /// Who owns it.
    pub uid: u32,
    /// Which group it belongs to.
    pub gid: u32,
    /// How many names it has.
    pub links: u32,
    /// Bytes of a file, or of a link's target.
    pub size: u64,
    /// How much it takes, in units of 512 bytes.
    pub sectors: u64,
    /// When its content was changed last, in seconds since 1970 and nanoseconds. It says the same
    /// of all its other times.
    pub modified: (i64, u32),
    /// Major and minor number of the device that it is, if it is one.
    pub device: (u32, u32),
    /// What a handle for export has beside the number.
    pub generation: u32,
}

/// What `statfs(2)` says of a file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Statfs {
    /// Its size, in pages.
    pub blocks: u64,
    /// How many inodes it has.
    pub files: u64,
}

/// What is looked for in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// Data (`SEEK_DATA`).
    Data,
    /// A hole (`SEEK_HOLE`).
    Hole,
}

/// Frames of guest memory, in a row, that stay what they are as long as the object is there.
///
/// # Safety
///
/// Programs may be let read the `count()` frames from number `pfn()` on, neither of which changes, as
/// long as the object is there, and after that until they have been taken away from them with
/// [`Mount::unmap`].
pub unsafe trait Pinned {
    /// Returns the first frame's number.
    fn pfn(&self) -> usize;

    /// Returns how many frames there are.
    fn count(&self) -> usize {
        1
    }
}

/// The frames of file systems without any.
pub enum NoFrame {}

// SAFETY: There is no such object.
unsafe impl Pinned for NoFrame {
    fn pfn(&self) -> usize {
        match *self {}
    }
}

/// A file system, mounted or about to be.
///
/// All methods are called in process context and may sleep. They are called by any number of
/// threads at once.
///
/// # Errors
///
/// Whatever the program shall see; `EIO` if what there is makes no sense.
pub trait FileSystem: Sized + Send + Sync + 'static {
    /// The name of the type, for mount(8).
    const NAME: &'static CStr;
    /// The number of the type, for `statfs(2)`.
    const MAGIC: usize;
    /// The options that there are. Each has a value.
    const OPTIONS: &'static [&'static CStr];

    /// What there is of the module, to find file systems by.
    type State: Send + Sync + 'static;
    /// What is kept with each inode; dropped without notice.
    type Node: Send + Sync + 'static;
    /// What [`FileSystem::frame`] returns.
    type Frame<'a>: Pinned
    where
        Self: 'a;
    /// What [`FileSystem::frames_at_hand`] has.
    type Shown<'a>: Pinned
    where
        Self: 'a;
    /// Pages of a file that are looked up together.
    type Run;

    /// Finds or makes what shall be mounted.
    ///
    /// Who gets the same object as another mount shares its caches. It is dropped some time after
    /// it was last mounted.
    fn attach(state: &Self::State, request: &Request<'_>) -> Result<Arc<Self>>;

    /// Returns where it is mounted: an object that belongs to it alone.
    fn mount(&self) -> &Mount;

    /// Returns by what it is known, also by overlayfs.
    fn uuid(&self) -> [u8; 16];

    /// Returns the number of the root's inode.
    fn root(&self) -> u64;

    /// Returns how large it is.
    fn statfs(&self) -> Statfs;

    /// Prints options as mount(8) has them, with a comma before each.
    fn show_options(&self, _out: &SeqFile) {}

    /// Returns the inode with that number, if there is one. Numbers fit in 32 bits.
    fn inode(&self, number: u64) -> Result<Option<(Attributes, Self::Node)>>;

    /// Looks for a name of up to [`NAME_MAX`] bytes in a directory, and returns the inode's number.
    fn lookup(&self, directory: &Self::Node, name: &[u8]) -> Result<Option<u64>>;

    /// Shows the entries of a directory to `emit`: name, number of the inode, and kind as in
    /// `readdir(3)`. The first one is that with index `from`; there are none for `.` and `..`.
    /// Ends when there are no more, or when `emit` returns that it has no room for this one.
    fn read_directory(
        &self,
        directory: &Self::Node,
        from: u64,
        emit: &mut dyn FnMut(&[u8], u64, u8) -> bool,
    ) -> Result;

    /// Returns the number of the directory that a directory is in.
    fn parent(&self, directory: &Self::Node) -> Result<u64>;

    /// Copies the target of a symbolic link to `to`, and returns how many bytes it has. None of
    /// them may be zero.
    fn target(&self, link: &Self::Node, to: &mut [u8; TARGET_MAX]) -> Result<usize>;

    /// Returns how long the value of an extended attribute is, and copies it to `to` if that is
    /// long enough. [`None`] if there is none of that name, which has its prefix. Access control
    /// lists are attributes: `system.posix_acl_access`, `system.posix_acl_default`.
    fn xattr(&self, _node: &Self::Node, _name: &[u8], _to: &mut [u8]) -> Result<Option<usize>> {
        Ok(None)
    }

    /// Shows the names of all extended attributes to `each`. If that fails, so does this.
    fn xattrs(&self, _node: &Self::Node, _each: &mut dyn FnMut(&[u8]) -> Result) -> Result {
        Ok(())
    }

    /// Copies the content of a file from `at` on to `to`, which is no longer than the rest of it,
    /// until that is full or cannot be written any further. What was copied counts, even if this
    /// fails.
    ///
    /// The program's memory may be a mapping of the file: no lock may be held that
    /// [`FileSystem::fill`] or [`FileSystem::frame`] takes.
    fn read(&self, file: &Self::Node, at: u64, to: &mut IovIterDest<'_>) -> Result;

    /// Returns the first place of a file at `at`, which is before its end, or behind, where there
    /// is what is looked for. [`None`] if there is nothing up to the end.
    fn seek(&self, _file: &Self::Node, at: u64, what: Seek) -> Result<Option<u64>> {
        Ok((what == Seek::Data).then_some(at))
    }

    /// Copies the content of a file's page to `page`, which is zeroes up to then.
    ///
    /// If it fails, a program that has mapped the page gets `SIGBUS`; so it should be waited for
    /// what is on its way, but for a fatal signal.
    ///
    /// Context: the caller holds the page's lock, perhaps that of its memory mappings, too.
    fn fill(&self, file: &Self::Node, index: u64, page: &mut [u8]) -> Result;

    /// Returns whether [`FileSystem::frame`] may return any.
    fn has_frames(&self) -> bool {
        false
    }

    /// Returns the frame that has the content of a file's page, to be read but not executed from
    /// there by programs that map the file; also what the frame has behind the file's end. [`None`]
    /// to have it from [`FileSystem::fill`].
    ///
    /// It is mapped while the [`Pinned`] object lives. Who wants it back sees to it that nobody
    /// gets it any more, waits until all objects are gone, and then calls [`Mount::unmap`].
    ///
    /// Failing is as for [`FileSystem::fill`].
    ///
    /// Context: the caller holds the lock of its memory mappings.
    fn frame(&self, _file: &Self::Node, _index: u64) -> Result<Option<Self::Frame<'_>>> {
        Ok(None)
    }

    /// Finds out where pages of a file are, of those in `indexes`: `index` among them. [`None`] if
    /// there are no frames for that.
    ///
    /// Context: as for [`FileSystem::frame`].
    fn run(
        &self,
        _file: &Self::Node,
        _index: u64,
        _indexes: Range<u64>,
    ) -> Result<Option<Self::Run>> {
        Ok(None)
    }

    /// Lets programs have the frames of those pages that take no time: [`FileSystem::frames_at_hand`]
    /// has them then.
    ///
    /// Context: as for [`FileSystem::frame`].
    fn show(&self, _run: &Self::Run) {}

    /// Calls `each` with those pages that programs may have: with the first of those that follow each
    /// other, and their frames. Who wants such a frame back sees to it that nobody gets it any more, and
    /// then calls [`Mount::unmap`].
    ///
    /// Context: atomic; a page table is locked.
    fn frames_at_hand<'a>(
        &'a self,
        _run: &Self::Run,
        _locked: &'a Locked,
        _each: impl FnMut(u64, Self::Shown<'a>),
    ) {
    }
}
