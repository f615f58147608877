// SPDX-License-Identifier: GPL-2.0

//! Event channels between this domain and another one.
//!
//! The peer decides how often it sends events. The interrupt itself only queues the handler; the
//! channel stays masked until the handler is done, and Xen's late end of interrupt keeps a channel
//! masked the longer the more often its events turn out to be about nothing. A handler may say that
//! it stays masked for longer: then a timer ends the interrupt. What the peer sends meanwhile costs
//! this domain nothing, and comes as one event.
//!
//! The handler is called by a tasklet: a work item on `system_bh_wq` takes some 900 instructions more
//! for each event, three hundredths of all that a guest does for a round trip of a few bytes.
//!
//! C headers: [`include/xen/events.h`](srctree/include/xen/events.h),
//! [`include/xen/interface/event_channel.h`](srctree/include/xen/interface/event_channel.h).

use super::domain::DomId;
use crate::bindings as xen_bindings;
use kernel::{
    bindings,
    container_of,
    error::to_result,
    ffi::{
        c_int,
        c_uint,
        c_void, //
    },
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Full,
        Relaxed,
        Release, //
    },
    time::{
        msecs_to_jiffies,
        Msecs, //
    },
    types::Opaque, //
};

/// What an event was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// There was something to do.
    Work,
    /// There was nothing to do. A peer that sends many such events is kept waiting.
    Nothing,
    /// There were too many: the next one has to wait for so many milliseconds at least.
    TooMany(Msecs),
}

/// Told when an event has come.
pub trait Handler: Send + Sync {
    /// Events may have come: one call for all of them since the last one began, and one when the
    /// channel is made.
    ///
    /// Never runs twice at a time. Context: softirq; may not sleep.
    fn event(&self) -> Seen;
}

/// What the hypervisor says of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The peer has not bound it yet, or has closed its end.
    Unbound,
    /// Both ends are there.
    Interdomain,
    /// There is no such channel.
    Closed,
}

/// One end of an event channel. Dropping it closes it and waits for the handler.
///
/// A channel does not survive the domain's resume after it was saved or migrated: nothing comes
/// from then on, and [`Channel::notify`] may send an event about nothing to whoever has the port's
/// number then. Dropping it is right then as well.
pub struct Channel<H: Handler + 'static>(Pin<KBox<Line<H>>>);

/// What the interrupt, the tasklet and the timer need.
///
/// # Invariants
///
/// - `tasklet` is an initialised tasklet whose function is [`Line::run`].
/// - `timer` is an initialised timer whose function is [`Line::relent`], and which runs only while
///   an interrupt has not been ended.
/// - Once the channel is made, `irq` is bound to [`Line::interrupt`] with this object as its data,
///   until `drop`.
#[pin_data]
struct Line<H: Handler> {
    #[pin]
    tasklet: Opaque<bindings::tasklet_struct>,
    #[pin]
    timer: Opaque<bindings::timer_list>,
    port: u32,
    /// 0 until the channel is made: the handler may run earlier.
    irq: Atomic<u32>,
    /// Whether an event has come since the handler was last called.
    pending: Atomic<bool>,
    /// The handler is not called any more, and no interrupt is ended.
    silent: Atomic<bool>,
    handler: H,
}

// SAFETY: `H` is `Send`, and a tasklet and a timer may be waited for from any thread.
unsafe impl<H: Handler> Send for Line<H> {}
// SAFETY: `H` is `Sync`, and a tasklet may be scheduled, and a timer started, from any thread.
unsafe impl<H: Handler> Sync for Line<H> {}

impl<H: Handler> Channel<H> {
    /// Allocates a port that `remote` may bind, and waits for events on it.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if the domain has no port left, `ENOMEM`; what else Xen says to
    /// `EVTCHNOP_alloc_unbound`.
    pub fn listen(remote: DomId, handler: H) -> Result<Self> {
        let mut op = xen_bindings::evtchn_alloc_unbound {
            dom: DomId::SELF.number(),
            remote_dom: remote.number(),
            port: 0,
        };
        // SAFETY: The argument is that of the operation, and valid for writing.
        unsafe { operation(xen_bindings::EVTCHNOP_alloc_unbound, &mut op) }?;
        Self::bind(op.port, handler)
    }

    /// Binds the port `port` of `remote`, and waits for events.
    ///
    /// Xen sends one event at once, in case `remote` sent one before there was anybody to take it.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that port is not there or not for us, `ESRCH` if there is no such domain,
    /// `ENOSPC`, `ENOMEM`; what else Xen says to `EVTCHNOP_bind_interdomain`.
    pub fn connect(remote: DomId, port: u32, handler: H) -> Result<Self> {
        let mut op = xen_bindings::evtchn_bind_interdomain {
            remote_dom: remote.number(),
            remote_port: port,
            local_port: 0,
        };
        // SAFETY: As for `listen`.
        unsafe { operation(xen_bindings::EVTCHNOP_bind_interdomain, &mut op) }?;
        Self::bind(op.local_port, handler)
    }

    /// Makes a channel of the domain's port `port`, or closes the port.
    fn bind(port: u32, handler: H) -> Result<Self> {
        let line = KBox::pin_init(
            pin_init!(Line {
                tasklet <- Opaque::ffi_init(|slot| {
                    // SAFETY: `slot` is valid for writing a tasklet, which stays there until `drop`
                    // has waited for it.
                    unsafe { bindings::tasklet_setup(slot, Some(Line::<H>::run)) }
                }),
                timer <- Opaque::ffi_init(|slot| {
                    // SAFETY: As for the tasklet.
                    unsafe { xen_bindings::xenoxide_timer_setup(slot, Some(Line::<H>::relent)) }
                }),
                port,
                irq: Atomic::new(0),
                pending: Atomic::new(false),
                silent: Atomic::new(false),
                handler,
            }),
            GFP_KERNEL,
        );
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                close(port);
                return Err(error);
            }
        };

        // SAFETY: The port is ours and nobody else binds it. The name lives as long as the
        // program, and the object until `drop` has unbound the interrupt.
        let irq = unsafe {
            xen_bindings::bind_evtchn_to_irqhandler_lateeoi(
                port,
                Some(Line::<H>::interrupt),
                0,
                c"xenoxide".as_char_ptr(),
                line.data(),
            )
        };
        if irq <= 0 {
            // Some of its failures close the port, some do not.
            if status(port) != Status::Closed {
                close(port);
            }
            line.silence();
            return Err(if irq < 0 {
                Error::from_errno(irq)
            } else {
                EINVAL
            });
        }
        // INVARIANT: It is bound. An event that came before this has queued the handler, which
        // cannot end the interrupt yet: so it is called again.
        line.irq.store(irq as u32, Release);
        line.queue();
        Ok(Self(line))
    }

    /// Returns the number of this end.
    pub fn port(&self) -> u32 {
        self.0.port
    }

    /// Returns the handler.
    pub fn handler(&self) -> &H {
        &self.0.handler
    }

    /// Sends an event to the peer, if there is one.
    ///
    /// Context: any.
    pub fn notify(&self) {
        // By the port: to find it by the interrupt takes 200 instructions.
        let mut op = xen_bindings::evtchn_send { port: self.0.port };
        // SAFETY: The argument is that of the operation. It fails only where there is no such port
        // any more, and then there is nobody to send to.
        let _ = unsafe { operation(xen_bindings::EVTCHNOP_send, &mut op) };
    }

    /// Asks the hypervisor how the channel stands.
    ///
    /// Context: any.
    pub fn status(&self) -> Status {
        status(self.0.port)
    }
}

impl<H: Handler> Drop for Channel<H> {
    fn drop(&mut self) {
        let line = &self.0;

        // First, so that nobody ends an interrupt that is no longer ours. What comes after this
        // leaves the channel masked.
        line.silence();
        // SAFETY: By the type invariants the interrupt is bound with these data. This waits for it
        // to end and closes the port.
        unsafe {
            xen_bindings::unbind_from_irqhandler(line.irq.load(Relaxed) as c_uint, line.data())
        };
        // An interrupt in between has scheduled the tasklet.
        line.silence();
    }
}

impl<H: Handler> Line<H> {
    /// Returns the data of the interrupt.
    fn data(&self) -> *mut c_void {
        core::ptr::from_ref(self).cast_mut().cast()
    }

    /// Has the handler called soon.
    fn queue(&self) {
        // SAFETY: By the type invariants the tasklet is initialised.
        unsafe { xen_bindings::xenoxide_tasklet_schedule(self.tasklet.get()) };
    }

    /// Waits for the handler, which is never called again, and for the timer.
    ///
    /// Context: process context, may sleep.
    fn silence(&self) {
        self.silent.store(true, Release);
        // SAFETY: By the type invariants the tasklet is initialised. Whoever schedules it later does
        // so after this by the order of changes to its state, and it sees that it shall be silent.
        unsafe { bindings::tasklet_kill(self.tasklet.get()) };
        // SAFETY: By the type invariants the timer is initialised. The handler does not start it any
        // more.
        unsafe { bindings::timer_shutdown_sync(self.timer.get()) };
    }

    /// # Safety
    ///
    /// Only the interrupt that is bound with a `Line<H>` may call this.
    unsafe extern "C" fn interrupt(_irq: c_int, data: *mut c_void) -> bindings::irqreturn_t {
        // SAFETY: By the requirements; `drop` unbinds the interrupt before the object goes.
        let this = unsafe { &*data.cast::<Self>() };

        this.pending.store(true, Release);
        this.queue();
        handled()
    }

    /// # Safety
    ///
    /// Only a softirq may call this, with the tasklet of a `Line<H>`.
    unsafe extern "C" fn run(tasklet: *mut bindings::tasklet_struct) {
        let tasklet: *mut Opaque<bindings::tasklet_struct> = tasklet.cast();
        // SAFETY: It is `tasklet` of a pinned `Self`, and `drop` waits for this function before it
        // goes.
        let this = unsafe { &*container_of!(tasklet, Self, tasklet) };

        let irq = this.irq.load(Acquire);
        if irq == 0 || this.silent.load(Acquire) {
            return;
        }
        // The channel is masked from the interrupt until its end: no second one comes between.
        let pending = this.pending.xchg(false, Full);
        let seen = this.handler.event();
        if pending {
            match seen {
                // SAFETY: The interrupt is bound: `drop` waits for this function before it unbinds
                // it.
                Seen::Work => unsafe { xen_bindings::xen_irq_lateeoi(irq, 0) },
                // SAFETY: As above.
                Seen::Nothing => unsafe {
                    xen_bindings::xen_irq_lateeoi(irq, xen_bindings::XEN_EOI_FLAG_SPURIOUS)
                },
                Seen::TooMany(wait) => this.relent_after(wait),
            }
        }
    }

    /// Ends the interrupt after `wait` milliseconds at least.
    fn relent_after(&self, wait: Msecs) {
        // Of the first of the kernel's ticks a part is over.
        let ticks = msecs_to_jiffies(wait).saturating_add(1);
        // SAFETY: By the type invariants the timer is initialised; `drop` waits for whoever calls
        // this, then for the timer.
        unsafe { xen_bindings::xenoxide_timer_start(self.timer.get(), ticks) };
    }

    /// # Safety
    ///
    /// Only the kernel may call this, with the timer of a `Line<H>`.
    unsafe extern "C" fn relent(timer: *mut bindings::timer_list) {
        let timer: *mut Opaque<bindings::timer_list> = timer.cast();
        // SAFETY: It is `timer` of a pinned `Self`, and `drop` waits for this function before it goes.
        let this = unsafe { &*container_of!(timer, Self, timer) };

        // SAFETY: The interrupt is bound: `drop` waits for this function before it unbinds it. After
        // a resume the kernel knows of no channel of it, and does nothing.
        unsafe { xen_bindings::xen_irq_lateeoi(this.irq.load(Relaxed), 0) };
    }
}

/// Returns the answer that an interrupt was ours (`IRQ_HANDLED`): a number in 7.2's bindings, a type
/// around that number from 7.3 on.
fn handled() -> bindings::irqreturn_t {
    // SAFETY: Either is the C enum `irqreturn`, of which 1 is a value.
    unsafe { core::mem::transmute_copy::<c_uint, _>(&1) }
}

/// Does an operation on event channels.
///
/// # Safety
///
/// `argument` must be what `command` asks for.
unsafe fn operation<T>(command: u32, argument: &mut T) -> Result {
    // SAFETY: By the requirements.
    to_result(unsafe {
        xen_bindings::xenoxide_event_channel_op(
            command as c_int,
            core::ptr::from_mut(argument).cast(),
        )
    })
}

/// Asks for the status of the domain's port `port`.
fn status(port: u32) -> Status {
    let mut op = xen_bindings::evtchn_status {
        dom: DomId::SELF.number(),
        port,
        ..pin_init::zeroed()
    };
    // SAFETY: The argument is that of the operation, and valid for writing.
    if unsafe { operation(xen_bindings::EVTCHNOP_status, &mut op) }.is_err() {
        return Status::Closed;
    }
    match op.status {
        xen_bindings::EVTCHNSTAT_unbound => Status::Unbound,
        xen_bindings::EVTCHNSTAT_interdomain => Status::Interdomain,
        _ => Status::Closed,
    }
}

/// Closes the domain's port `port`, to which nothing is bound.
fn close(port: u32) {
    let mut op = xen_bindings::evtchn_close { port };
    // SAFETY: The argument is that of the operation. Whatever Xen says, there is nothing to be
    // done.
    let _ = unsafe { operation(xen_bindings::EVTCHNOP_close, &mut op) };
}
