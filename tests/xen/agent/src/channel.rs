// SPDX-License-Identifier: GPL-2.0
//! The way to the bed: whole lines, each with its channel's prefix in dom0.

use agent::frame;
use agent::message::Message;
use anyhow::Result;
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex};

/// Where messages go; clones write to the same place.
#[derive(Clone)]
pub struct Sender {
    file: Arc<Mutex<File>>,
    prefix: Arc<[u8]>,
}

impl Sender {
    /// Lines go to `file`, each behind `prefix`.
    pub fn new(file: File, prefix: &[u8]) -> Self {
        Self {
            file: Arc::new(Mutex::new(file)),
            prefix: prefix.into(),
        }
    }

    /// The same file with another prefix.
    pub fn with_prefix(&self, prefix: &[u8]) -> Self {
        Self {
            file: self.file.clone(),
            prefix: prefix.into(),
        }
    }

    /// Sends one message.
    pub fn send(&self, message: &Message) -> Result<()> {
        self.send_line(&frame::encode(message)?)
    }

    /// Sends a line as it is; it ends in a newline.
    pub fn send_line(&self, line: &[u8]) -> Result<()> {
        let whole = [&self.prefix, line].concat();
        let mut file = self
            .file
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        Ok(file.write_all(&whole)?)
    }
}
