// SPDX-License-Identifier: GPL-2.0

//! A gate before what reads: it is shut while the domain is suspended.
//!
//! Programs stand still then, but the kernel's own threads read disks, too.

use kernel::{
    new_condvar,
    new_mutex,
    prelude::*,
    sync::{
        CondVar,
        Mutex, //
    }, //
};

/// How it stands.
struct State {
    shut: bool,
    /// How many are inside.
    inside: u32,
}

/// A gate.
#[pin_data]
pub(super) struct Gate {
    #[pin]
    state: Mutex<State>,
    #[pin]
    changed: CondVar,
}

impl Gate {
    /// It is open.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_mutex!(State {
                shut: false,
                inside: 0,
            }),
            changed <- new_condvar!(),
        })
    }

    /// Goes in, as soon as it is open.
    ///
    /// Context: process context, sleeps.
    pub(super) fn enter(&self) -> Inside<'_> {
        let mut state = self.state.lock();
        while state.shut {
            self.changed.wait(&mut state);
        }
        state.inside += 1;
        Inside(self)
    }

    /// Lets nobody in any more.
    pub(super) fn shut(&self) {
        self.state.lock().shut = true;
    }

    /// Waits until nobody is inside of a gate that is shut.
    ///
    /// Context: process context, sleeps.
    pub(super) fn wait_until_empty(&self) {
        let mut state = self.state.lock();
        while state.inside > 0 {
            self.changed.wait(&mut state);
        }
    }

    /// Lets everybody in.
    pub(super) fn open(&self) {
        self.state.lock().shut = false;
        self.changed.notify_all();
    }
}

/// Somebody who is inside.
pub(super) struct Inside<'a>(&'a Gate);

impl Inside<'_> {
    /// Whether the gate was shut behind us: somebody waits.
    pub(super) fn is_shut(&self) -> bool {
        self.0.state.lock().shut
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.inside -= 1;
        if state.shut && state.inside == 0 {
            self.0.changed.notify_all();
        }
    }
}
