// SPDX-License-Identifier: GPL-2.0
//! Ties guests' consoles to the bed, by name, through save, restore and rebirth.

use crate::channel::Sender;
use crate::xenstore::Client;
use agent::message::{CHANNEL_END, Message};
use anyhow::{Context, Result};
use std::collections::{HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::sync::{Mutex, MutexGuard, mpsc};
use std::thread;

struct Console {
    name: String,
    input: mpsc::Sender<Vec<u8>>,
}

/// All consoles, by domain.
pub struct Relay {
    lines: Sender,
    events: Sender,
    consoles: Mutex<HashMap<u32, Console>>,
}

impl Relay {
    /// Guests' lines go to `lines`, what happens to guests to `events`.
    pub fn new(lines: Sender, events: Sender) -> Self {
        Self {
            lines,
            events,
            consoles: Mutex::default(),
        }
    }

    fn consoles(&self) -> MutexGuard<'_, HashMap<u32, Console>> {
        self.consoles
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Passes a line on to a guest; a guest that is not there misses it, as with a cable pulled.
    pub fn to_guest(&self, name: &str, line: &[u8]) {
        if let Some(console) = self
            .consoles()
            .values()
            .find(|console| console.name == name)
        {
            let _ = console.input.send(line.to_vec());
        }
    }

    /// Attaches to each domain that comes and says so, and when it goes.
    pub fn follow_domains(&self) -> Result<()> {
        let mut store = Client::open()?;
        let mut known = HashSet::new();
        for special in ["@introduceDomain", "@releaseDomain"] {
            store.watch(special)?;
        }
        loop {
            self.look(&mut store, &mut known)?;
            store.next_event()?;
        }
    }

    fn look(&self, store: &mut Client, known: &mut HashSet<u32>) -> Result<()> {
        let names = store.directory("/local/domain")?;
        let domids = names.iter().filter_map(|name| name.parse().ok());
        let present: HashSet<u32> = domids.filter(|&domid| domid != 0).collect();
        for &domid in &present {
            if known.insert(domid) {
                // Both fire too when the whole domain's directory is removed.
                store.watch(&format!("/local/domain/{domid}/name"))?;
                store.watch(&format!("/local/domain/{domid}/console/tty"))?;
            }
            let attached = self.consoles().contains_key(&domid);
            if !attached {
                self.attach(store, domid)?;
            }
        }
        for &domid in known.difference(&present) {
            self.detach(domid)?;
        }
        known.retain(|domid| present.contains(domid));
        Ok(())
    }

    fn attach(&self, store: &mut Client, domid: u32) -> Result<()> {
        let mut node = |name: &str| store.read(&format!("/local/domain/{domid}/{name}")).ok();
        let (Some(name), Some(tty)) = (node("name"), node("console/tty")) else {
            return Ok(());
        };
        let (name, tty) = (String::from_utf8(name)?, String::from_utf8(tty)?);
        if name.is_empty() || tty.is_empty() || name.ends_with("--incoming") {
            return Ok(());
        }
        let Ok(output) = OpenOptions::new().read(true).write(true).open(&tty) else {
            return Ok(());
        };
        crate::guest::make_raw(&output)?;
        let mut writer = output.try_clone()?;
        let (input, queue) = mpsc::channel::<Vec<u8>>();
        thread::spawn(move || queue.iter().try_for_each(|line| writer.write_all(&line)));
        let lines = self
            .lines
            .with_prefix(&[name.as_bytes(), &[CHANNEL_END]].concat());
        self.consoles().insert(
            domid,
            Console {
                name: name.clone(),
                input,
            },
        );
        self.events
            .send(&Message::Attached { guest: name, domid })?;
        thread::spawn(move || copy_lines(BufReader::new(output), &lines));
        Ok(())
    }

    fn detach(&self, domid: u32) -> Result<()> {
        let gone = self.consoles().remove(&domid);
        let Some(Console { name: guest, .. }) = gone else {
            return Ok(());
        };
        let last = last_of_log(&guest);
        self.events.send(&Message::Gone { guest, domid, last })
    }
}

fn copy_lines(mut console: impl BufRead, lines: &Sender) -> Result<()> {
    loop {
        let mut line = Vec::new();
        // An error here is the domain's end: the terminal hangs up.
        if console.read_until(b'\n', &mut line).context("console")? == 0 {
            return Ok(());
        }
        lines.send_line(&line)?;
    }
}

/// The tool stack's own words on how a domain ended.
fn last_of_log(guest: &str) -> String {
    let log = fs::read_to_string(format!("/var/log/xen/xl-{guest}.log")).unwrap_or_default();
    let signs = ["has shut down", "has been destroyed"];
    let told = log
        .lines()
        .filter(|line| signs.iter().any(|sign| line.contains(sign)));
    told.last().unwrap_or_default().to_string()
}
