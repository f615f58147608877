// SPDX-License-Identifier: GPL-2.0
//! Streams the kernel's messages, from the first one on.

use crate::channel::Sender;
use agent::message::Message;
use anyhow::Result;
use std::fs::File;
use std::io::Read;

/// Longer than any record the kernel hands out.
const RECORD: usize = 8192;

/// Streams until the channel is closed.
pub fn stream(sender: &Sender) -> Result<()> {
    let mut kmsg = File::open("/dev/kmsg")?;
    let mut record = [0; RECORD];
    loop {
        match kmsg.read(&mut record) {
            Ok(length) => {
                if let Some(message) = parse(&String::from_utf8_lossy(&record[..length])) {
                    sender.send(&message)?;
                }
            }
            // Overtaken by newer messages: the next read goes on with the oldest there is.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                let text = "bed: kernel messages were lost here".to_string();
                sender.send(&Message::Kmsg {
                    level: 4,
                    us: 0,
                    text,
                })?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// `level,sequence,microseconds,flags;text`, then lines of properties.
fn parse(record: &str) -> Option<Message> {
    let (head, rest) = record.split_once(';')?;
    let mut fields = head.split(',');
    let level: u32 = fields.next()?.parse().ok()?;
    let us = fields.nth(1)?.parse().ok()?;
    let text = rest.lines().next().unwrap_or_default().to_string();
    Some(Message::Kmsg {
        level: (level & 7) as u8,
        us,
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_taken_apart() {
        let message = parse("30,12,3456789,-;usb: a;b, c\n SUBSYSTEM=usb\n");
        let text = "usb: a;b, c".to_string();
        assert_eq!(
            message,
            Some(Message::Kmsg {
                level: 6,
                us: 3456789,
                text
            })
        );
        assert_eq!(parse("nonsense"), None);
    }
}
