// SPDX-License-Identifier: GPL-2.0

//! The memory of one direction: how large it may be, and where a run of bytes lies in it.

/// Bytes in a page, the unit of grants.
pub const PAGE: u32 = 4096;

/// The size of a segment: 2^n pages, from 4 KiB to 16 MiB.
///
/// # Invariants
///
/// The order is at most [`Size::MAX_ORDER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u8);

impl Size {
    /// Binary logarithm of the pages of the largest segment.
    pub const MAX_ORDER: u8 = 12;

    /// The smallest segment: one page.
    pub const MIN: Self = Self(0);

    /// The largest segment: 16 MiB.
    pub const MAX: Self = Self(Self::MAX_ORDER);

    /// The size of each control ring: 16 KiB.
    pub const CONTROL: Self = Self(2);

    /// Returns the size of 2^`order` pages, if a segment may be that large.
    pub const fn from_order(order: u8) -> Option<Self> {
        if order <= Self::MAX_ORDER {
            Some(Self(order))
        } else {
            None
        }
    }

    /// Returns the size of so many bytes, if a segment may have it.
    pub const fn from_bytes(bytes: u32) -> Option<Self> {
        if bytes.is_power_of_two() && bytes >= PAGE && bytes <= Self::MAX.bytes() {
            Some(Self((bytes / PAGE).trailing_zeros() as u8))
        } else {
            None
        }
    }

    /// Returns the smallest size with room for `bytes`, or the largest there is.
    pub const fn at_least(bytes: u64) -> Self {
        let mut order = 0;
        while order < Self::MAX_ORDER && (Self(order).bytes() as u64) < bytes {
            order += 1;
        }
        Self(order)
    }

    /// Returns the binary logarithm of the number of pages.
    pub const fn order(self) -> u8 {
        self.0
    }

    /// Returns the number of pages.
    pub const fn pages(self) -> u32 {
        1 << self.0
    }

    /// Returns the number of bytes.
    pub const fn bytes(self) -> u32 {
        PAGE << self.0
    }

    /// Returns the next larger size.
    pub const fn double(self) -> Option<Self> {
        Self::from_order(self.0 + 1)
    }

    /// Returns the next smaller size.
    pub const fn half(self) -> Option<Self> {
        match self.0.checked_sub(1) {
            Some(order) => Some(Self(order)),
            None => None,
        }
    }
}

/// Where a run of bytes lies: `first` of them from `offset` on, the other `second` from the start
/// of the same segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which of the direction's two segments: 0 or 1. The one that a connection starts with is 0;
    /// each switch goes over to the other.
    pub slot: usize,
    /// Where the run starts, in bytes from the segment's start.
    pub offset: u32,
    /// Bytes from there on, up to the segment's end.
    pub first: u32,
    /// Bytes from the segment's start on.
    pub second: u32,
}

impl Place {
    /// Returns the place of the `len` bytes from the free-running index `at` on, in a segment of
    /// this size that belongs to generation `generation`. `len` is at most the size.
    pub(super) const fn new(generation: u32, size: Size, at: u32, len: u32) -> Self {
        let offset = at & (size.bytes() - 1);
        let to_end = size.bytes() - offset;
        let first = if len < to_end { len } else { to_end };

        Self {
            slot: slot(generation),
            offset,
            first,
            second: len - first,
        }
    }

    /// Returns the place of the rest of the run behind its first `skip` bytes.
    pub const fn after(&self, skip: u32) -> Self {
        let Some(skip) = skip.checked_sub(self.first) else {
            return Self {
                offset: self.offset + skip,
                first: self.first - skip,
                ..*self
            };
        };
        Self {
            offset: skip,
            first: self.second.saturating_sub(skip),
            second: 0,
            ..*self
        }
    }

    /// Returns the number of bytes of the run.
    pub const fn len(&self) -> u32 {
        self.first + self.second
    }

    /// Whether the run has no bytes.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Returns which of the two segments belongs to a generation.
pub(super) const fn slot(generation: u32) -> usize {
    (generation & 1) as usize
}
