// SPDX-License-Identifier: GPL-2.0
//! The messages inside frames.

use serde::{Deserialize, Serialize};

/// Channel of dom0's own agent; every other channel is a guest's name.
pub const DOM0: &str = "dom0";
/// Parts of a line between bed and dom0: channel, this, then the line as the guest's console has it.
pub const CHANNEL_END: u8 = b'\t';
/// Name of the virtio-serial port between bed and dom0.
pub const PORT: &str = "xenoxide.bed";
/// Bytes of output in one message at most.
pub const CHUNK: usize = 2048;

/// Bed to agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Comes back in every answer.
    pub id: u64,
    /// What to do.
    pub op: Op,
}

/// What an agent can do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Op {
    /// Run a program to its end.
    Exec {
        /// Program and arguments.
        argv: Vec<String>,
        /// Added to the environment.
        env: Vec<(String, String)>,
        /// Its standard input.
        stdin: Bytes,
        /// Killed after that many milliseconds, with all it started.
        timeout_ms: u64,
    },
    /// Start a program and leave it running; answers its process id.
    Spawn {
        /// Program and arguments.
        argv: Vec<String>,
        /// Added to the environment.
        env: Vec<(String, String)>,
        /// Where its output goes.
        output: String,
    },
    /// Send a signal to a process that was spawned, and to all it started.
    Kill {
        /// As answered by `Spawn`.
        pid: i32,
        /// Signal number.
        signal: i32,
    },
    /// Read a whole file.
    Read {
        /// File.
        path: String,
    },
    /// Write a file with one system call, as sysfs wants it.
    Write {
        /// File; made if missing.
        path: String,
        /// Contents.
        data: Bytes,
    },
    /// Optionally write, then wait until a file reads as wanted; answers the time from before the write.
    Wait {
        /// File and text to write first.
        write: Option<(String, String)>,
        /// File to watch.
        path: String,
        /// Wanted text, without white space around it.
        equals: String,
        /// Pause between looks, in microseconds.
        poll_us: u64,
        /// Give up after that many milliseconds.
        timeout_ms: u64,
    },
    /// Load a module file.
    Insmod {
        /// Module file.
        path: String,
        /// Module parameters.
        params: String,
    },
    /// Unload a module.
    Rmmod {
        /// Module name.
        name: String,
    },
    /// Read a xenstore node (dom0 only).
    XsRead {
        /// Node.
        path: String,
    },
    /// Write a xenstore node (dom0 only).
    XsWrite {
        /// Node.
        path: String,
        /// Value.
        value: Bytes,
    },
    /// Remove a xenstore node (dom0 only).
    XsRemove {
        /// Node.
        path: String,
    },
    /// Power the machine off.
    PowerOff,
}

/// Agent to bed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// First of all: the agent is there.
    Hello {
        /// `uname -r`.
        release: String,
        /// Seconds since its kernel started.
        uptime: f64,
    },
    /// A kernel message.
    Kmsg {
        /// Log level, 0 to 7.
        level: u8,
        /// Microseconds since boot.
        us: u64,
        /// Its text.
        text: String,
    },
    /// Output of a running request.
    Data {
        /// Whose.
        id: u64,
        /// Standard error, not output.
        err: bool,
        /// The bytes.
        bytes: Bytes,
    },
    /// End of a request.
    Done {
        /// Whose.
        id: u64,
        /// How it went.
        result: Result<Outcome, Failure>,
    },
    /// A guest's console is connected (dom0 only).
    Attached {
        /// Guest.
        guest: String,
        /// Its domain.
        domid: u32,
    },
    /// A guest's domain is no more (dom0 only).
    Gone {
        /// Guest.
        guest: String,
        /// Its domain.
        domid: u32,
        /// What the tool stack wrote about it last.
        last: String,
    },
}

/// A request that was carried out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// When it began, in nanoseconds of the agent's `CLOCK_MONOTONIC`.
    pub start_ns: u64,
    /// Nanoseconds it took, by the agent's clock.
    pub elapsed_ns: u64,
    /// Exit status of a program.
    pub status: Option<i32>,
    /// Signal that ended a program.
    pub signal: Option<i32>,
    /// Process id of a spawned program.
    pub pid: Option<i32>,
}

/// A request that was not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Error number, if it was a system call.
    pub errno: Option<i32>,
    /// In words.
    pub text: String,
}

/// Bytes, as base64 on the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(pub Vec<u8>);

impl TryFrom<String> for Bytes {
    type Error = base64::DecodeError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .map(Bytes)
    }
}

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(bytes.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_byte_passes() {
        let message = Message::Data {
            id: 1,
            err: true,
            bytes: Bytes((0..=255).collect()),
        };
        let line = crate::frame::encode(&message).unwrap();
        assert_eq!(crate::frame::decode(&line).frame, Some(message));
    }
}
