// SPDX-License-Identifier: GPL-2.0

//! What areas and trees are called.

/// Bytes of a name, with at least one zero behind it.
pub const NAME: usize = 64;

/// The name of an area or a tree, or none.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Name([u8; NAME]);

impl Default for Name {
    fn default() -> Self {
        Self([0; NAME])
    }
}

impl Name {
    /// Returns the name that a text is; [`None`] if it is too long. What else is wrong with it the
    /// module says.
    pub fn new(text: &str) -> Option<Self> {
        let mut name = Self::default();
        if text.len() >= NAME || text.contains('\0') {
            return None;
        }
        name.0[..text.len()].copy_from_slice(text.as_bytes());
        Some(name)
    }

    /// Returns the text.
    pub fn text(&self) -> String {
        let used = self.0.iter().take_while(|&&byte| byte != 0);
        used.map(|&byte| char::from(byte)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_room_for_a_zero() {
        assert!(Name::new(&"n".repeat(NAME)).is_none());
        let longest = "n".repeat(NAME - 1);
        assert_eq!(Name::new(&longest).map(|name| name.text()), Some(longest));
    }
}
