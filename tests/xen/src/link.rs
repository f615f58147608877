// SPDX-License-Identifier: GPL-2.0
//! The line to the machines: requests out, answers and logs in.

use crate::state::{LogLine, Machine, Pending, State};
use agent::frame;
use agent::message::{CHANNEL_END, Failure, Op, Outcome, Request};
use anyhow::{Context, Result, anyhow, bail};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// A request the machine answered with an error.
#[derive(Debug, thiserror::Error)]
#[error("{}", failure.text)]
pub struct Refused {
    /// The error, with its number if it was a system call's.
    pub failure: Failure,
}

/// What came of a request.
pub struct Answer {
    /// Standard output, or a file's contents.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Status and time.
    pub outcome: Outcome,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    deadline: Instant,
}

/// A connection; clones share it.
#[derive(Clone)]
pub struct Link {
    shared: Arc<Shared>,
    socket: Arc<Mutex<UnixStream>>,
}

impl Link {
    /// Reads from `socket` until its end; logs go to files in `folder`.
    pub fn start(socket: UnixStream, folder: &Path, deadline: Instant) -> Result<Self> {
        let shared = Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            deadline,
        };
        let shared = Arc::new(shared);
        let reader = BufReader::new(socket.try_clone()?);
        let (inner, logs) = (shared.clone(), Logs::new(folder));
        thread::spawn(move || inner.read_all(reader, logs));
        Ok(Self {
            shared,
            socket: Arc::new(Mutex::new(socket)),
        })
    }

    /// What is known.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }

    /// Says why nothing more will come.
    pub fn close(&self, why: &str) {
        self.state().closed.get_or_insert_with(|| why.to_string());
        self.shared.changed.notify_all();
    }

    /// Waits until `ready` says so of a machine.
    pub fn wait_for(
        &self,
        name: &str,
        what: &str,
        limit: Duration,
        ready: impl Fn(&Machine) -> bool,
    ) -> Result<()> {
        let end = Instant::now() + limit;
        let mut state = self.state();
        loop {
            if state.machines.get(name).is_some_and(&ready) {
                return Ok(());
            }
            let woken = self.shared.wait(state, end);
            state = woken.with_context(|| format!("{name}: waiting for {what}"))?;
        }
    }

    /// Sends a request and waits for its answer, `limit` at most.
    pub fn call(&self, name: &str, op: Op, limit: Duration) -> Result<Answer> {
        let what = describe(&op);
        let id = self.state().begin(name, what.clone());
        let result = self.exchange(name, Request { id, op }, limit);
        if let Some(machine) = self.state().machines.get_mut(name) {
            machine.pending.remove(&id);
        }
        result.with_context(|| format!("{name}: {what}"))
    }

    fn exchange(&self, name: &str, request: Request, limit: Duration) -> Result<Answer> {
        let (id, end) = (request.id, Instant::now() + limit);
        let line = [name.as_bytes(), &[CHANNEL_END], &frame::encode(&request)?].concat();
        let ready = self
            .state()
            .machines
            .get(name)
            .is_some_and(Machine::is_ready);
        if ready {
            self.socket
                .lock()
                .unwrap_or_else(|lock| lock.into_inner())
                .write_all(&line)?;
        }
        let mut state = self.state();
        loop {
            let machine = state.machines.get_mut(name).context("no such machine")?;
            let pending = machine.pending.get_mut(&id).context("request forgotten")?;
            if let Some(done) = pending.done.take() {
                let Pending { stdout, stderr, .. } = std::mem::take(pending);
                return match done {
                    Ok(outcome) => Ok(Answer {
                        stdout,
                        stderr,
                        outcome,
                    }),
                    Err(failure) => Err(Refused { failure }.into()),
                };
            }
            if !ready || !machine.is_ready() {
                bail!("{name} is {}", machine.story());
            }
            state = self.shared.wait(state, end)?;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Waits for a change; an error says what every machine was last doing.
    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        end: Instant,
    ) -> Result<MutexGuard<'a, State>> {
        let now = Instant::now();
        let reason = match &state.closed {
            Some(why) => Some(why.as_str()),
            None if now >= self.deadline => Some(TIME_LIMIT),
            None if now >= end => Some("no answer in time"),
            None => None,
        };
        if let Some(reason) = reason {
            let stories = state.machines.iter();
            let stories = stories.map(|(name, machine)| format!("\n  {name}: {}", machine.story()));
            return Err(anyhow!("{reason}{}", stories.collect::<String>()));
        }
        let pause = end.min(self.deadline) - now;
        let woken = self.changed.wait_timeout(state, pause);
        Ok(woken.unwrap_or_else(|poisoned| poisoned.into_inner()).0)
    }

    fn read_all(&self, mut reader: impl BufRead, mut logs: Logs) {
        let mut line = Vec::new();
        while let Ok(1..) = reader.read_until(b'\n', &mut line) {
            if let Some((name, entries)) = self.lock().take_line(&line) {
                logs.write(&name, &entries);
            }
            self.changed.notify_all();
            line.clear();
        }
        self.lock()
            .closed
            .get_or_insert_with(|| "QEMU has ended".into());
        self.changed.notify_all();
    }
}

/// Why everything was killed.
pub const TIME_LIMIT: &str = "the time limit of the whole boot is reached";

/// Log files, one a machine.
struct Logs {
    folder: PathBuf,
    files: BTreeMap<String, Option<File>>,
}

impl Logs {
    fn new(folder: &Path) -> Self {
        Self {
            folder: folder.into(),
            files: BTreeMap::new(),
        }
    }

    fn write(&mut self, name: &str, lines: &[LogLine]) {
        let path = self.folder.join(format!("{name}.log"));
        let file = self
            .files
            .entry(name.into())
            .or_insert_with(|| File::create(path).ok());
        for line in lines {
            if let Some(file) = file {
                // The same lines are kept in memory: a full disk costs the copy only.
                let _ = writeln!(file, "{line}");
            }
        }
    }
}

/// A request in a few words.
fn describe(op: &Op) -> String {
    match op {
        Op::Exec { argv, .. } => argv.join(" "),
        Op::Spawn { argv, .. } => format!("{} &", argv.join(" ")),
        Op::Kill { pid, signal } => format!("kill -{signal} {pid}"),
        Op::Read { path } => format!("read {path}"),
        Op::Write { path, .. } => format!("write {path}"),
        Op::Wait { path, equals, .. } => format!("wait until {path} is {equals}"),
        Op::Insmod { path, params } => format!("insmod {path} {params}"),
        Op::Rmmod { name } => format!("rmmod {name}"),
        Op::XsRead { path } => format!("xenstore-read {path}"),
        Op::XsWrite { path, .. } => format!("xenstore-write {path}"),
        Op::XsRemove { path } => format!("xenstore-rm {path}"),
        Op::PowerOff => "power off".into(),
    }
}
