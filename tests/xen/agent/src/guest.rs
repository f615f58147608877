// SPDX-License-Identifier: GPL-2.0
//! The agent in a guest: its channel is the Xen console.

use crate::channel::Sender;
use crate::{init, kmsg, outfit, requests};
use agent::frame;
use agent::message::{Message, Request};
use anyhow::{Context, Result, bail};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::process::Command;

const CONSOLE: &str = "/dev/hvc0";

/// Answers requests until the machine ends.
pub fn serve() -> Result<()> {
    outfit::guest()?;
    if init::has_word("bed.shell") {
        return shell();
    }
    let console = OpenOptions::new()
        .read(true)
        .write(true)
        .open(CONSOLE)
        .context(CONSOLE)?;
    make_raw(&console)?;
    let sender = Sender::new(console.try_clone()?, b"");
    sender.send(&hello()?)?;
    let kernel = sender.clone();
    std::thread::spawn(move || kmsg::stream(&kernel));
    let mut lines = BufReader::new(console);
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line)? == 0 {
            bail!("{CONSOLE} was closed");
        }
        if let Some(request) = frame::decode::<Request>(&line).frame {
            requests::start(request, &sender);
        }
    }
}

/// The first message.
pub fn hello() -> Result<Message> {
    let uptime = std::fs::read_to_string("/proc/uptime")?;
    Ok(Message::Hello {
        release: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
        uptime: uptime
            .split(' ')
            .next()
            .unwrap_or_default()
            .parse()
            .unwrap_or_default(),
    })
}

/// Makes a terminal pass every byte as it is.
pub fn make_raw(terminal: &File) -> Result<()> {
    let mut settings = tcgetattr(terminal)?;
    settings.make_raw();
    Ok(tcsetattr(terminal, OptionalActions::Now, &settings)?)
}

/// For a person: a shell on the console, again and again.
fn shell() -> Result<()> {
    loop {
        Command::new("/bin/busybox")
            .args(["setsid", "-c", "/bin/busybox", "sh", "-l"])
            .stdin(File::open(CONSOLE)?)
            .stdout(OpenOptions::new().write(true).open(CONSOLE)?)
            .stderr(OpenOptions::new().write(true).open(CONSOLE)?)
            .status()
            .context("start a shell")?;
    }
}
