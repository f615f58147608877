// SPDX-License-Identifier: GPL-2.0

//! The arguments of the calls and their numbers, as the header has them.

use super::name::Name;
use rustix::ioctl::{Opcode, opcode};

pub const VERSION: u32 = 1;
const MAGIC: u8 = 0xBE;

#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct RawArea {
    pub version: u32,
    pub pages: u32,
    pub name: Name,
    pub uuid: [u8; 16],
    pub grants: u32,
    pub trees: u32,
    pub referenced: u64,
    pub unique: u64,
    pub filled: u64,
    pub granted: u64,
    pub attached: u64,
    pub lent: u64,
    pub offered: u64,
    pub spare: u64,
    pub got: u64,
    pub read: u64,
    pub reserved: [u64; 2],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct RawTree {
    pub version: u32,
    pub file: u32,
    pub area: Name,
    pub name: Name,
    pub digest: [u8; 32],
    pub generation: u64,
    pub blocks: u64,
    pub attached: u64,
    pub reserved: [u64; 4],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct RawRules {
    pub version: u32,
    pub bytes: u32,
    pub area: Name,
    pub text: u64,
    pub reserved: [u64; 4],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct RawRemove {
    pub version: u32,
    pub reserved0: u32,
    pub area: Name,
    pub tree: Name,
    pub reserved: [u64; 4],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct RawWithdraw {
    pub version: u32,
    pub flags: u32,
    pub area: Name,
    pub tree: Name,
    pub freed: u64,
    pub holders: u32,
    pub holder: u32,
    pub reserved: [u64; 4],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct RawDisk {
    pub version: u32,
    pub owner: u32,
    pub area: Name,
    pub tree: Name,
    pub digest: [u8; 32],
    pub path: u64,
    pub path_bytes: u32,
    pub flags: u32,
    pub number: u32,
    pub reserved0: u32,
    pub sectors: u64,
    pub reserved: [u64; 4],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct RawMember {
    pub version: u32,
    pub domain: u32,
    pub number: u64,
    pub mounts: u64,
    pub granted: u64,
    pub pages: u64,
    pub reserved: [u64; 4],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct RawDetach {
    pub version: u32,
    pub number: u32,
    pub reserved: [u64; 4],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct RawOffers {
    pub version: u32,
    pub flags: u32,
    pub area: Name,
    pub pages: u64,
    pub reserved: [u64; 4],
}

/// In the flags of a disk: the tree is to have that digest.
pub const HAS_DIGEST: u32 = 1;

pub const CREATE: Opcode = opcode::write::<RawArea>(MAGIC, 0x20);
pub const NEXT_AREA: Opcode = opcode::read_write::<RawArea>(MAGIC, 0x21);
pub const ADD: Opcode = opcode::read_write::<RawTree>(MAGIC, 0x22);
pub const NEXT_TREE: Opcode = opcode::read_write::<RawTree>(MAGIC, 0x23);
pub const ALLOW: Opcode = opcode::write::<RawRules>(MAGIC, 0x24);
pub const RULES: Opcode = opcode::read_write::<RawRules>(MAGIC, 0x25);
pub const REMOVE: Opcode = opcode::write::<RawRemove>(MAGIC, 0x26);
pub const WITHDRAW: Opcode = opcode::read_write::<RawWithdraw>(MAGIC, 0x27);
pub const NEXT_MEMBER: Opcode = opcode::read_write::<RawMember>(MAGIC, 0x28);
pub const OFFERS: Opcode = opcode::write::<RawOffers>(MAGIC, 0x29);
pub const ATTACH: Opcode = opcode::read_write::<RawDisk>(MAGIC, 0x30);
pub const DETACH: Opcode = opcode::write::<RawDetach>(MAGIC, 0x31);

/// In the flags of what is withdrawn: nothing is to be had any more.
pub const RETIRE: u32 = 1;

/// In the flags of offers: an area takes them.
pub const TAKES: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that the header has, in which the sizes of the arguments are.
    #[test]
    fn calls_are_those_of_the_header() {
        let calls = [
            CREATE,
            NEXT_AREA,
            ADD,
            NEXT_TREE,
            ALLOW,
            RULES,
            REMOVE,
            WITHDRAW,
            NEXT_MEMBER,
            OFFERS,
            ATTACH,
            DETACH,
        ];
        let numbers: [Opcode; 12] = [
            0x40c0be20, 0xc0c0be21, 0xc0e0be22, 0xc0e0be23, 0x4070be24, 0xc070be25, 0x40a8be26,
            0xc0b8be27, 0xc048be28, 0x4070be29, 0xc0e8be30, 0x4028be31,
        ];
        assert_eq!(calls, numbers);
    }
}
