// SPDX-License-Identifier: GPL-2.0
//! What is known of each machine, from the lines it sends.

use agent::frame;
use agent::message::{CHANNEL_END, DOM0, Failure, Message, Outcome};
use std::collections::{BTreeMap, HashMap};

/// A line of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// Kernel time in microseconds; raw console output has none.
    pub us: Option<u64>,
    /// The text.
    pub text: String,
}

impl std::fmt::Display for LogLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.us {
            Some(us) => write!(
                f,
                "[{:5}.{:06}] {}",
                us / 1_000_000,
                us % 1_000_000,
                self.text
            ),
            None => f.write_str(&self.text),
        }
    }
}

/// Where a machine is in its life.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Life {
    /// Not seen yet.
    #[default]
    Absent,
    /// It has a console.
    Here,
    /// It has gone; this is why, as far as is known.
    Gone(String),
}

/// A request under way.
#[derive(Debug, Default)]
pub struct Pending {
    /// Standard output, or a file's contents, so far.
    pub stdout: Vec<u8>,
    /// Standard error so far.
    pub stderr: Vec<u8>,
    /// Its end.
    pub done: Option<Result<Outcome, Failure>>,
}

/// One machine.
#[derive(Debug, Default)]
pub struct Machine {
    /// Where it is in its life.
    pub life: Life,
    /// Whether its agent has said hello.
    pub greeted: bool,
    /// Its domain.
    pub domid: Option<u32>,
    /// Kernel messages and console output.
    pub log: Vec<LogLine>,
    /// What was asked of it last.
    pub last_request: Option<String>,
    /// Requests under way.
    pub pending: HashMap<u64, Pending>,
}

impl Machine {
    /// Whether requests make sense.
    pub fn is_ready(&self) -> bool {
        self.greeted && self.life == Life::Here
    }

    /// Whether its domain has ended.
    pub fn is_gone(&self) -> bool {
        matches!(self.life, Life::Gone(_))
    }

    /// What it was last doing, for an error message.
    pub fn story(&self) -> String {
        let life = match &self.life {
            Life::Absent => "not started".to_string(),
            Life::Here if self.greeted => "running".to_string(),
            Life::Here => "started, no agent yet".to_string(),
            Life::Gone(why) if why.is_empty() => "gone".to_string(),
            Life::Gone(why) => format!("gone ({why})"),
        };
        let mut story = match (&self.last_request, self.pending.is_empty()) {
            (None, _) => format!("{life}; nothing was asked of it; last lines:"),
            (Some(request), true) => format!("{life}; last request: {request}; last lines:"),
            (Some(request), false) => format!("{life}; still busy with: {request}; last lines:"),
        };
        for line in self.log.iter().rev().take(5).rev() {
            story += &format!("\n    {line}");
        }
        story
    }
}

/// All machines.
#[derive(Debug, Default)]
pub struct State {
    /// By name; `dom0` is one of them.
    pub machines: BTreeMap<String, Machine>,
    /// Why nothing more will come.
    pub closed: Option<String>,
    last_id: u64,
}

impl State {
    /// Registers a request.
    pub fn begin(&mut self, machine: &str, what: String) -> u64 {
        self.last_id += 1;
        let machine = self.machines.entry(machine.into()).or_default();
        machine.last_request = Some(what);
        machine.pending.insert(self.last_id, Pending::default());
        self.last_id
    }

    /// Takes in a line; answers what goes to a log, with the machine's name.
    pub fn take_line(&mut self, line: &[u8]) -> Option<(String, Vec<LogLine>)> {
        let end = line.iter().position(|&byte| byte == CHANNEL_END)?;
        let name = String::from_utf8_lossy(&line[..end]).into_owned();
        let decoded = frame::decode::<Message>(&line[end + 1..]);
        if name == DOM0 {
            self.machines.entry(name.clone()).or_default().life = Life::Here;
        }
        let mut log = Vec::new();
        let raw = String::from_utf8_lossy(decoded.raw).trim_end().to_string();
        if !raw.is_empty() {
            log.push(LogLine {
                us: None,
                text: raw,
            });
        }
        if let Some(message) = decoded.frame {
            log.extend(self.take_message(&name, message));
        }
        self.machines
            .entry(name.clone())
            .or_default()
            .log
            .extend(log.iter().cloned());
        Some((name, log))
    }

    fn take_message(&mut self, name: &str, message: Message) -> Option<LogLine> {
        let machine = self.machines.entry(name.into()).or_default();
        match message {
            Message::Hello { .. } => machine.greeted = true,
            Message::Kmsg { us, text, .. } => return Some(LogLine { us: Some(us), text }),
            Message::Data { id, err, bytes } => {
                if let Some(pending) = machine.pending.get_mut(&id) {
                    let output = if err {
                        &mut pending.stderr
                    } else {
                        &mut pending.stdout
                    };
                    output.extend(bytes.0);
                }
            }
            Message::Done { id, result } => {
                if let Some(pending) = machine.pending.get_mut(&id) {
                    pending.done = Some(result);
                }
            }
            Message::Attached { guest, domid } => {
                let guest = self.machines.entry(guest).or_default();
                guest.life = Life::Here;
                guest.domid = Some(domid);
            }
            Message::Gone { guest, domid, last } => {
                let guest = self.machines.entry(guest).or_default();
                // A migrated guest's old domain may end after its new one has begun.
                if guest.domid == Some(domid) {
                    guest.life = Life::Gone(last);
                    guest.domid = None;
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent::message::Bytes;

    fn line(channel: &str, message: &Message) -> Vec<u8> {
        [
            channel.as_bytes(),
            &[CHANNEL_END],
            &frame::encode(message).unwrap(),
        ]
        .concat()
    }

    #[test]
    fn answers_are_put_together() {
        let mut state = State::default();
        let id = state.begin("a", "what".into());
        for (err, text) in [(false, "one "), (true, "bad"), (false, "two")] {
            let bytes = Bytes(text.into());
            state.take_line(&line("a", &Message::Data { id, err, bytes }));
        }
        let result = Ok(Outcome {
            status: Some(3),
            ..Outcome::default()
        });
        state.take_line(&line(
            "a",
            &Message::Done {
                id,
                result: result.clone(),
            },
        ));
        let pending = &state.machines["a"].pending[&id];
        assert_eq!(
            (&pending.stdout[..], &pending.stderr[..]),
            (&b"one two"[..], &b"bad"[..])
        );
        assert_eq!(pending.done, Some(result));
    }

    #[test]
    fn a_guest_lives_through_save_and_restore() {
        let mut state = State::default();
        let attached = |domid| {
            line(
                DOM0,
                &Message::Attached {
                    guest: "a".into(),
                    domid,
                },
            )
        };
        let gone = |domid| {
            line(
                DOM0,
                &Message::Gone {
                    guest: "a".into(),
                    domid,
                    last: "why".into(),
                },
            )
        };
        state.take_line(&attached(1));
        assert!(!state.machines["a"].is_ready());
        state.take_line(&line(
            "a",
            &Message::Hello {
                release: "7".into(),
                uptime: 1.0,
            },
        ));
        assert!(state.machines["a"].is_ready());
        state.take_line(&attached(2));
        state.take_line(&gone(1));
        assert!(state.machines["a"].is_ready());
        state.take_line(&gone(2));
        assert_eq!(state.machines["a"].life, Life::Gone("why".into()));
    }

    #[test]
    fn console_output_and_kernel_messages_are_logged() {
        let mut state = State::default();
        state.take_line(b"a\t[    0.1] Oops\r\n");
        let message = Message::Kmsg {
            level: 4,
            us: 1_500_000,
            text: "hm".into(),
        };
        state.take_line(&line("a", &message));
        let log: Vec<String> = state.machines["a"]
            .log
            .iter()
            .map(LogLine::to_string)
            .collect();
        assert_eq!(log, ["[    0.1] Oops", "[    1.500000] hm"]);
    }
}
