// SPDX-License-Identifier: GPL-2.0
//! Carries requests out, each in a thread of its own.

use crate::channel::Sender;
use crate::{init, xenstore};
use agent::message::{Bytes, CHUNK, Failure, Message, Op, Outcome, Request};
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long output may come after a program's end: a daemon it left behind may hold the pipe for ever.
const LATE: Duration = Duration::from_millis(500);

/// Starts work on a request; its answers go to `sender`.
pub fn start(request: Request, sender: &Sender) {
    let sender = sender.clone();
    thread::spawn(move || {
        let id = request.id;
        let (start_ns, start) = (clock_ns(), Instant::now());
        let result = perform(request, &sender).map(|mut outcome| {
            if outcome.start_ns == 0 {
                outcome.start_ns = start_ns;
            }
            if outcome.elapsed_ns == 0 {
                outcome.elapsed_ns = start.elapsed().as_nanos() as u64;
            }
            outcome
        });
        let done = Message::Done {
            id,
            result: result.map_err(failure),
        };
        if let Err(error) = sender.send(&done) {
            init::last_words(&format!("agent: answer lost: {error:#}"));
        }
    });
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub fn clock_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn failure(error: anyhow::Error) -> Failure {
    let errno = error.chain().find_map(|cause| {
        let io = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::raw_os_error);
        io.or_else(|| {
            cause
                .downcast_ref::<rustix::io::Errno>()
                .map(|errno| errno.raw_os_error())
        })
    });
    Failure {
        errno,
        text: format!("{error:#}"),
    }
}

fn perform(request: Request, sender: &Sender) -> Result<Outcome> {
    let id = request.id;
    match request.op {
        Op::Exec {
            argv,
            env,
            stdin,
            timeout_ms,
        } => {
            let limit = Duration::from_millis(timeout_ms);
            return exec(command(&argv, &env)?, stdin.0, limit, id, sender);
        }
        Op::Spawn { argv, env, output } => return spawn(command(&argv, &env)?, &output),
        Op::Kill { pid, signal } => kill(pid, signal)?,
        Op::Read { path } => {
            let bytes = fs::read(&path).with_context(|| format!("read {path}"))?;
            send_chunks(&bytes, id, false, sender)?;
        }
        Op::Write { path, data } => write_once(&path, &data.0)?,
        Op::Wait {
            write,
            path,
            equals,
            poll_us,
            timeout_ms,
        } => {
            let limit = Duration::from_millis(timeout_ms);
            return wait(write, &path, &equals, Duration::from_micros(poll_us), limit);
        }
        Op::Insmod { path, params } => {
            init::insmod(&path, &params).with_context(|| format!("insmod {path} {params}"))?;
        }
        Op::Rmmod { name } => {
            let module = std::ffi::CString::new(name.as_str())?;
            let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
            rustix::system::delete_module(&module, flags)
                .with_context(|| format!("rmmod {name}"))?;
        }
        Op::XsRead { path } => {
            send_chunks(&xenstore::Client::open()?.read(&path)?, id, false, sender)?;
        }
        Op::XsWrite { path, value } => {
            xenstore::Client::open()?.write(&path, &value.0)?;
        }
        Op::XsRemove { path } => xenstore::Client::open()?.remove(&path)?,
        Op::PowerOff => init::power_off()?,
    }
    Ok(Outcome::default())
}

fn command(argv: &[String], env: &[(String, String)]) -> Result<Command> {
    let Some((program, arguments)) = argv.split_first() else {
        bail!("no program named")
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(env.iter().cloned())
        .process_group(0);
    Ok(command)
}

fn exec(
    mut command: Command,
    stdin: Vec<u8>,
    limit: Duration,
    id: u64,
    sender: &Sender,
) -> Result<Outcome> {
    let start = Instant::now();
    let name = command.get_program().to_string_lossy().into_owned();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| name.clone())?;
    let input = child.stdin.take();
    thread::spawn(move || input.map(|mut pipe| pipe.write_all(&stdin)));
    let copies = [
        child
            .stdout
            .take()
            .map(|pipe| copy(pipe, id, false, sender.clone())),
        child
            .stderr
            .take()
            .map(|pipe| copy(pipe, id, true, sender.clone())),
    ];
    let Some(status) = wait_child(&mut child, start + limit)? else {
        kill(child.id() as i32, Signal::KILL.as_raw())?;
        child.wait()?;
        bail!("{name}: killed after {} s", limit.as_secs_f32());
    };
    let elapsed_ns = start.elapsed().as_nanos() as u64;
    // Whoever has inherited the program's output may keep it open; but what was written is sent,
    // however slow that is.
    for (copy, sent) in copies.into_iter().flatten() {
        let mut known = sent.load(Ordering::Relaxed);
        let mut end = Instant::now() + LATE;
        while !copy.is_finished() && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
            let now = sent.load(Ordering::Relaxed);
            if now != known {
                (known, end) = (now, Instant::now() + LATE);
            }
        }
    }
    Ok(Outcome {
        elapsed_ns,
        status: status.code(),
        signal: status.signal(),
        ..Outcome::default()
    })
}

fn wait_child(child: &mut Child, end: Instant) -> Result<Option<ExitStatus>> {
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 5 / 4).min(Duration::from_millis(20));
    }
}

fn copy(
    mut pipe: impl Read + Send + 'static,
    id: u64,
    err: bool,
    sender: Sender,
) -> (thread::JoinHandle<()>, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let thread = thread::spawn(move || {
        let mut buffer = [0; CHUNK];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            if send_chunks(&buffer[..length], id, err, &sender).is_err() {
                return;
            }
            count.fetch_add(length, Ordering::Relaxed);
        }
    });
    (thread, sent)
}

fn send_chunks(bytes: &[u8], id: u64, err: bool, sender: &Sender) -> Result<()> {
    for chunk in bytes.chunks(CHUNK) {
        sender.send(&Message::Data {
            id,
            err,
            bytes: Bytes(chunk.to_vec()),
        })?;
    }
    Ok(())
}

fn spawn(mut command: Command, output: &str) -> Result<Outcome> {
    let file = File::create(output).with_context(|| format!("make {output}"))?;
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file);
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().context(name)?;
    let pid = Some(child.id() as i32);
    thread::spawn(move || child.wait());
    Ok(Outcome {
        pid,
        ..Outcome::default()
    })
}

fn kill(pid: i32, signal: i32) -> Result<()> {
    let pid = Pid::from_raw(pid).context("no such process")?;
    let signal = Signal::from_named_raw(signal).with_context(|| format!("no signal {signal}"))?;
    Ok(kill_process_group(pid, signal)?)
}

fn write_once(path: &str, data: &[u8]) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    let mut file = options.open(path).with_context(|| format!("open {path}"))?;
    // Also with no bytes at all: sysfs has an answer to that.
    let mut rest = data;
    loop {
        let length = file.write(rest).with_context(|| format!("write {path}"))?;
        rest = &rest[length..];
        if rest.is_empty() {
            return Ok(());
        }
    }
}

fn wait(
    write: Option<(String, String)>,
    path: &str,
    equals: &str,
    poll: Duration,
    limit: Duration,
) -> Result<Outcome> {
    let (start_ns, start) = (clock_ns(), Instant::now());
    if let Some((path, text)) = write {
        write_once(&path, text.as_bytes())?;
    }
    loop {
        let text = fs::read_to_string(path).with_context(|| format!("read {path}"))?;
        let elapsed = start.elapsed();
        if text.trim() == equals {
            return Ok(Outcome {
                start_ns,
                elapsed_ns: elapsed.as_nanos() as u64,
                ..Outcome::default()
            });
        }
        if elapsed > limit {
            let found = text.trim();
            bail!(
                "{path} is {found:?}, not {equals:?}, after {} s",
                limit.as_secs_f32()
            );
        }
        thread::sleep(poll);
    }
}
