// SPDX-License-Identifier: GPL-2.0

//! A file system of the test's own, mounted in the kernel.
//!
//! What programs see of one is tested by scenarios.

use crate::vfs::{
    inside::Inside,
    Attributes,
    FileSystem,
    Mount,
    NoFrame,
    Registration,
    Request,
    Seek,
    Statfs,
    TARGET_MAX, //
};
use kernel::{
    iov::IovIterDest,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

/// How many file systems there are.
static ALIVE: Atomic<u32> = Atomic::new(0);

const SIZE: u64 = 3 * PAGE_SIZE as u64 + 5;

/// Numbers of inodes, and their names.
const ROOT: u64 = 1;
const NAMES: [(&[u8], u64); 5] = [
    (b"bad", 5),
    (b"data", 2),
    (b"held", HELD),
    (b"link", 3),
    (b"torn", 4),
];
/// While this one is filled its pages are taken away.
const HELD: u64 = 6;

/// Returns what a file has at a place.
fn byte(file: u64, at: u64) -> Result<u8> {
    if file == 4 && at >= 10 {
        return Err(EIO);
    }
    Ok((at % 251) as u8)
}

/// A tree of files.
#[pin_data(PinnedDrop)]
struct Tree {
    #[pin]
    mount: Mount,
}

#[pinned_drop]
impl PinnedDrop for Tree {
    fn drop(self: Pin<&mut Self>) {
        ALIVE.fetch_sub(1, Relaxed);
    }
}

impl FileSystem for Tree {
    const NAME: &'static CStr = c"xen_kunit";
    const MAGIC: usize = 0x4b55;
    const OPTIONS: &'static [&'static CStr] = &[];
    type State = ();
    type Node = u64;
    type Frame<'a> = NoFrame;
    type Shown<'a> = NoFrame;
    type Run = ();

    fn attach((): &(), request: &Request<'_>) -> Result<Arc<Self>> {
        if request.source() != Some(b"here") {
            request.error(fmt!("there is nothing"));
            return Err(ENOENT);
        }
        ALIVE.add(1, Relaxed);
        Arc::pin_init(
            pin_init!(Tree {
                mount <- Mount::new(),
            }),
            GFP_KERNEL,
        )
    }

    fn mount(&self) -> &Mount {
        &self.mount
    }

    fn uuid(&self) -> [u8; 16] {
        [7; 16]
    }

    fn root(&self) -> u64 {
        ROOT
    }

    fn statfs(&self) -> Statfs {
        Statfs::default()
    }

    fn inode(&self, number: u64) -> Result<Option<(Attributes, u64)>> {
        let (mode, size) = match number {
            ROOT => (0o040755, 0),
            2 | 4 => (0o100644, SIZE),
            HELD => {
                self.mount.unmap(HELD, 0, 1);
                (0o100644, SIZE)
            }
            3 => (0o120777, 4),
            5 => return Err(EIO),
            _ => return Ok(None),
        };
        let attributes = Attributes {
            mode,
            size,
            links: 1,
            ..Attributes::default()
        };
        Ok(Some((attributes, number)))
    }

    fn lookup(&self, _: &u64, name: &[u8]) -> Result<Option<u64>> {
        let entry = NAMES.iter().find(|entry| entry.0 == name);
        Ok(entry.map(|entry| entry.1))
    }

    fn read_directory(
        &self,
        _: &u64,
        from: u64,
        emit: &mut dyn FnMut(&[u8], u64, u8) -> bool,
    ) -> Result {
        let rest = NAMES.iter().skip(usize::try_from(from)?);
        for (name, number) in rest {
            if !emit(name, *number, 8) {
                break;
            }
        }
        Ok(())
    }

    fn parent(&self, _: &u64) -> Result<u64> {
        Ok(ROOT)
    }

    fn target(&self, _: &u64, to: &mut [u8; TARGET_MAX]) -> Result<usize> {
        let target = b"data";
        to[..target.len()].copy_from_slice(target);
        Ok(target.len())
    }

    fn read(&self, file: &u64, at: u64, to: &mut IovIterDest<'_>) -> Result {
        let mut at = at;
        while !to.is_empty() && to.copy_to_iter(&[byte(*file, at)?]) == 1 {
            at += 1;
        }
        Ok(())
    }

    fn seek(&self, _: &u64, at: u64, what: Seek) -> Result<Option<u64>> {
        let hole = PAGE_SIZE as u64;
        Ok(match what {
            Seek::Data => (at < hole).then_some(at),
            Seek::Hole => Some(at.max(hole)),
        })
    }

    fn fill(&self, file: &u64, index: u64, page: &mut [u8]) -> Result {
        for (place, to) in page.iter_mut().enumerate() {
            *to = byte(*file, index * PAGE_SIZE as u64 + place as u64)?;
        }
        Ok(())
    }
}

/// Registers the type.
fn registered() -> Result<Registration<Tree>> {
    Registration::new(&crate::THIS_MODULE, Arc::new((), GFP_KERNEL)?)
}

#[kunit_tests(xen_vfs)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_type_at_a_time() -> Result {
        let first = registered()?;
        let second = registered();
        assert!(second.is_err_and(|error| error == EBUSY));
        drop(first);
        drop(registered()?);
        Ok(())
    }

    #[test]
    fn what_is_unmounted_is_dropped() -> Result {
        let registration = registered()?;
        assert!(Inside::new(&registration, c"there").is_err_and(|error| error == ENOENT));
        let mount = Inside::new(&registration, c"here")?;
        assert_eq!(ALIVE.load(Relaxed), 1);
        drop(mount);
        assert_eq!(ALIVE.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn files_are_found_by_name() -> Result {
        let registration = registered()?;
        let mount = Inside::new(&registration, c"here")?;
        drop(mount.open(c"data")?);
        drop(mount.open(c"link")?);
        drop(mount.open(c"./data")?);
        assert!(mount.open(c"none").is_err_and(|error| error == ENOENT));
        assert!(mount.open(c"bad").is_err_and(|error| error == EIO));
        Ok(())
    }

    #[test]
    fn what_is_being_filled_is_not_waited_for() -> Result {
        let registration = registered()?;
        let mount = Inside::new(&registration, c"here")?;
        let file = mount.open(c"held")?;
        assert_eq!(file.read(0, &mut [0; 10])?, 10);
        Ok(())
    }

    #[test]
    fn reading_ends_with_the_file() -> Result {
        let registration = registered()?;
        let mount = Inside::new(&registration, c"here")?;
        let file = mount.open(c"link")?;
        let mut room = KVec::from_elem(0_u8, 4 * PAGE_SIZE, GFP_KERNEL)?;

        assert_eq!(file.read(0, &mut room)? as u64, SIZE);
        for (at, has) in room.iter().enumerate().take(SIZE as usize) {
            assert_eq!(*has, byte(2, at as u64)?);
        }
        let last = SIZE as i64 - 1;
        assert_eq!(file.read(last, &mut room)?, 1);
        assert_eq!(room[0], byte(2, SIZE - 1)?);
        assert_eq!(file.read(last + 1, &mut room)?, 0);
        let far = i64::MAX - room.len() as i64;
        assert_eq!(file.read(far, &mut room)?, 0);
        Ok(())
    }

    #[test]
    fn what_was_read_before_an_error_counts() -> Result {
        let registration = registered()?;
        let mount = Inside::new(&registration, c"here")?;
        let file = mount.open(c"torn")?;
        let mut room = [0; 100];

        assert_eq!(file.read(2, &mut room)?, 8);
        assert!(file.read(10, &mut room).is_err_and(|error| error == EIO));
        Ok(())
    }

    #[test]
    fn the_end_is_a_hole() -> Result {
        let registration = registered()?;
        let mount = Inside::new(&registration, c"here")?;
        let file = mount.open(c"data")?;
        let page = PAGE_SIZE as i64;

        assert_eq!(file.seek(0, false)?, 0);
        assert_eq!(file.seek(0, true)? as i64, page);
        assert_eq!(file.seek(page + 1, true)? as i64, page + 1);
        assert!(file.seek(page, false).is_err_and(|error| error == ENXIO));
        for at in [-1, SIZE as i64] {
            assert!(file.seek(at, true).is_err_and(|error| error == ENXIO));
        }
        Ok(())
    }
}
