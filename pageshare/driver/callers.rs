// SPDX-License-Identifier: GPL-2.0

//! Domains that call, and get an answer.

use super::Driver;
use crate::{
    area::rendezvous::Rendezvous,
    owner::Guest,
    xen::domain::DomId, //
};
use kernel::{
    pr_warn_once,
    prelude::*,
    sync::atomic::Relaxed,
    time::{
        Instant,
        Monotonic,
        Msecs, //
    }, //
};

/// At least so long calls wait after others, so that nobody can keep the worker busy with calls alone: a
/// domain may call all the time.
const CALLS_MS: Msecs = 20;

/// More domains than a host has.
const CALLERS: usize = 4096;

/// Domains that have called, and have no answer yet.
pub(super) struct Callers {
    list: KVec<DomId>,
    /// When they were taken last.
    taken: Option<Instant<Monotonic>>,
}

impl Callers {
    /// None yet.
    pub(super) fn new() -> Self {
        Self {
            list: KVec::new(),
            taken: None,
        }
    }

    /// Adds one. Returns whether it was not there.
    pub(super) fn add(&mut self, caller: DomId) -> Result<bool> {
        if self.list.contains(&caller) || self.list.len() == CALLERS {
            return Ok(false);
        }
        self.list.push(caller, GFP_KERNEL)?;
        Ok(true)
    }

    /// Takes them; none if others were taken just now. [`None`] if there are none.
    fn take(&mut self) -> Option<KVec<DomId>> {
        if self.list.is_empty() {
            return None;
        }
        let waits = self.taken.map(|taken| taken.elapsed().as_millis());
        if waits.is_some_and(|waits| waits < i64::from(CALLS_MS)) {
            return Some(KVec::new());
        }
        self.taken = Some(Instant::now());
        Some(core::mem::take(&mut self.list))
    }
}

impl Driver {
    /// Answers the call of `caller`, unless it has been answered. Returns whether that is done: not while
    /// a link of the domain ends, so that it has one only, however often it calls.
    fn answer(&self, caller: DomId) -> Result<bool> {
        let text = self.meeting.read(caller, self.own())?;
        let Some(call) = Rendezvous::parse(&text) else {
            pr_warn_once!("domain {caller} calls in a way that makes no sense\n");
            return Ok(true);
        };
        let mut guests = self.guests.lock();
        let mut of_caller = guests.iter().filter(|guest| guest.domain() == caller);
        if let Some(guest) = of_caller.find(|guest| !guest.is_over()) {
            if guest.is_call(&call) {
                return Ok(true);
            }
            // It has begun anew.
            guest.dismiss();
            guest.kick();
            return Ok(false);
        }
        guests.reserve(1, GFP_KERNEL)?;
        let number = self.last.fetch_add(1, Relaxed).wrapping_add(1);
        let guest = Guest::answer(self.areas.clone(), number, caller, call)?;
        guests.push(guest, GFP_KERNEL)?;
        Ok(true)
    }

    /// Answers those that have called. Returns when to look again, if there may be others.
    pub(super) fn answer_all(&self) -> Option<Msecs> {
        let callers = self.callers.lock().take()?;
        for &caller in &callers {
            match self.answer(caller) {
                Ok(true) => {}
                // With no memory to note it, it will call again.
                Ok(false) => {
                    let _ = self.callers.lock().add(caller);
                }
                Err(error) => pr_debug!("domain {caller} has called in vain: {error:?}\n"),
            }
        }
        if !callers.is_empty() {
            self.show_members();
        }
        Some(CALLS_MS)
    }
}
