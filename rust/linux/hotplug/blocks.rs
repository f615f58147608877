// SPDX-License-Identifier: GPL-2.0

//! The blocks that were added.
//!
//! Lock order: the kernel's locks for memory hotplug, then [`Blocks::list`].

use super::{
    Arrived,
    Order, //
};
use crate::bindings as xen_bindings;
use core::{
    ops::Range,
    ptr::{
        addr_of_mut,
        null_mut, //
    },
    sync::atomic::{
        AtomicPtr,
        Ordering::{
            AcqRel,
            Acquire,
            Release, //
        }, //
    }, //
};
use kernel::{
    bindings::{
        self,
        notifier_block,
        NOTIFY_BAD,
        NOTIFY_OK, //
    },
    container_of,
    error::to_result,
    ffi::{
        c_int,
        c_uint,
        c_ulong,
        c_void, //
    },
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    str::CString,
    sync::Mutex,
    types::Opaque, //
};

#[cfg(CONFIG_KUNIT)]
use crate::linux::faults::{
    add_memory_driver_managed,
    objects, //
};
#[cfg(not(CONFIG_KUNIT))]
use bindings::add_memory_driver_managed;

/// Nobody objects to what memory hotplug is about to do.
#[cfg(not(CONFIG_KUNIT))]
fn objects(_action: c_ulong) -> bool {
    false
}

/// How far a block has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has never been online.
    Offline,
    /// It comes online, and its pages were kept from the allocator.
    Arriving,
    /// It is online.
    Arrived,
    /// Whoever has added it has got its pages. From here on it is memory like any other.
    Taken,
}

/// The states of a block that is not online yet.
const COMING: [State; 2] = [State::Offline, State::Arriving];

/// A block of memory.
#[derive(Clone, Copy)]
struct Block {
    first: usize,
    state: State,
}

/// Blocks of memory that were added. There is one at a time.
///
/// # Invariants
///
/// - `notifier` is registered from the end of its initialisation until `drop`.
/// - `name` is there until `drop`, and its string for as long as there is a block in `list`.
#[pin_data(PinnedDrop)]
pub struct Blocks {
    #[pin]
    notifier: Opaque<notifier_block>,
    #[pin]
    list: Mutex<KVec<Block>>,
    name: Option<CString>,
}

// SAFETY: Nothing of it is bound to a thread.
unsafe impl Send for Blocks {}
// SAFETY: As above, and the list is behind a lock.
unsafe impl Sync for Blocks {}

/// Whom the kernel asks when pages come online: null, or the [`Blocks`] that there are.
static KEEPER: AtomicPtr<Blocks> = AtomicPtr::new(null_mut());

/// Returns how many pages a block has.
fn block_pages() -> usize {
    // SAFETY: No preconditions.
    unsafe { xen_bindings::memory_block_size_bytes() as usize / PAGE_SIZE }
}

impl Blocks {
    /// Returns no blocks yet; what is added will be called `name` in `/proc/iomem`, which must be
    /// of the form `System RAM (…)`.
    ///
    /// Context: may sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` if somebody else keeps pages from the allocator, `ENOMEM`.
    pub fn new(name: &CStr) -> Result<Pin<KBox<Self>>> {
        let blocks = KBox::pin_init(Self::with_name(CString::try_from(name)?), GFP_KERNEL)?;
        let this: *const Self = &*blocks;
        KEEPER
            .compare_exchange(null_mut(), this.cast_mut(), AcqRel, Acquire)
            .map_err(|_| EBUSY)?;
        // SAFETY: `keep` is such a function, and is taken back before it is gone.
        let ret = unsafe { bindings::set_online_page_callback(Some(keep)) };
        if ret != 0 {
            KEEPER.store(null_mut(), Release);
            return Err(EBUSY);
        }
        Ok(blocks)
    }

    fn with_name(name: CString) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            name: Some(name),
            list <- new_mutex!(KVec::new()),
            notifier <- Opaque::try_ffi_init(|slot: *mut notifier_block| {
                // SAFETY: `slot` is valid for writing.
                unsafe {
                    slot.write(notifier_block {
                        notifier_call: Some(Self::notify),
                        ..pin_init::zeroed()
                    })
                };
                // SAFETY: `slot` is initialised and stays there until `drop`. A call before this
                // returns finds `list`, which is initialised already.
                // INVARIANT: On success it is registered.
                to_result(unsafe { xen_bindings::register_memory_notifier(slot) })
            }),
        })
    }

    /// Adds a block, somewhere below frame `below` where nothing is. `prepare` is shown its frames
    /// before the kernel maps them.
    ///
    /// With `auto_online_blocks` it is online, and there to [take](Self::take), when this returns;
    /// otherwise when somebody has it online.
    ///
    /// Context: may sleep; without any lock that is taken while memory comes online.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EBUSY` or `EEXIST` if there is no room, what `prepare` says, what the kernel says.
    pub fn add(&self, below: usize, prepare: impl FnOnce(Range<usize>) -> Result) -> Result {
        let pages = block_pages();
        let bytes = (pages * PAGE_SIZE) as u64;
        let start = room(bytes, below)?;
        let first = start as usize / PAGE_SIZE;
        let name = self.name.as_ref().ok_or(EINVAL)?.as_char_ptr();
        prepare(first..first + pages)?;

        let block = Block {
            first,
            state: State::Offline,
        };
        // Whoever reclaims memory holds no lock that memory hotplug waits for: so nothing is
        // reclaimed here.
        self.list.lock().push(block, GFP_NOWAIT)?;
        // SAFETY: There is no memory at these addresses, and nobody else uses them: if somebody has
        // begun to, the kernel finds out. By the type invariants the name stays.
        let ret = unsafe {
            add_memory_driver_managed(
                xen_bindings::xenoxide_memory_nid(start),
                start,
                bytes,
                name,
                xen_bindings::XENOXIDE_MHP_MERGE,
            )
        };
        if ret != 0 {
            self.forget(first);
        }
        to_result(ret)
    }

    /// Returns a block that has come online, if there is one.
    pub fn take(&self) -> Option<Arrived> {
        let mut list = self.list.lock();
        let block = list
            .iter_mut()
            .find(|block| block.state == State::Arrived)?;
        block.state = State::Taken;
        // INVARIANT: Its pages were kept from the allocator when it came online, and that is over;
        // a block is a multiple of 2 MiB. Nobody gets it twice.
        Some(Arrived(block.first..block.first + block_pages()))
    }

    /// Returns how many pages were added that are not online yet.
    pub fn offline(&self) -> usize {
        let list = self.list.lock();
        let blocks = list.iter().filter(|block| COMING.contains(&block.state));
        blocks.count() * block_pages()
    }

    /// Removes the blocks that have never been online. One that is about to be has
    /// [arrived](Self::take) when this returns.
    ///
    /// Context: as for [`Blocks::add`].
    pub fn remove_offline(&self) {
        let mut at = 0;
        loop {
            let Some(block) = self.list.lock().get(at).copied() else {
                return;
            };
            let start = (block.first * PAGE_SIZE) as u64;
            let bytes = (block_pages() * PAGE_SIZE) as u64;
            if COMING.contains(&block.state) {
                // SAFETY: It was added by us, as a whole. If it is online the kernel leaves it.
                let ret = unsafe { bindings::remove_memory(start, bytes) };
                if ret == 0 {
                    self.forget(block.first);
                    continue;
                }
            }
            at += 1;
        }
    }

    /// Takes a block off the list.
    fn forget(&self, first: usize) {
        self.list.lock().retain(|block| block.first != first);
    }

    /// Notes that the block of frame `pfn` has come from one of the states `from` to `to`, and
    /// returns whether there is such a block.
    fn advance(&self, pfn: usize, from: &[State], to: State) -> bool {
        let mut list = self.list.lock();
        let pages = block_pages();
        let block = list
            .iter_mut()
            .find(|block| (block.first..block.first + pages).contains(&pfn))
            .filter(|block| from.contains(&block.state));
        block.is_some_and(|block| {
            block.state = to;
            true
        })
    }

    /// # Safety
    ///
    /// Only the notifier chain may call this, with a block of this type that is registered and
    /// `data` pointing to what memory hotplug says.
    unsafe extern "C" fn notify(
        block: *mut notifier_block,
        action: c_ulong,
        data: *mut c_void,
    ) -> c_int {
        if objects(action) {
            return NOTIFY_BAD as c_int;
        }
        if action == xen_bindings::memory_block_state_MEM_ONLINE as c_ulong {
            let block: *mut Opaque<notifier_block> = block.cast();
            // SAFETY: The block is `notifier` of a pinned `Self`, and `drop` waits for this
            // function. Only `list` is used, which is initialised before the block is registered.
            let list = unsafe { &*container_of!(block, Self, notifier) };
            // SAFETY: By the requirements.
            let first = unsafe { (*data.cast::<xen_bindings::memory_notify>()).start_pfn };
            list.advance(first, &[State::Arriving], State::Arrived);
        }
        NOTIFY_OK as c_int
    }
}

/// Keeps pages that come online from the allocator, if there is nothing behind them.
///
/// # Safety
///
/// Only memory hotplug may call this, with a run of pages that nobody uses.
unsafe extern "C" fn keep(page: *mut bindings::page, order: c_uint) {
    // SAFETY: By the requirements it is a page.
    let pfn = unsafe { xen_bindings::xenoxide_page_to_pfn(page) };
    // SAFETY: `drop` takes this function back, and waits for it, before what is there is gone.
    let blocks = unsafe { KEEPER.load(Acquire).as_ref() };
    if !blocks.is_some_and(|blocks| blocks.advance(pfn, &COMING, State::Arriving)) {
        // SAFETY: By the requirements; it is what would have been called without us.
        unsafe { bindings::generic_online_page(page, order) };
    }
}

/// Returns an address where there is room for `bytes`, aligned to that, below frame `below`.
fn room(bytes: u64, below: usize) -> Result<u64> {
    let frames = (below as u64).saturating_mul(PAGE_SIZE as u64);
    // SAFETY: No preconditions.
    let allowed = unsafe { bindings::mhp_get_pluggable_range(true) };
    let mut found = bindings::resource {
        name: c"xenoxide".as_char_ptr(),
        flags: (bindings::IORESOURCE_MEM | bindings::IORESOURCE_BUSY) as c_ulong,
        ..pin_init::zeroed()
    };
    // SAFETY: `found` is no part of the tree, and stays where it is until it is taken out again.
    let ret = unsafe {
        bindings::allocate_resource(
            addr_of_mut!(bindings::iomem_resource),
            &raw mut found,
            bytes,
            allowed.start,
            allowed.end.min(frames.saturating_sub(1)),
            bytes,
            None,
            null_mut(),
        )
    };
    to_result(ret)?;
    // SAFETY: It is in the tree, as just put there, and has no children.
    unsafe { bindings::release_resource(&raw mut found) };
    Ok(found.start)
}

#[pinned_drop]
impl PinnedDrop for Blocks {
    fn drop(self: Pin<&mut Self>) {
        let this: *const Self = &*self;
        if KEEPER.load(Acquire).cast_const() == this {
            // SAFETY: It is what was set. This waits until no memory comes online.
            unsafe { bindings::restore_online_page_callback(Some(keep)) };
            KEEPER.store(null_mut(), Release);
        }
        // SAFETY: By the type invariants the block is registered. This waits for running calls.
        unsafe { xen_bindings::unregister_memory_notifier(self.notifier.get()) };
        let this = self.project();
        if !this.list.lock().is_empty() {
            // INVARIANT: The string stays, as there is something of that name.
            core::mem::forget(this.name.take());
        }
    }
}

const _: () = assert!(Order::Huge.pages() * PAGE_SIZE <= xen_bindings::XENOXIDE_SECTION as usize);
