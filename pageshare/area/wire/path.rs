// SPDX-License-Identifier: GPL-2.0

//! Where a member tells an owner of a link: in the node `data/pageshare/<owner>` of its own home.
//! The text there is a [`Rendezvous`](super::super::rendezvous::Rendezvous).

use super::super::{
    policy,
    rendezvous::DOMID_END, //
};

/// Who has written a node, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// The domain that the node belongs to.
    pub member: u16,
    /// The domain that it is for.
    pub owner: u16,
}

/// Returns what the path of a node, as a watch on `/local/domain` tells it, says. [`None`] if it is
/// not exactly `/local/domain/<member>/data/pageshare/<owner>`.
pub fn parse_path(path: &[u8]) -> Option<Path> {
    let rest = path.strip_prefix(b"/local/domain/")?;
    let mut parts = rest.split(|&byte| byte == b'/');

    let member = domain(parts.next()?)?;
    if [parts.next()?, parts.next()?] != [&b"data"[..], b"pageshare"] {
        return None;
    }
    let owner = domain(parts.next()?)?;
    parts.next().is_none().then_some(Path { member, owner })
}

fn domain(text: &[u8]) -> Option<u16> {
    let text = core::str::from_utf8(text).ok()?;
    let plain = text == "0" || !text.starts_with('0');

    policy::number(text).filter(|&domain| plain && domain < DOMID_END)
}
