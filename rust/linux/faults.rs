// SPDX-License-Identifier: GPL-2.0

//! Faults on purpose, for tests: what the hypervisor, the allocator and memory hotplug may answer
//! but hardly ever do. Only in kernels with KUnit.
//!
//! The functions with the names of calls make these calls, unless a fault is [armed](arm) for them.
//! A fault does what it would be in reality: where the hypervisor is to have done a part of the
//! work, it does that part.
//!
//! Which answers there are: Xen's `xen/common/memory.c` and `xen/common/multicall.c`.

use crate::bindings;
use kernel::{
    ffi::{
        c_char,
        c_int,
        c_long,
        c_uint,
        c_ulong,
        c_void, //
    },
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// Where a fault can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// Allocating pages.
    Alloc,
    /// `HVMOP_get_mem_type`.
    MemType,
    /// `XENMEM_decrease_reservation`.
    Decrease,
    /// `XENMEM_populate_physmap`.
    Populate,
    /// A multicall, in a PV domain.
    Multicall,
    /// Writing the P2M, in a PV domain: a fault, of whatever kind, says that the part of the table
    /// is shared.
    P2mWrite,
    /// Getting a part of the P2M, in a PV domain.
    P2mAlloc,
    /// Adding memory to the kernel.
    AddMemory,
    /// Having added memory come online: whatever the fault, somebody objects.
    Online,
}

/// How many sites there are.
const SITES: usize = 9;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done; an error is the answer.
    Error(Error),
    /// Only the first so many extents are done. Of a multicall, only the first so many calls are
    /// made, and an error is the answer.
    Short(usize),
    /// Only `whole` extents and the first `pages` pages of the next one are done.
    Broken {
        /// Extents done.
        whole: usize,
        /// Pages of the next one.
        pages: usize,
    },
    /// The call of this number in a multicall fails.
    Entry(usize),
    /// All is done, later.
    Late,
}

/// How much later.
const LATE_MS: i64 = 20;

/// The plan for a site. A test thread writes it, and the calls of the same thread read it.
struct Slot {
    kind: Atomic<u32>,
    first: Atomic<usize>,
    second: Atomic<usize>,
    skip: Atomic<usize>,
    times: Atomic<usize>,
    hits: Atomic<usize>,
}

static PLAN: [Slot; SITES] = [const { Slot::new() }; SITES];

impl Slot {
    const fn new() -> Self {
        Self {
            kind: Atomic::new(0),
            first: Atomic::new(kernel::bindings::ENOMEM as usize),
            second: Atomic::new(0),
            skip: Atomic::new(0),
            times: Atomic::new(0),
            hits: Atomic::new(0),
        }
    }

    fn of(site: Site) -> &'static Self {
        &PLAN[site as usize]
    }

    fn set(&self, fault: Fault) {
        let (kind, first, second) = match fault {
            Fault::Error(e) => (0, e.to_errno().unsigned_abs() as usize, 0),
            Fault::Short(done) => (1, done, 0),
            Fault::Broken { whole, pages } => (2, whole, pages),
            Fault::Entry(n) => (3, n, 0),
            Fault::Late => (4, 0, 0),
        };
        self.kind.store(kind, Relaxed);
        self.first.store(first, Relaxed);
        self.second.store(second, Relaxed);
    }

    fn get(&self) -> Fault {
        let (first, second) = (self.first.load(Relaxed), self.second.load(Relaxed));

        match self.kind.load(Relaxed) {
            0 => Fault::Error(Error::from_errno(-(first as c_int))),
            1 => Fault::Short(first),
            2 => Fault::Broken {
                whole: first,
                pages: second,
            },
            3 => Fault::Entry(first),
            _ => Fault::Late,
        }
    }

    /// Returns the fault that happens now, if one does.
    fn due(&self) -> Option<Fault> {
        let times = self.times.load(Relaxed);
        if times == 0 {
            return None;
        }
        let skip = self.skip.load(Relaxed);
        if skip > 0 {
            self.skip.store(skip - 1, Relaxed);
            return None;
        }
        self.times.store(times - 1, Relaxed);
        self.hits.add(1, Relaxed);
        let fault = self.get();
        if fault == Fault::Late {
            fsleep(Delta::from_millis(LATE_MS));
        }
        Some(fault)
    }
}

/// A fault that is planned. Dropped, it does not happen any more.
pub struct Armed(Site);

/// Plans that `fault` happens at `site` `times` times, after `skip` calls that go well.
///
/// One fault at a site at a time. Context: process context, may sleep.
pub fn arm(site: Site, fault: Fault, skip: usize, times: usize) -> Armed {
    let slot = Slot::of(site);

    slot.set(fault);
    slot.hits.store(0, Relaxed);
    slot.skip.store(skip, Relaxed);
    slot.times.store(times, Relaxed);
    Armed(site)
}

/// Returns how many times more a fault happens at a site: that there is no memory, if none was ever
/// armed. For tests that see a module from outside.
pub fn times(site: Site) -> &'static Atomic<usize> {
    &Slot::of(site).times
}

impl Armed {
    /// Returns how often it has happened.
    pub fn hits(&self) -> usize {
        Slot::of(self.0).hits.load(Relaxed)
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        Slot::of(self.0).times.store(0, Relaxed);
    }
}

/// Allocates pages.
///
/// # Safety
///
/// As for the kernel's function.
pub(crate) unsafe fn alloc_pages(
    gfp: kernel::bindings::gfp_t,
    order: c_uint,
) -> *mut kernel::bindings::page {
    match Slot::of(Site::Alloc).due() {
        None | Some(Fault::Late) => {
            // SAFETY: By the requirements.
            unsafe { kernel::bindings::alloc_pages(gfp, order) }
        }
        Some(_) => core::ptr::null_mut(),
    }
}

/// Asks for the type of a frame.
///
/// # Safety
///
/// As for the hypercall.
pub(crate) unsafe fn hvm_op(op: c_int, arg: *mut c_void) -> c_int {
    match Slot::of(Site::MemType).due() {
        Some(Fault::Error(e)) => e.to_errno(),
        // SAFETY: By the requirements.
        _ => unsafe { bindings::xenoxide_hvm_op(op, arg) },
    }
}

/// Makes a memory operation.
///
/// # Safety
///
/// As for the hypercall.
pub(crate) unsafe fn memory_op(cmd: c_uint, arg: *mut c_void) -> c_long {
    let due = match cmd {
        bindings::XENMEM_decrease_reservation => Slot::of(Site::Decrease).due(),
        bindings::XENMEM_populate_physmap => Slot::of(Site::Populate).due(),
        _ => None,
    };

    match due {
        Some(Fault::Error(e)) => e.to_errno() as c_long,
        // SAFETY: By the requirements: an exchange has such an argument.
        Some(Fault::Short(done)) => unsafe { first_extents(cmd, arg.cast(), done) },
        // SAFETY: As above.
        Some(Fault::Broken { whole, pages }) => unsafe {
            first_extents_and(cmd, arg.cast(), whole, pages)
        },
        // SAFETY: By the requirements.
        _ => unsafe { bindings::xenoxide_memory_op(cmd, arg) },
    }
}

/// Exchanges only the first `done` extents.
///
/// # Safety
///
/// As for the hypercall.
unsafe fn first_extents(
    cmd: c_uint,
    all: *mut bindings::xen_memory_reservation,
    done: usize,
) -> c_long {
    // SAFETY: By the requirements it can be read.
    let mut part = unsafe { all.read() };
    part.nr_extents = part.nr_extents.min(done);
    // SAFETY: By the requirements; fewer extents are no others.
    unsafe { bindings::xenoxide_memory_op(cmd, (&raw mut part).cast()) }
}

/// Exchanges the first `whole` extents and `pages` pages of the next, and answers `whole`.
///
/// # Safety
///
/// As for the hypercall.
unsafe fn first_extents_and(
    cmd: c_uint,
    all: *mut bindings::xen_memory_reservation,
    whole: usize,
    pages: usize,
) -> c_long {
    // SAFETY: By the requirements.
    let done = unsafe { first_extents(cmd, all, whole) };
    // SAFETY: By the requirements it can be read.
    let mut page = unsafe { all.read() };
    if done != whole as c_long || whole >= page.nr_extents {
        return done;
    }

    // SAFETY: There are more than `whole` extents.
    let first = unsafe { page.extent_start.add(whole).read() };
    for i in 0..pages {
        let mut frame = first + i as bindings::xen_pfn_t;
        page.extent_start = &raw mut frame;
        page.nr_extents = 1;
        page.extent_order = 0;
        // SAFETY: By the requirements; a page of an extent is no other.
        if unsafe { bindings::xenoxide_memory_op(cmd, (&raw mut page).cast()) } != 1 {
            pr_err!("page {i} of extent {whole} was not exchanged\n");
        }
    }
    done
}

/// Makes several hypercalls.
///
/// # Safety
///
/// As for the hypercall.
#[cfg(CONFIG_XEN_PV)]
pub(crate) unsafe fn multicall(calls: *mut bindings::multicall_entry, nr: c_uint) -> c_int {
    // SAFETY: By the requirements there are more than `n` calls, where it is asked to begin there.
    let make = |from: usize, nr: usize| unsafe {
        if nr == 0 {
            0
        } else {
            bindings::xenoxide_multicall(calls.add(from), nr as c_uint)
        }
    };
    let all = nr as usize;

    match Slot::of(Site::Multicall).due() {
        Some(Fault::Error(e)) => e.to_errno(),
        Some(Fault::Short(done)) => {
            make(0, done.min(all));
            EFAULT.to_errno()
        }
        Some(Fault::Entry(n)) => {
            let n = n.min(all.saturating_sub(1));
            make(0, n);
            make(n + 1, all - n - 1);
            // SAFETY: By the requirements there are more than `n` calls.
            unsafe { (*calls.add(n)).result = EINVAL.to_errno() as isize };
            0
        }
        _ => make(0, all),
    }
}

/// Writes an entry of the P2M.
///
/// # Safety
///
/// As for the kernel's function.
#[cfg(CONFIG_XEN_PV)]
pub(crate) unsafe fn write_p2m(pfn: c_ulong, mfn: c_ulong) -> c_int {
    let due = Slot::of(Site::P2mWrite).due();

    // In a part that is shared there is no memory behind any frame already.
    if due.is_some() && mfn != c_ulong::MAX {
        return EFAULT.to_errno();
    }
    // SAFETY: By the requirements.
    let ret = unsafe { bindings::xenoxide_write_p2m(pfn, mfn) };
    due.map_or(ret, |_| EFAULT.to_errno())
}

/// Gets a part of the P2M for an entry.
///
/// # Safety
///
/// As for the kernel's function.
#[cfg(CONFIG_XEN_PV)]
pub(crate) unsafe fn alloc_p2m_entry(pfn: c_ulong) -> c_int {
    match Slot::of(Site::P2mAlloc).due() {
        Some(Fault::Error(e)) => e.to_errno(),
        // SAFETY: By the requirements.
        _ => unsafe { bindings::xen_alloc_p2m_entry(pfn) },
    }
}

/// Adds memory to the kernel.
///
/// # Safety
///
/// As for the kernel's function.
#[cfg(all(CONFIG_MEMORY_HOTPLUG, CONFIG_MEMORY_HOTREMOVE))]
pub(crate) unsafe fn add_memory_driver_managed(
    nid: c_int,
    start: u64,
    size: u64,
    name: *const c_char,
    flags: kernel::bindings::mhp_t,
) -> c_int {
    match Slot::of(Site::AddMemory).due() {
        Some(Fault::Error(e)) => e.to_errno(),
        // SAFETY: By the requirements.
        _ => unsafe { kernel::bindings::add_memory_driver_managed(nid, start, size, name, flags) },
    }
}

/// Returns whether somebody objects to what memory hotplug is about to do.
#[cfg(all(CONFIG_MEMORY_HOTPLUG, CONFIG_MEMORY_HOTREMOVE))]
pub(crate) fn objects(action: c_ulong) -> bool {
    action == bindings::memory_block_state_MEM_GOING_ONLINE as c_ulong
        && Slot::of(Site::Online).due().is_some()
}

/// What the kernel says of its pages, to the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    /// Those that the allocator manages.
    pub managed: usize,
    /// Those that are ballooned.
    pub ballooned: usize,
}

/// Returns what the kernel says of its pages now.
pub fn pages() -> Pages {
    // SAFETY: No preconditions.
    unsafe {
        Pages {
            managed: bindings::xenoxide_managed_pages(),
            ballooned: bindings::xenoxide_balloon_pages() as usize,
        }
    }
}

/// What a page frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// It is marked as one that nobody may touch.
    pub offline: bool,
    /// The allocator has it, or had it a moment ago.
    pub free: bool,
    /// It can be read, and what is read is not what one reads where there is no memory. [`None`]:
    /// not looked at.
    pub backed: Option<bool>,
}

/// Returns the first word of the page frame of number `pfn`, which must be one that the kernel has a
/// page for, if it can be read.
pub fn word(pfn: usize) -> Option<c_ulong> {
    let mut word: c_ulong = 0;
    // SAFETY: The frame has a page; that it can be read is not assumed.
    let ret = unsafe { bindings::xenoxide_read_pfn(pfn, &raw mut word) };
    (ret == 0).then_some(word)
}

/// Returns what the page frame of number `pfn` is, which must be one that the kernel has a page for.
///
/// Of frames that are marked only every `nth` is read: where there is no memory that is slow.
pub fn frame(pfn: usize, nth: usize) -> Frame {
    // SAFETY: The frame has a page.
    let (offline, free) = unsafe {
        (
            bindings::xenoxide_pfn_offline(pfn),
            bindings::xenoxide_pfn_free(pfn),
        )
    };
    let backed = (!offline || pfn.checked_rem(nth) == Some(0))
        .then(|| word(pfn).is_some_and(|word| word != c_ulong::MAX));

    Frame {
        offline,
        free,
        backed,
    }
}
