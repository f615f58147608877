// SPDX-License-Identifier: GPL-2.0

//! What may stand for a file, an area or a tree.

use super::format::NAME_MAX;

/// Longest name of an area or a tree, in bytes.
pub const LABEL_MAX: usize = 63;

/// Whether a directory may have an entry of that name.
pub fn is_file(name: &[u8]) -> bool {
    let allowed = |&byte: &u8| byte != 0 && byte != b'/';

    (1..=NAME_MAX).contains(&name.len())
        && name != b"."
        && name != b".."
        && name.iter().all(allowed)
}

/// Whether an extended attribute may have that name.
pub fn is_xattr(name: &[u8]) -> bool {
    (1..=NAME_MAX).contains(&name.len()) && !name.contains(&0)
}

/// Whether an area or a tree may have that name: letters, digits, `.`, `_` and `-`, of which a
/// letter or a digit comes first.
pub fn is_label(name: &[u8]) -> bool {
    let allowed = |&byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);

    name.len() <= LABEL_MAX
        && name.first().is_some_and(u8::is_ascii_alphanumeric)
        && name.iter().all(allowed)
}

/// What is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source<'a> {
    /// The name of the area.
    pub area: &'a [u8],
    /// The name of one of its trees. Without one it is the only tree that the area has.
    pub tree: Option<&'a [u8]>,
}

impl<'a> Source<'a> {
    /// Returns what `area` or `area/tree` says.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let mut parts = text.split(|&byte| byte == b'/');
        let found = Self {
            area: parts.next()?,
            tree: parts.next(),
        };
        let sound =
            parts.next().is_none() && is_label(found.area) && found.tree.is_none_or(is_label);

        sound.then_some(found)
    }
}
