// SPDX-License-Identifier: GPL-2.0
//! Nothing outlives the bed: what runs and what lies about is listed here, and cleared at any end but SIGKILL,
//! where the kernel ends QEMU by its parent-death signal.

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

struct Live {
    children: Vec<Arc<duct::Handle>>,
    folders: Vec<PathBuf>,
    terminal: Option<Termios>,
}

static LIVE: Mutex<Live> = Mutex::new(Live {
    children: Vec::new(),
    folders: Vec::new(),
    terminal: None,
});

fn live() -> MutexGuard<'static, Live> {
    LIVE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// From now on a signal that ends the program clears up first.
pub fn watch_signals() -> std::io::Result<()> {
    static ONCE: OnceLock<()> = OnceLock::new();
    if ONCE.set(()).is_ok() {
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
        std::thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                clear();
                std::process::exit(128 + signal);
            }
        });
    }
    Ok(())
}

/// Ends all that is listed.
fn clear() {
    restore_terminal();
    let mut live = live();
    for child in live.children.drain(..) {
        let _ = child.kill();
    }
    for folder in live.folders.drain(..) {
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// Lists a process, to be killed.
pub fn add_child(child: &Arc<duct::Handle>) {
    live().children.push(child.clone());
}

/// Takes a process that has ended off the list.
pub fn remove_child(child: &Arc<duct::Handle>) {
    live().children.retain(|known| !Arc::ptr_eq(known, child));
}

/// Lists a folder, to be removed.
pub fn add_folder(folder: &Path) {
    live().folders.push(folder.into());
}

/// Takes a folder that has been removed off the list.
pub fn remove_folder(folder: &Path) {
    live().folders.retain(|known| known != folder);
}

/// Makes the terminal pass every key, until what this answers is dropped.
pub fn raw_terminal() -> std::io::Result<RawTerminal> {
    let stdin = rustix::stdio::stdin();
    let old = tcgetattr(stdin)?;
    let mut raw = old.clone();
    raw.make_raw();
    live().terminal = Some(old);
    tcsetattr(stdin, OptionalActions::Now, &raw)?;
    Ok(RawTerminal)
}

/// A terminal in raw mode.
pub struct RawTerminal;

impl Drop for RawTerminal {
    fn drop(&mut self) {
        restore_terminal();
    }
}

fn restore_terminal() {
    if let Some(settings) = live().terminal.take() {
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &settings);
    }
}
