// SPDX-License-Identifier: GPL-2.0

//! Control messages as bytes: the payload of a packet whose kind is the message's number.

use super::{
    super::format::{
        Digest,
        DIGEST, //
    },
    contents::{
        Digests,
        Supplies,
        CONTENTS_BYTES, //
    },
    list::{
        Refs,
        Runs,
        REFS_BYTES, //
    },
    message::{
        Label,
        Message,
        Reason,
        Uuid,
        LABEL, //
    },
};

/// Bytes of the longest message: so long may the packets in a control ring be.
pub const MESSAGE_MAX: usize = 4 + REFS_BYTES;

const _: () = assert!(4 + LABEL + CONTENTS_BYTES <= MESSAGE_MAX);

/// Why a message is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// There is no such kind.
    Kind,
    /// A message of this kind has another length.
    Length,
    /// A value is out of its range.
    Value,
}

/// A message that is written.
struct Writer<'a> {
    to: &'a mut [u8; MESSAGE_MAX],
    used: usize,
}

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        let end = self.used + bytes.len();
        if let Some(to) = self.to.get_mut(self.used..end) {
            to.copy_from_slice(bytes);
            self.used = end;
        }
    }

    fn words(&mut self, words: &[u32]) {
        words
            .iter()
            .for_each(|word| self.bytes(&word.to_le_bytes()));
    }
}

/// What is left of a message that is read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Malformed::Length)?;

        self.0 = rest;
        Ok(array)
    }

    fn word(&mut self) -> Result<u32, Malformed> {
        self.array().copied().map(u32::from_le_bytes)
    }

    fn long(&mut self) -> Result<u64, Malformed> {
        self.array().copied().map(u64::from_le_bytes)
    }

    fn label(&mut self) -> Result<Label, Malformed> {
        Label::decode(*self.array()?).ok_or(Malformed::Value)
    }

    fn uuid(&mut self) -> Result<Uuid, Malformed> {
        self.array().copied().map(Uuid)
    }

    fn digest(&mut self) -> Result<&'a Digest, Malformed> {
        self.array::<DIGEST>()
    }

    fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.0)
    }

    fn runs(&mut self) -> Result<Runs<'a>, Malformed> {
        Runs::decode(self.rest()).ok_or(Malformed::Value)
    }

    fn refs(&mut self) -> Result<Refs<'a>, Malformed> {
        Refs::decode(self.rest()).ok_or(Malformed::Value)
    }

    fn digests(&mut self) -> Result<Digests<'a>, Malformed> {
        Digests::decode(self.rest()).ok_or(Malformed::Value)
    }

    fn supplies(&mut self) -> Result<Supplies<'a>, Malformed> {
        Supplies::decode(self.rest()).ok_or(Malformed::Value)
    }
}

impl<'a> Message<'a> {
    /// Puts the message into `to`, and returns its bytes there.
    pub fn encode<'b>(&self, to: &'b mut [u8; MESSAGE_MAX]) -> &'b [u8] {
        let mut writer = Writer { to, used: 0 };
        self.put(&mut writer);
        let used = writer.used;

        to.get(..used).unwrap_or(&[])
    }

    fn put(&self, to: &mut Writer<'_>) {
        match self {
            Message::Hello { version, pages } => to.words(&[*version, *pages]),
            Message::Attach {
                request,
                area,
                tree,
            } => {
                to.words(&[*request]);
                to.bytes(area.bytes());
                to.bytes(tree.bytes());
            }
            Message::Again {
                request,
                area,
                digest,
            } => {
                to.words(&[*request]);
                to.bytes(&area.0);
                to.bytes(*digest);
            }
            Message::Attached {
                request,
                tree,
                generation,
                area,
                digest,
            } => {
                to.words(&[*request, *tree]);
                to.bytes(&generation.to_le_bytes());
                to.bytes(&area.0);
                to.bytes(*digest);
            }
            Message::Refused { request, reason } => to.words(&[*request, *reason as u32]),
            Message::Fetch {
                tree,
                request,
                runs,
            }
            | Message::Withdraw {
                tree,
                request,
                runs,
            } => {
                to.words(&[*tree, *request]);
                to.bytes(runs.bytes());
            }
            Message::Granted { request, refs } => {
                to.words(&[*request]);
                to.bytes(refs.bytes());
            }
            Message::Release { tree, runs } => {
                to.words(&[*tree]);
                to.bytes(runs.bytes());
            }
            Message::Withdrawn { request } => to.words(&[*request]),
            Message::Retire { tree } | Message::Detach { tree } => to.words(&[*tree]),
            Message::Goodbye => (),
            Message::Offer {
                request,
                area,
                digests,
            } => {
                to.words(&[*request]);
                to.bytes(area.bytes());
                to.bytes(digests.bytes());
            }
            Message::Supply {
                request,
                area,
                supplies,
            } => {
                to.words(&[*request]);
                to.bytes(area.bytes());
                to.bytes(supplies.bytes());
            }
            Message::Return { area, digests } => {
                to.bytes(area.bytes());
                to.bytes(digests.bytes());
            }
            Message::Recall { request, area } => {
                to.words(&[*request]);
                to.bytes(area.bytes());
            }
        }
    }

    /// Returns the message of this kind with this payload, which nobody else may write any more.
    pub fn decode(kind: u16, payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut from = Reader(payload);
        let message = match kind {
            1 => Message::Hello {
                version: from.word()?,
                pages: from.word()?,
            },
            2 => Message::Attach {
                request: from.word()?,
                area: from.label().and_then(named)?,
                tree: from.label()?,
            },
            3 => Message::Again {
                request: from.word()?,
                area: from.uuid()?,
                digest: from.digest()?,
            },
            4 => Message::Attached {
                request: from.word()?,
                tree: from.word()?,
                generation: from.long()?,
                area: from.uuid()?,
                digest: from.digest()?,
            },
            5 => Message::Refused {
                request: from.word()?,
                reason: Reason::from_word(from.word()?),
            },
            6 => Message::Fetch {
                tree: from.word()?,
                request: from.word()?,
                runs: from.runs()?,
            },
            7 => Message::Granted {
                request: from.word()?,
                refs: from.refs()?,
            },
            8 => Message::Release {
                tree: from.word()?,
                runs: from.runs()?,
            },
            9 => Message::Withdraw {
                tree: from.word()?,
                request: from.word()?,
                runs: from.runs()?,
            },
            10 => Message::Withdrawn {
                request: from.word()?,
            },
            12 => Message::Retire { tree: from.word()? },
            13 => Message::Detach { tree: from.word()? },
            14 => Message::Goodbye,
            15 => Message::Offer {
                request: from.word()?,
                area: from.label().and_then(named)?,
                digests: from.digests()?,
            },
            16 => Message::Supply {
                request: from.word()?,
                area: from.label().and_then(named)?,
                supplies: from.supplies()?,
            },
            17 => Message::Return {
                area: from.label().and_then(named)?,
                digests: from.digests()?,
            },
            18 => Message::Recall {
                request: from.word()?,
                area: from.label().and_then(named)?,
            },
            _ => return Err(Malformed::Kind),
        };
        if from.0.is_empty() {
            Ok(message)
        } else {
            Err(Malformed::Length)
        }
    }
}

/// An area always has a name.
fn named(label: Label) -> Result<Label, Malformed> {
    if label == Label::NONE {
        Err(Malformed::Value)
    } else {
        Ok(label)
    }
}
