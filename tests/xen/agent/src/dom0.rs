// SPDX-License-Identifier: GPL-2.0
//! The agent in dom0: starts Xen's daemons, then passes lines on to the guests' consoles and back.

use crate::channel::Sender;
use crate::relay::Relay;
use crate::{guest, init, kmsg, outfit, requests};
use agent::frame;
use agent::message::{CHANNEL_END, DOM0, PORT, Request};
use anyhow::{Context, Result, bail};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread;

/// The console a person's terminal is on; hvc0 is Xen's.
const TERMINAL: &str = "/dev/hvc1";

/// Answers requests until the machine ends.
pub fn serve() -> Result<()> {
    let port = open_port()?;
    let lines = Sender::new(port.try_clone()?, b"");
    let sender = lines.with_prefix(&[DOM0.as_bytes(), &[CHANNEL_END]].concat());
    let kernel = sender.clone();
    thread::spawn(move || kmsg::stream(&kernel));
    start_xen()?;
    outfit::dom0()?;
    let relay = Arc::new(Relay::new(lines, sender.clone()));
    if init::has_word("bed.shell") {
        thread::spawn(shell);
    } else {
        let watcher = relay.clone();
        thread::spawn(move || {
            if let Err(error) = watcher.follow_domains() {
                init::last_words(&format!("agent: {error:#}"));
            }
        });
    }
    sender.send(&guest::hello()?)?;
    answer(port, &sender, &relay)
}

fn answer(port: File, sender: &Sender, relay: &Relay) -> Result<()> {
    let mut lines = BufReader::new(port);
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line)? == 0 {
            bail!("the bed has closed its port");
        }
        let Some(end) = line.iter().position(|&byte| byte == CHANNEL_END) else {
            continue;
        };
        let (channel, rest) = (String::from_utf8_lossy(&line[..end]), &line[end + 1..]);
        if channel != DOM0 {
            relay.to_guest(&channel, rest);
        } else if let Some(request) = frame::decode::<Request>(rest).frame {
            requests::start(request, sender);
        }
    }
}

/// Without udev there is no /dev/virtio-ports: sysfs has the names.
fn port_named(name: &str) -> Result<PathBuf> {
    for entry in fs::read_dir("/sys/class/virtio-ports").context("no virtio console")? {
        let entry = entry?;
        let found = fs::read_to_string(entry.path().join("name"));
        if found.is_ok_and(|found| found.trim() == name) {
            return Ok(PathBuf::from("/dev").join(entry.file_name()));
        }
    }
    bail!("no virtio port {name}")
}

fn open_port() -> Result<File> {
    let path = port_named(PORT)?;
    let file = OpenOptions::new().read(true).write(true).open(&path);
    file.with_context(|| format!("open {}", path.display()))
}

fn start_xen() -> Result<()> {
    let mounts = [
        ("tmpfs", "/run"),
        ("tmpfs", "/tmp"),
        ("devpts", "/dev/pts"),
        ("xenfs", "/proc/xen"),
    ];
    for (kind, target) in mounts {
        init::mount_at(kind, target, kind)?;
    }
    let run = ["/run/xen", "/run/lock", "/run/xenstored"];
    for folder in run
        .into_iter()
        .chain(["/var/lib/xen", "/var/lib/xenstored", "/var/log/xen"])
    {
        fs::create_dir_all(folder).with_context(|| format!("make {folder}"))?;
    }
    for program in ["xenstored", "xen-init-dom0", "xenconsoled"] {
        let output = Command::new(program)
            .output()
            .with_context(|| format!("start {program}"))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            bail!("{program}: {}: {}", output.status, words.trim());
        }
    }
    Ok(())
}

/// For a person: a shell on the second console; the machine ends with it.
fn shell() {
    if let Err(error) = run_shell().and_then(|()| init::power_off()) {
        init::last_words(&format!("agent: {error:#}"));
    }
}

/// What the bed says of the person's terminal: its name, rows, columns.
const SHELL_FILE: &str = "/run/bed-shell";

fn run_shell() -> Result<()> {
    // Not before the bed has said so, in a whole line: by then the guests are there.
    let text = loop {
        let text = fs::read_to_string(SHELL_FILE).unwrap_or_default();
        if text.ends_with('\n') {
            break text;
        }
        thread::sleep(std::time::Duration::from_millis(50));
    };
    let mut words = text.split_whitespace();
    let term = words.next().unwrap_or("vt100");
    let mut number = || {
        words
            .next()
            .and_then(|word| word.parse().ok())
            .unwrap_or_default()
    };
    let size = Winsize {
        ws_row: number(),
        ws_col: number(),
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .open(TERMINAL)
        .context(TERMINAL)?;
    tcsetwinsize(&terminal, size)?;
    Command::new("setsid")
        .args(["-c", "bash", "--rcfile", "/bed/shellrc"])
        .env("HOME", "/root")
        .env("TERM", term)
        .stdin(terminal.try_clone()?)
        .stdout(terminal.try_clone()?)
        .stderr(terminal)
        .current_dir("/root")
        .status()
        .context("start a shell")?;
    Ok(())
}
