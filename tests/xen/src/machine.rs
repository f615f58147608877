// SPDX-License-Identifier: GPL-2.0
//! What can be done in dom0 and in every guest.

use crate::link::{Answer, Link};
use agent::message::{Bytes, DOM0, Op};
use anyhow::{Context, Result, bail};
use std::time::Duration;

/// For what should take no time at all.
const SHORT: Duration = Duration::from_secs(90);
/// For what a module does when it comes or goes.
const MODULE_LIMIT: Duration = Duration::from_secs(240);
/// On top of a request's own limit: the way there and back under emulation.
const SLACK: Duration = Duration::from_secs(30);

/// Of a program that has ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// What was run.
    pub command: String,
    /// Exit status; 128 and the signal's number if a signal ended it.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Wall time by the machine's clock.
    pub elapsed: Duration,
}

impl Output {
    /// An error unless the status is 0.
    pub fn ok(self) -> Result<Self> {
        if self.status != 0 {
            let words = format!("{}{}", self.stderr.trim(), self.stdout.trim());
            bail!("{}: status {}: {words}", self.command, self.status);
        }
        Ok(self)
    }
}

/// A program to run, for when `run` is not enough.
#[derive(Clone, Debug)]
pub struct Program {
    argv: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Vec<u8>,
    limit: Duration,
}

impl Program {
    /// Program and arguments.
    pub fn new(argv: &[&str]) -> Self {
        let argv = argv.iter().map(|word| word.to_string()).collect();
        Self {
            argv,
            env: Vec::new(),
            stdin: Vec::new(),
            limit: SHORT,
        }
    }

    /// With this in its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// With this on standard input.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Killed after that long; 30 s if not given.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

/// A text to write to a file.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// Where.
    pub path: &'a str,
    /// What.
    pub text: &'a str,
}

/// What to wait for: a file that reads as wanted, white space around it aside.
#[derive(Clone, Copy, Debug)]
pub struct Until<'a> {
    /// File.
    pub path: &'a str,
    /// Wanted text.
    pub equals: &'a str,
    /// Pause between looks.
    pub poll: Duration,
    /// Give up after that long.
    pub limit: Duration,
}

/// A stretch of time by a machine's own `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Its start in nanoseconds.
    pub start_ns: u64,
    /// Its length.
    pub elapsed: Duration,
}

impl Span {
    /// Its end in nanoseconds.
    pub fn end_ns(&self) -> u64 {
        self.start_ns + self.elapsed.as_nanos() as u64
    }
}

impl From<Answer> for Span {
    fn from(answer: Answer) -> Self {
        Self {
            start_ns: answer.outcome.start_ns,
            elapsed: Duration::from_nanos(answer.outcome.elapsed_ns),
        }
    }
}

/// dom0 or a guest.
#[derive(Clone)]
pub struct Machine<'a> {
    link: &'a Link,
    name: String,
    modules: &'static str,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(link: &'a Link, name: &str) -> Self {
        let modules = match name {
            DOM0 => "/bed/modules",
            _ => "/modules",
        };
        Self {
            link,
            name: name.into(),
            modules,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the agent's program is, with what it can do besides.
    pub fn agent(&self) -> &'static str {
        if self.name == DOM0 {
            "/bed/agent"
        } else {
            "/init"
        }
    }

    /// Runs a program to its end; a status other than 0 is no error here.
    pub fn run(&self, argv: &[&str]) -> Result<Output> {
        self.exec(&Program::new(argv))
    }

    /// Runs a program that may take longer than usual.
    pub fn run_within(&self, argv: &[&str], limit: Duration) -> Result<Output> {
        self.exec(&Program::new(argv).limit(limit))
    }

    /// Runs a program to its end.
    pub fn exec(&self, program: &Program) -> Result<Output> {
        let Program {
            argv,
            env,
            stdin,
            limit,
        } = program.clone();
        let (command, timeout_ms) = (argv.join(" "), limit.as_millis() as u64);
        let op = Op::Exec {
            argv,
            env,
            stdin: Bytes(stdin),
            timeout_ms,
        };
        let Answer {
            stdout,
            stderr,
            outcome,
        } = self.link.call(&self.name, op, limit + SLACK)?;
        Ok(Output {
            command,
            status: outcome
                .status
                .unwrap_or_else(|| 128 + outcome.signal.unwrap_or_default()),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            elapsed: Duration::from_nanos(outcome.elapsed_ns),
        })
    }

    /// Starts a program and leaves it running, its output in a file; answers its process id.
    pub fn spawn(&self, argv: &[&str], output: &str) -> Result<i32> {
        let argv = argv.iter().map(|word| word.to_string()).collect();
        let op = Op::Spawn {
            argv,
            env: Vec::new(),
            output: output.into(),
        };
        self.link
            .call(&self.name, op, SHORT)?
            .outcome
            .pid
            .context("no process id")
    }

    /// Signals a spawned program and all it started.
    pub fn kill(&self, pid: i32, signal: i32) -> Result<()> {
        self.link
            .call(&self.name, Op::Kill { pid, signal }, SHORT)
            .map(drop)
    }

    /// Contents of a file, without white space around it.
    pub fn read(&self, path: &str) -> Result<String> {
        Ok(self
            .call_text(Op::Read { path: path.into() })?
            .trim()
            .to_string())
    }

    /// Contents of a file that holds a number.
    pub fn read_number(&self, path: &str) -> Result<u64> {
        let text = self.read(path)?;
        text.parse()
            .with_context(|| format!("{}: {path} is {text:?}, not a number", self.name))
    }

    /// Writes a file, in one system call if the kernel takes it so.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        let op = Op::Write {
            path: path.into(),
            data: Bytes(text.into()),
        };
        self.call_text(op).map(drop)
    }

    /// Waits until a file reads as wanted; answers how long it took, by the machine's clock.
    pub fn wait_for(&self, until: Until<'_>) -> Result<Duration> {
        Ok(self.wait(None, until)?.elapsed)
    }

    /// Writes, then waits until a file reads as wanted; answers the time from before the write.
    pub fn write_then_wait(&self, write: Write<'_>, until: Until<'_>) -> Result<Span> {
        self.wait(Some((write.path.into(), write.text.into())), until)
    }

    fn wait(&self, write: Option<(String, String)>, until: Until<'_>) -> Result<Span> {
        let op = Op::Wait {
            write,
            path: until.path.into(),
            equals: until.equals.into(),
            poll_us: until.poll.as_micros() as u64,
            timeout_ms: until.limit.as_millis() as u64,
        };
        Ok(self.link.call(&self.name, op, until.limit + SLACK)?.into())
    }

    /// Loads one of the modules at hand.
    pub fn insmod(&self, name: &str, params: &[&str]) -> Result<()> {
        let op = Op::Insmod {
            path: format!("{}/{name}.ko", self.modules),
            params: params.join(" "),
        };
        self.link.call(&self.name, op, MODULE_LIMIT).map(drop)
    }

    /// Unloads a module.
    pub fn rmmod(&self, name: &str) -> Result<()> {
        self.link
            .call(&self.name, Op::Rmmod { name: name.into() }, MODULE_LIMIT)
            .map(drop)
    }

    pub(crate) fn call_text(&self, op: Op) -> Result<String> {
        let answer = self.link.call(&self.name, op, SHORT)?;
        Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
    }
}
