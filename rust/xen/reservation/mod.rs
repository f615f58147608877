// SPDX-License-Identifier: GPL-2.0

//! The domain's memory reservation: giving page frames to the hypervisor and taking them back.
//!
//! A run of frames is in one of two types. [`Extents`] have memory behind them; dropped, they go
//! to the page allocator. [`Holes`] have none; dropped, they go to the built-in balloon driver,
//! which can always take them. Only an [`Exchange`] turns one into the other, so a frame can be
//! neither lost nor used while there is nothing behind it.
//!
//! C headers: [`include/xen/interface/memory.h`](srctree/include/xen/interface/memory.h),
//! [`include/xen/mem-reservation.h`](srctree/include/xen/mem-reservation.h). What the hypervisor
//! does: `xen/common/memory.c`, `decrease_reservation()` and `populate_physmap()`.

mod holes;
mod mark;
#[cfg(CONFIG_XEN_PV)]
mod pv;

#[cfg(CONFIG_XEN_PV)]
use super::pv::Mapper;
use super::{
    domain::{
        self,
        Kind, //
    },
    physmap, //
};
use crate::{
    bindings,
    linux::{
        pages::{
            nth_page,
            Extents,
            Order,
            Stack, //
        },
        timing::{
            self,
            LONGEST_CALL, //
        }, //
    }, //
};
use kernel::{
    ffi::{
        c_long,
        c_uint,
        c_void, //
    },
    prelude::*, //
};

use mark::{
    free_populated,
    mark_surrendered, //
};

pub use holes::Holes;

#[cfg(CONFIG_KUNIT)]
use crate::linux::faults::memory_op;
#[cfg(not(CONFIG_KUNIT))]
use bindings::xenoxide_memory_op as memory_op;

/// How many frame numbers fit one hypercall of an [`Exchange`].
const FRAMES: usize = 4096;

/// Returns how many pages the domain has now, special ones of the toolstack included.
///
/// Context: any.
///
/// # Errors
///
/// What the hypervisor says.
pub fn current() -> Result<usize> {
    own_count(bindings::XENMEM_current_reservation)
}

/// Returns how many pages the toolstack lets the domain have now.
///
/// Context: any.
///
/// # Errors
///
/// What the hypervisor says.
pub fn maximum() -> Result<usize> {
    own_count(bindings::XENMEM_maximum_reservation)
}

/// Asks for one of the domain's own page counts.
fn own_count(op: c_uint) -> Result<usize> {
    let mut domid: bindings::domid_t = bindings::DOMID_SELF as bindings::domid_t;
    // SAFETY: Both operations that come here read a domain ID and write nothing.
    let ret = unsafe { memory_op(op, (&raw mut domid).cast::<c_void>()) };

    to_count(ret)
}

/// Turns the result of a memory operation into a count.
fn to_count(ret: c_long) -> Result<usize> {
    usize::try_from(ret).map_err(|_| Error::from_errno(ret as i32))
}

/// How an exchange of memory with the hypervisor went.
#[derive(Clone, Copy, Debug)]
pub struct Exchanged {
    /// Pages that changed hands. Fewer than asked for is no error of its own.
    pub pages: usize,
    /// Why it stopped early, if the hypervisor said.
    pub error: Option<Error>,
}

impl Exchanged {
    /// There was nothing to exchange.
    pub const NOTHING: Self = Self {
        pages: 0,
        error: None,
    };

    /// Nothing was exchanged, for this reason.
    fn failed(error: Error) -> Self {
        Self {
            pages: 0,
            error: Some(error),
        }
    }
}

/// Exchanges memory with the hypervisor, a batch at a time.
///
/// It owns what a batch needs, so that exchanging needs no memory in the middle.
pub struct Exchange {
    /// Whether a run is surrendered as a whole: not in a PV domain, where its machine frames need
    /// not be contiguous, and only if it can be told later which pages of a run are gone.
    whole_runs: bool,
    #[cfg(CONFIG_XEN_PV)]
    mapper: Option<Mapper>,
    frames: KVVec<bindings::xen_pfn_t>,
    memory_ops: u64,
}

impl Exchange {
    /// Allocates what a batch needs.
    ///
    /// # Errors
    ///
    /// `ENODEV` when not running on Xen, `ENOMEM`.
    pub fn new() -> Result<Self> {
        let pv = domain::require()? == Kind::Pv;

        Ok(Self {
            whole_runs: !pv && physmap::is_backed(0).is_ok(),
            #[cfg(CONFIG_XEN_PV)]
            mapper: if pv { Some(Mapper::new()?) } else { None },
            frames: KVVec::from_elem(0, FRAMES, GFP_KERNEL)?,
            memory_ops: 0,
        })
    }

    /// Returns how many runs of `order` one batch can hold.
    pub fn capacity(&self, order: Order) -> usize {
        FRAMES / self.frames_per_run(order)
    }

    /// Returns how many hypercalls were made.
    pub fn hypercalls(&self) -> u64 {
        #[cfg(CONFIG_XEN_PV)]
        let multicalls = self.mapper.as_ref().map_or(0, Mapper::multicalls);
        #[cfg(not(CONFIG_XEN_PV))]
        let multicalls = 0;

        self.memory_ops + multicalls
    }

    /// Returns how many pages the domain has now, special ones of the toolstack included, and counts
    /// the hypercall.
    ///
    /// Context: any.
    ///
    /// # Errors
    ///
    /// What the hypervisor says.
    pub fn current(&mut self) -> Result<usize> {
        self.memory_ops += 1;
        current()
    }

    /// Gives the memory behind `extents` to the hypervisor and adds what went to `holes`.
    ///
    /// No more than [`Exchange::capacity`] extents are taken; those beyond, and any that the
    /// hypervisor refuses, go back to the page allocator.
    ///
    /// Context: process context, may sleep; not while the domain is being suspended.
    pub fn surrender(&mut self, mut extents: Extents, holes: &mut Holes) -> Exchanged {
        let order = extents.order();
        let runs = extents.len().min(self.capacity(order));
        self.list_gfns(extents.stack(), runs);
        if let Err(e) = self.unmap(extents.stack(), runs) {
            self.remap_listed(extents.stack(), runs);
            return Exchanged::failed(e);
        }

        let frames = runs * self.frames_per_run(order);
        let unit = if self.whole_runs { order } else { Order::Base };
        let ret = self.memory_op(bindings::XENMEM_decrease_reservation, unit, frames);
        let done = ret.unwrap_or(0).min(frames);
        let mut pages = done * unit.pages();
        if done < frames {
            pages += self.gone_of_broken(unit, done);
        }
        self.account_surrendered(&mut extents, runs, pages, holes);
        Exchanged {
            pages,
            error: ret.err(),
        }
    }

    /// Takes memory back from the hypervisor for up to `runs` of the holes of `order` and gives
    /// the pages to the page allocator.
    ///
    /// Context: process context, may sleep; not while the domain is being suspended.
    pub fn reclaim(&mut self, holes: &mut Holes, order: Order, runs: usize) -> Exchanged {
        let runs = runs.min(holes.count(order)).min(FRAMES);
        if runs == 0 {
            return Exchanged::NOTHING;
        }
        let stack = holes.stack(order);
        self.list_pfns(stack, runs);
        let ret = self.memory_op(bindings::XENMEM_populate_physmap, order, runs);
        let done = ret.unwrap_or(0).min(runs);
        if let Err(e) = self.map_populated(stack, done) {
            return Exchanged {
                pages: self.settle_populated(stack, done) * order.pages(),
                error: Some(e),
            };
        }

        for n in 0..done {
            timing::pass(n * order.pages());
            // SAFETY: The run is a hole, and backed and mapped again.
            unsafe { free_populated(stack) };
        }
        Exchanged {
            pages: done * order.pages(),
            error: ret.err(),
        }
    }

    /// Gives to the hypervisor what is behind `holes` all the same, and returns how many pages that
    /// was; not in a PV domain.
    ///
    /// When a domain is migrated while it runs, what it has at first is copied, and the copy stays
    /// where the page is surrendered later on (`tools/libs/guest/xg_sr_restore.c`).
    ///
    /// Context: process context, may sleep; not while the domain is being suspended. Asks the
    /// hypervisor about each page.
    pub fn surrender_leftovers(&mut self, holes: &Holes) -> usize {
        if !self.whole_runs {
            return 0;
        }
        let (mut listed, mut pages) = (0, 0);
        for stack in holes.stacks() {
            stack.for_each(stack.len(), |first| {
                for i in 0..stack.order().pages() {
                    // SAFETY: The run is owned by the stack and has more than `i` pages.
                    let gfn =
                        unsafe { bindings::xenoxide_page_to_gfn(nth_page(first, i).as_ptr()) };
                    if physmap::is_backed(gfn) == Ok(true) {
                        self.frames[listed] = gfn;
                        listed += 1;
                    }
                    if listed == FRAMES {
                        pages += self.surrender_listed(core::mem::take(&mut listed));
                    }
                }
                timing::give_way();
            });
        }
        pages + self.surrender_listed(listed)
    }

    /// Gives the pages behind the first `nr` holes listed to the hypervisor.
    fn surrender_listed(&mut self, nr: usize) -> usize {
        if nr == 0 {
            return 0;
        }
        let ret = self.memory_op(bindings::XENMEM_decrease_reservation, Order::Base, nr);
        ret.unwrap_or(0)
    }

    /// Returns how many frame numbers name one run of `order` when it is surrendered.
    fn frames_per_run(&self, order: Order) -> usize {
        if self.whole_runs {
            1
        } else {
            order.pages()
        }
    }

    /// Lists the guest frame numbers (PV: machine frame numbers) of the first `runs` of `stack`.
    fn list_gfns(&mut self, stack: &Stack, runs: usize) {
        let per_run = self.frames_per_run(stack.order());
        let mut slots = self.frames[..runs * per_run].iter_mut();

        stack.for_each(runs, |first| {
            for i in 0..per_run {
                let Some(slot) = slots.next() else { return };
                // SAFETY: The run is owned by the stack and has more than `i` pages.
                *slot = unsafe { bindings::xenoxide_page_to_gfn(nth_page(first, i).as_ptr()) };
            }
        });
    }

    /// Lists the page frame numbers of the first `runs` of `stack`, one for each run.
    fn list_pfns(&mut self, stack: &Stack, runs: usize) {
        let mut slots = self.frames[..runs].iter_mut();

        stack.for_each(runs, |first| {
            if let Some(slot) = slots.next() {
                // SAFETY: The page is owned by the stack.
                *slot = unsafe { bindings::xenoxide_page_to_pfn(first.as_ptr()) };
            }
        });
    }

    /// Makes a memory operation on the first `nr` frames listed, each the first of an extent of
    /// `order`, and returns how many extents it did.
    fn memory_op(&mut self, op: c_uint, order: Order, nr: usize) -> Result<usize> {
        let mut reservation = bindings::xen_memory_reservation {
            extent_start: self.frames[..nr].as_mut_ptr(),
            nr_extents: nr,
            extent_order: order.log2(),
            domid: bindings::DOMID_SELF as bindings::domid_t,
            ..Default::default()
        };

        self.memory_ops += 1;
        let ret = LONGEST_CALL.time(|| {
            // SAFETY: The frames listed are runs of a stack that the caller owns: surrendering or
            // populating them touches nobody else. The hypervisor writes at most `nr` frame numbers.
            unsafe { memory_op(op, (&raw mut reservation).cast::<c_void>()) }
        });
        to_count(ret)
    }

    /// Returns how many pages the hypervisor has taken of the extent at which it stopped.
    ///
    /// It takes an extent's pages one by one, from the first, and says only how many extents are
    /// done: there is nothing behind those that are gone.
    fn gone_of_broken(&mut self, unit: Order, extent: usize) -> usize {
        let Some(&first) = self.frames.get(extent) else {
            return 0;
        };
        // So many are gone for sure; from that one on none is. The last page never is.
        let (mut gone, mut kept) = (0, unit.pages() - 1);

        while gone < kept {
            let middle = gone + (kept - gone) / 2;
            self.memory_ops += 1;
            match physmap::is_backed(first + middle) {
                Ok(true) => kept = middle,
                Ok(false) => gone = middle + 1,
                // Where it cannot be told, none of them may be used again.
                Err(_) => return kept,
            }
        }
        gone
    }

    /// Moves the first `pages` pages of `extents`, which the hypervisor has taken, to `holes`, and
    /// maps again what of the `runs` offered it has not taken.
    fn account_surrendered(
        &mut self,
        extents: &mut Extents,
        runs: usize,
        pages: usize,
        holes: &mut Holes,
    ) {
        let order = extents.order();
        let whole = pages / order.pages();
        let gone = pages % order.pages();
        let mut rest = runs - whole;

        for n in 0..whole {
            timing::pass(n * order.pages());
            let Some(first) = extents.stack().pop() else {
                return;
            };
            // SAFETY: The run was ours and is gone to the hypervisor.
            unsafe { mark_surrendered(first, order) };
            // SAFETY: We own the run.
            // INVARIANT: It was surrendered and marked.
            unsafe { holes.stack(order).push(first) };
        }
        if rest == 0 {
            return;
        }
        self.frames
            .copy_within(pages_listed(self.whole_runs, pages, order).., 0);
        if gone > 0 {
            self.account_broken(extents, gone, holes);
            rest -= 1;
        }
        self.remap_listed(extents.stack(), rest);
    }

    /// Breaks the top extent, of which the hypervisor has taken only the first `gone` pages: those
    /// become holes, the others go back to the page allocator.
    fn account_broken(&mut self, extents: &mut Extents, gone: usize, holes: &mut Holes) {
        let mut singles = Extents::new(Order::Base);
        if !extents.stack().split_top_into(singles.stack()) {
            return;
        }

        for _ in 0..gone {
            let Some(page) = singles.stack().pop() else {
                break;
            };
            // SAFETY: The page was ours and is gone to the hypervisor.
            unsafe { mark_surrendered(page, Order::Base) };
            // SAFETY: We own the page.
            // INVARIANT: It was surrendered and marked.
            unsafe { holes.stack(Order::Base).push(page) };
        }
        let left = singles.len();
        self.remap_listed(singles.stack(), left);
        if !self.whole_runs {
            self.frames.copy_within(left.., 0);
        }
    }
}

/// Returns how many frames of the list stand for the first `pages` pages of a batch of runs of
/// `order`.
fn pages_listed(whole_runs: bool, pages: usize, order: Order) -> usize {
    if whole_runs {
        pages / order.pages()
    } else {
        pages
    }
}

#[cfg(not(CONFIG_XEN_PV))]
impl Exchange {
    fn unmap(&mut self, _stack: &Stack, _runs: usize) -> Result {
        Ok(())
    }

    fn remap_listed(&mut self, _stack: &mut Stack, _runs: usize) {}

    fn map_populated(&mut self, _stack: &Stack, _runs: usize) -> Result {
        Ok(())
    }

    fn settle_populated(&mut self, _stack: &mut Stack, _done: usize) -> usize {
        0
    }
}
