// SPDX-License-Identifier: GPL-2.0

//! What the arguments of all calls of `/dev/pageshare` have in common.
//!
//! Header for programs: `pageshare/uapi/pageshare.h`.

use crate::{
    area::wire::Label,
    linux::uapi::{
        SHARE_NAME,
        SHARE_VERSION, //
    }, //
};
use kernel::prelude::*;

/// Checks what all arguments begin with, and that what is reserved is zero.
pub(crate) fn check(version: u32, reserved: &[u64]) -> Result {
    if version == SHARE_VERSION && reserved.iter().all(|&word| word == 0) {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

/// Returns the name that a program means; it may be none.
pub(crate) fn name_or_none(bytes: &[u8; SHARE_NAME]) -> Result<Label> {
    let end = bytes.iter().position(|&byte| byte == 0).ok_or(EINVAL)?;
    let (name, rest) = bytes.split_at(end);
    if rest.iter().any(|&byte| byte != 0) {
        return Err(EINVAL);
    }
    if name.is_empty() {
        return Ok(Label::NONE);
    }
    Label::new(name).ok_or(EINVAL)
}

/// Returns the name that a program means.
pub(crate) fn name(bytes: &[u8; SHARE_NAME]) -> Result<Label> {
    let label = name_or_none(bytes)?;
    if label == Label::NONE {
        return Err(EINVAL);
    }
    Ok(label)
}

/// Returns a name as programs have it.
pub(crate) fn shown(label: &Label) -> [u8; SHARE_NAME] {
    let mut bytes = [0; SHARE_NAME];
    let text = label.text();
    if let Some(to) = bytes.get_mut(..text.len()) {
        to.copy_from_slice(text);
    }
    bytes
}
