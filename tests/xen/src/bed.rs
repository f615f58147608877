// SPDX-License-Identifier: GPL-2.0
//! A running bed.

use crate::describe::{Guest, Host, Kind};
use crate::link::{Link, TIME_LIMIT};
use crate::machine::Machine;
use crate::problems::{self, Problem};
use crate::qemu::Qemu;
use crate::state::{self, LogLine};
use crate::{guard, payload, place, xentop};
use agent::message::{Bytes, DOM0, Op};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// For what the tool stack does with a whole domain.
const DOMAIN_LIMIT: Duration = Duration::from_secs(240);
/// For a live migration of a guest that does not keep still.
const MIGRATE_LIMIT: Duration = Duration::from_secs(240);
/// For a kernel's way to its agent.
const BOOT_LIMIT: Duration = Duration::from_secs(360);

/// For a kernel message's way here.
const MARK_LIMIT: Duration = Duration::from_secs(60);

/// Xen, dom0 and guests, until dropped.
pub struct Bed {
    link: Link,
    host: Host,
    logs: PathBuf,
    steps: Vec<(String, Duration)>,
    start: Instant,
    terminal: Option<UnixListener>,
    // Dropped in this order: the time limit's thread, then QEMU, then its files.
    _limit: mpsc::Sender<()>,
    qemu: Qemu,
    _folder: Folder,
}

impl Bed {
    /// Boots dom0 and all guests but those for later, and waits until each answers.
    pub fn boot(host: Host) -> Result<Self> {
        let mut bed = Self::boot_dom0(host)?;
        let now = bed.host.guests.iter().filter(|guest| !guest.later);
        let mut guests: Vec<&Guest> = now.collect();
        // PVH guests take longest: early on they look for a timer chip, in vain, for 4 s.
        guests.sort_by_key(|guest| guest.kind() != Kind::Pvh);
        let names: Vec<String> = guests
            .iter()
            .map(|guest| guest.name().to_string())
            .collect();
        for name in &names {
            bed.create(name)?;
            bed.step(&format!("{name} is created"));
        }
        if !bed.host.shell {
            for name in &names {
                bed.wait_for_guest(name)?;
                bed.step(&format!("{name} answers"));
            }
        }
        Ok(bed)
    }

    /// Boots dom0 only; the guests can be created later.
    pub fn boot_dom0(host: Host) -> Result<Self> {
        guard::watch_signals().context("watch signals")?;
        let start = Instant::now();
        let deadline = start + host.limit;
        let folder = Folder::new()?;
        let logs = fresh_logs(&host.label)?;
        let files = payload::make(&host, folder.path())?;
        let made = start.elapsed();
        let (socket, tty) = (folder.path().join("port"), folder.path().join("tty"));
        let listener = UnixListener::bind(&socket)?;
        let terminal = host.shell.then(|| UnixListener::bind(&tty)).transpose()?;
        let qemu = Qemu::start(&host, &files, &socket, &tty, &logs.join("xen.log"))?;
        let port = accept(&listener, &qemu, &logs)?;
        let link = Link::start(port, &logs, deadline)?;
        let _limit = watch_limit(&link, &qemu, deadline);
        let steps = vec![("files are made".to_string(), made)];
        let mut bed = Self {
            link,
            host,
            logs,
            steps,
            start,
            terminal,
            _limit,
            qemu,
            _folder: folder,
        };
        bed.link
            .wait_for(DOM0, "its agent", BOOT_LIMIT, |dom0| dom0.greeted)
            .with_context(|| {
                format!(
                    "dom0 does not come up; Xen's last lines:\n{}",
                    tail(&bed.xen_log(), 8)
                )
            })?;
        bed.step("dom0 answers");
        Ok(bed)
    }

    fn step(&mut self, what: &str) {
        let elapsed = self.start.elapsed();
        self.steps.push((what.into(), elapsed));
        if let Some(tell) = self.host.tell {
            tell(what, elapsed);
        }
    }

    /// dom0.
    pub fn dom0(&self) -> Machine<'_> {
        Machine::new(&self.link, DOM0)
    }

    /// A guest.
    pub fn guest(&self, name: &str) -> Result<Machine<'_>> {
        let known = self.host.guests.iter().any(|guest| guest.name() == name);
        ensure!(known, "no guest {name} was described");
        Ok(Machine::new(&self.link, name))
    }

    /// The guests as described.
    pub fn guests(&self) -> &[Guest] {
        &self.host.guests
    }

    /// The steps of the boot, each with the time from the start to its end.
    pub fn steps(&self) -> &[(String, Duration)] {
        &self.steps
    }

    /// Where the logs are.
    pub fn log_folder(&self) -> &Path {
        &self.logs
    }

    /// Creates a guest's domain; does not wait for its agent.
    pub fn create(&self, name: &str) -> Result<()> {
        if let Some(machine) = self.link.state().machines.get_mut(name) {
            machine.greeted = false;
        }
        let config = format!("/bed/guests/{name}.cfg");
        self.dom0()
            .run_within(&["xl", "create", "-q", &config], DOMAIN_LIMIT)?
            .ok()?;
        Ok(())
    }

    /// Waits until a guest answers.
    pub fn wait_for_guest(&self, name: &str) -> Result<()> {
        let settled = |machine: &state::Machine| machine.is_ready() || machine.is_gone();
        self.link.wait_for(name, "its agent", BOOT_LIMIT, settled)?;
        let state = self.link.state();
        if let Some(machine) = state.machines.get(name).filter(|machine| machine.is_gone()) {
            bail!("{name} is {}", machine.story());
        }
        Ok(())
    }

    /// Ends a guest's domain at once.
    pub fn destroy(&self, name: &str) -> Result<()> {
        self.dom0().run(&["xl", "destroy", name])?.ok()?;
        self.wait_until_gone(name)
    }

    /// Saves a guest's state to a file in dom0; its domain ends.
    pub fn save(&self, name: &str, file: &str) -> Result<Duration> {
        let output = self
            .dom0()
            .run_within(&["xl", "save", name, file], DOMAIN_LIMIT)?
            .ok()?;
        self.wait_until_gone(name)?;
        Ok(output.elapsed)
    }

    /// Saves a guest to a file in dom0, and lets it go on in the same domain.
    pub fn checkpoint(&self, name: &str, file: &str) -> Result<Duration> {
        let output = self
            .dom0()
            .run_within(&["xl", "save", "-c", name, file], DOMAIN_LIMIT)?
            .ok()?;
        Ok(output.elapsed)
    }

    /// Lets a guest have so much memory, whatever its target.
    pub fn allow(&self, name: &str, mib: u64) -> Result<()> {
        let most = format!("{mib}m");
        self.dom0().run(&["xl", "mem-max", name, &most])?.ok()?;
        Ok(())
    }

    /// Lets a saved guest go on.
    pub fn restore(&self, name: &str, file: &str) -> Result<Duration> {
        // With the guest still counted as gone, its coming could not be told from its having been there.
        if let Some(machine) = self.link.state().machines.get_mut(name) {
            machine.life = state::Life::Absent;
        }
        let output = self
            .dom0()
            .run_within(&["xl", "restore", file], DOMAIN_LIMIT)?
            .ok()?;
        self.wait_for_guest(name)?;
        Ok(output.elapsed)
    }

    /// Migrates a guest to this same host; it goes on in a new domain.
    pub fn migrate(&self, name: &str) -> Result<Duration> {
        let before = self.domid(name)?;
        // With no program for a remote shell the command is run here.
        let migrate = ["xl", "migrate", "-s", "", name, "xl migrate-receive"];
        let output = self.dom0().run_within(&migrate, MIGRATE_LIMIT)?.ok()?;
        let has_moved = |machine: &state::Machine| {
            machine.is_ready() && machine.domid.is_some_and(|domid| domid != before)
        };
        self.link
            .wait_for(name, "its new domain", DOMAIN_LIMIT, has_moved)?;
        Ok(output.elapsed)
    }

    fn wait_until_gone(&self, name: &str) -> Result<()> {
        self.link
            .wait_for(name, "its end", DOMAIN_LIMIT, state::Machine::is_gone)
    }

    /// A guest's domain number.
    pub fn domid(&self, name: &str) -> Result<u32> {
        let state = self.link.state();
        let domid = state.machines.get(name).and_then(|machine| machine.domid);
        domid.with_context(|| format!("{name} has no domain"))
    }

    /// The address of dom0 or of a guest on dom0's bridge.
    pub fn address(&self, name: &str) -> Result<String> {
        let address = self.host.address(name);
        address.with_context(|| format!("{name} has no network"))
    }

    /// Memory of a guest in KiB, counted by Xen: exact, as pages are.
    pub fn xen_memory_kib(&self, name: &str) -> Result<u64> {
        let output = self.dom0().run(&["xentop", "-b", "-i", "1"])?.ok()?;
        xentop::memory_kib(&output.stdout, name)
    }

    /// A xenstore node; a relative path is the guest's.
    pub fn xenstore_read(&self, guest: &str, path: &str) -> Result<String> {
        let path = self.xenstore_path(guest, path)?;
        self.dom0().call_text(Op::XsRead { path })
    }

    /// Writes a xenstore node.
    pub fn xenstore_write(&self, guest: &str, path: &str, value: &str) -> Result<()> {
        let (path, value) = (self.xenstore_path(guest, path)?, Bytes(value.into()));
        self.dom0().call_text(Op::XsWrite { path, value }).map(drop)
    }

    /// Removes a xenstore node.
    pub fn xenstore_remove(&self, guest: &str, path: &str) -> Result<()> {
        let path = self.xenstore_path(guest, path)?;
        self.dom0().call_text(Op::XsRemove { path }).map(drop)
    }

    fn xenstore_path(&self, guest: &str, path: &str) -> Result<String> {
        if path.starts_with('/') {
            return Ok(path.into());
        }
        Ok(format!("/local/domain/{}/{path}", self.domid(guest)?))
    }

    /// All logs so far, by machine; Xen's own is `xen`.
    pub fn logs(&self) -> BTreeMap<String, Vec<LogLine>> {
        let mut logs: BTreeMap<_, _> = {
            let state = self.link.state();
            let logs = state
                .machines
                .iter()
                .map(|(name, machine)| (name.clone(), machine.log.clone()));
            logs.collect()
        };
        let xen = self.xen_log();
        let xen = xen.lines().map(|text| LogLine {
            us: None,
            text: text.trim_end().into(),
        });
        logs.insert("xen".into(), xen.collect());
        logs
    }

    /// Puts a mark into a machine's kernel log and waits until it has come; answers the length of the log then.
    pub fn mark(&self, name: &str) -> Result<usize> {
        let text = format!("bed: mark at {} us", self.start.elapsed().as_micros());
        Machine::new(&self.link, name).write("/dev/kmsg", &format!("<6>{text}\n"))?;
        let is_there = |machine: &state::Machine| machine.log.iter().any(|line| line.text == text);
        self.link
            .wait_for(name, "a mark in its log", MARK_LIMIT, is_there)?;
        let state = self.link.state();
        let log = state
            .machines
            .get(name)
            .map(|machine| machine.log.as_slice())
            .unwrap_or_default();
        Ok(log
            .iter()
            .position(|line| line.text == text)
            .map_or(log.len(), |at| at + 1))
    }

    /// What any log says went wrong, up to now.
    pub fn problems(&self) -> Vec<Problem> {
        let machines = self.link.state();
        let ready = machines
            .machines
            .iter()
            .filter(|(_, machine)| machine.is_ready());
        let ready: Vec<String> = ready.map(|(name, _)| name.clone()).collect();
        drop(machines);
        let silent = ready.iter().filter_map(|name| {
            let error = self.mark(name).err()?;
            Some(Problem {
                machine: name.clone(),
                line: format!("{error:#}"),
            })
        });
        let silent: Vec<Problem> = silent.collect();
        let guests = self.guests().iter().filter(|guest| guest.starves);
        let starved: Vec<&str> = guests.map(Guest::name).collect();
        problems::find(&self.logs(), &starved)
            .into_iter()
            .chain(silent)
            .collect()
    }

    /// What Xen has said so far.
    pub fn xen_log(&self) -> String {
        let bytes = fs::read(self.logs.join("xen.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The terminal of dom0's shell, if the host has one.
    pub fn terminal(&self) -> Result<UnixStream> {
        let listener = self.terminal.as_ref().context("this bed has no shell")?;
        Ok(listener.accept()?.0)
    }

    /// Powers dom0 off and waits for QEMU's end.
    pub fn power_off(self) {
        // dom0 ends before it can answer.
        let _ = self.dom0().call_text(Op::PowerOff);
        self.wait_for_end();
    }

    /// Waits for QEMU's end.
    pub fn wait_for_end(&self) {
        self.qemu.wait();
    }
}

fn fresh_logs(label: &str) -> Result<PathBuf> {
    let logs = place::clone_path("build/log").join(label);
    if logs.exists() {
        fs::remove_dir_all(&logs).with_context(|| format!("remove {}", logs.display()))?;
    }
    fs::create_dir_all(&logs).with_context(|| format!("make {}", logs.display()))?;
    Ok(logs)
}

fn accept(listener: &UnixListener, qemu: &Qemu, logs: &Path) -> Result<UnixStream> {
    listener.set_nonblocking(true)?;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if !qemu.is_running() {
            let errors = fs::read_to_string(logs.join("qemu.log")).unwrap_or_default();
            bail!("QEMU does not start: {}", errors.trim());
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Kills QEMU at the deadline, unless the answered sender is dropped before.
fn watch_limit(link: &Link, qemu: &Qemu, deadline: Instant) -> mpsc::Sender<()> {
    let (sender, receiver) = mpsc::channel::<()>();
    let (link, kill) = (link.clone(), qemu.killer());
    thread::spawn(move || {
        let left = deadline.saturating_duration_since(Instant::now());
        if receiver.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Timeout) {
            link.close(TIME_LIMIT);
            kill();
        }
    });
    sender
}

fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// A folder for one run, removed at its end.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Result<Self> {
        let inner = tempfile::Builder::new().prefix("bed-").tempdir();
        let inner = inner.context("make a folder for this run")?;
        guard::add_folder(inner.path());
        Ok(Self(inner))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        guard::remove_folder(self.0.path());
    }
}
