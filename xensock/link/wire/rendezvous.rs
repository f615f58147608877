// SPDX-License-Identifier: GPL-2.0

//! What the initiator `a` writes to xenstore for the acceptor `b`, in the node `data/xsock/<b>` of
//! its own home: `1 <grant reference of the header page> <port of the event channel> <nonce>`.
//!
//! Only the path says who has written it. The nonce tells one try from the next.

use core::fmt::{
    self,
    Write, //
};

/// First number that is no domain's: `DOMID_FIRST_RESERVED` in Xen's `public/xen.h`.
pub const DOMID_END: u16 = 0x7ff0;

/// What an initiator tells an acceptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rendezvous {
    /// Grant reference of the link's header page.
    pub header: u32,
    /// Port of the event channel, at the initiator.
    pub port: u32,
    /// Different each time.
    pub nonce: u64,
}

impl Rendezvous {
    /// Returns the text for the node.
    pub fn encode(&self) -> Text {
        let mut text = Text {
            bytes: [0; TEXT_MAX],
            used: 0,
        };
        // The longest text fits.
        let _ = write!(text, "1 {} {} {}", self.header, self.port, self.nonce);
        text
    }

    /// Returns what a node's text says. `None` if it is of another form or version.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut words = text.split(|&byte| byte == b' ');

        if words.next()? != b"1" {
            return None;
        }
        let found = Self {
            header: number(words.next()?)?,
            port: number(words.next()?)?,
            nonce: number(words.next()?)?,
        };
        words.next().is_none().then_some(found)
    }
}

/// Bytes of the longest text.
const TEXT_MAX: usize = "1 4294967295 4294967295 18446744073709551615".len();

/// The text of a [`Rendezvous`].
#[derive(Clone, Copy, Debug)]
pub struct Text {
    bytes: [u8; TEXT_MAX],
    used: usize,
}

impl Text {
    /// Returns the text, which is ASCII.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or(&[])
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.bytes()).unwrap_or("")
    }
}

impl Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let end = self.used + s.len();
        let to = self.bytes.get_mut(self.used..end).ok_or(fmt::Error)?;

        to.copy_from_slice(s.as_bytes());
        self.used = end;
        Ok(())
    }
}

/// Who has written a node, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// The domain that the node belongs to: the initiator.
    pub from: u16,
    /// The domain that it is for: the acceptor.
    pub to: u16,
}

/// Returns what the path of a node, as a watch on `/local/domain` tells it, says. `None` if it is
/// not exactly `/local/domain/<from>/data/xsock/<to>`.
pub fn parse_path(path: &[u8]) -> Option<Path> {
    let mut parts = path
        .strip_prefix(b"/local/domain/")?
        .split(|&byte| byte == b'/');

    let from = domain(parts.next()?)?;
    if parts.next()? != b"data" || parts.next()? != b"xsock" {
        return None;
    }
    let to = domain(parts.next()?)?;
    parts.next().is_none().then_some(Path { from, to })
}

fn domain(text: &[u8]) -> Option<u16> {
    number(text).filter(|&domain| domain < DOMID_END)
}

/// Returns the decimal number, if it is written as numbers are: digits only, no needless zeros.
fn number<N: TryFrom<u64>>(text: &[u8]) -> Option<N> {
    if text.is_empty() || (text.len() > 1 && text.starts_with(b"0")) {
        return None;
    }
    let mut value: u64 = 0;
    for byte in text {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit < 10)?;
        value = value.checked_mul(10)?.checked_add(digit.into())?;
    }
    N::try_from(value).ok()
}
