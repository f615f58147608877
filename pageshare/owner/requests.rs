// SPDX-License-Identifier: GPL-2.0

//! What programs ask `/dev/pageshare` for.
//!
//! Header for programs: `pageshare/uapi/pageshare.h`.

use super::{
    area::Area,
    loaded::Source,
    Areas, //
};
use crate::{
    area::wire::{
        Label,
        Uuid, //
    },
    arguments::{
        check,
        name,
        name_or_none,
        shown, //
    },
    backing::Backing,
    linux::{
        device::Call,
        uapi::{
            ShareArea,
            ShareRemove,
            ShareRules,
            ShareTree,
            SHARE_ADD,
            SHARE_ALLOW,
            SHARE_CREATE,
            SHARE_NAME,
            SHARE_NEXT_AREA,
            SHARE_NEXT_TREE,
            SHARE_OFFERS,
            SHARE_REMOVE,
            SHARE_RULES,
            SHARE_VERSION, //
        }, //
    }, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

/// Bytes of the longest rules.
const RULES_MAX: usize = PAGE_SIZE;

impl Areas {
    /// Carries out a call.
    ///
    /// Context: process context of the caller, may sleep.
    pub(crate) fn request(&self, call: Call) -> Result {
        let changes = [
            SHARE_CREATE,
            SHARE_ADD,
            SHARE_ALLOW,
            SHARE_REMOVE,
            SHARE_OFFERS,
        ];
        if changes.contains(&call.command) && !call.writable {
            return Err(EPERM);
        }
        let done = match call.command {
            SHARE_CREATE => self.create(call.argument),
            SHARE_NEXT_AREA => self.next_area(call.argument),
            SHARE_ADD => self.add_tree(call.argument),
            SHARE_NEXT_TREE => self.next_tree(call.argument),
            SHARE_ALLOW => self.allow(call.argument),
            SHARE_RULES => self.rules(call.argument),
            SHARE_REMOVE => self.remove_named(call.argument),
            SHARE_OFFERS => self.set_offers(call.argument),
            _ => Err(ENOTTY),
        };
        if changes.contains(&call.command) {
            self.show_areas();
        }
        done
    }

    /// Returns the area with the name that a program means.
    pub(super) fn named_area(&self, bytes: &[u8; SHARE_NAME]) -> Result<Arc<Area>> {
        self.find(&name(bytes)?).ok_or(ENOENT)
    }

    /// `PAGESHARE_CREATE`.
    fn create(&self, argument: UserSlice) -> Result {
        let asked: ShareArea = argument.reader().read()?;
        check(asked.version, &asked.reserved)?;
        let (name, uuid) = (name(&asked.name)?, Uuid(asked.uuid));
        let limits = [asked.pages, asked.grants];
        let shared = (self.settings.clone(), self.overdue.clone());
        self.add(Area::new(shared, (name, uuid), limits)?)
    }

    /// `PAGESHARE_NEXT_AREA`.
    fn next_area(&self, argument: UserSlice) -> Result {
        let (mut reader, mut writer) = argument.reader_writer();
        let asked: ShareArea = reader.read()?;
        check(asked.version, &asked.reserved)?;
        let area = self.next(&name_or_none(&asked.name)?).ok_or(ENOENT)?;
        let totals = area.totals();
        let [pages, grants] = area.limits();
        writer.write(&ShareArea {
            version: SHARE_VERSION,
            pages,
            name: shown(area.name()),
            uuid: area.uuid().0,
            grants,
            trees: area.trees() as u32,
            referenced: totals.referenced,
            unique: totals.unique.into(),
            filled: totals.here.into(),
            granted: totals.grants.into(),
            attached: area.attached(),
            lent: area.lent(),
            offered: totals.offered.into(),
            spare: totals.spare.into(),
            got: area.counts().got(),
            read: area.counts().read(),
            ..ShareArea::default()
        })
    }

    /// `PAGESHARE_ADD`.
    fn add_tree(&self, argument: UserSlice) -> Result {
        let (mut reader, mut writer) = argument.reader_writer();
        let asked: ShareTree = reader.read()?;
        check(asked.version, &asked.reserved)?;
        let area = self.named_area(&asked.area)?;
        let name = name(&asked.name)?;
        let tree = area.load(name, Source::new(Backing::new(asked.file)?)?)?;
        writer.write(&ShareTree {
            digest: *tree.digest(),
            generation: tree.generation(),
            blocks: tree.blocks().into(),
            attached: 0,
            ..asked
        })
    }

    /// `PAGESHARE_NEXT_TREE`.
    fn next_tree(&self, argument: UserSlice) -> Result {
        let (mut reader, mut writer) = argument.reader_writer();
        let asked: ShareTree = reader.read()?;
        check(asked.version, &asked.reserved)?;
        let area = self.named_area(&asked.area)?;
        let tree = area.next(&name_or_none(&asked.name)?).ok_or(ENOENT)?;
        writer.write(&ShareTree {
            name: shown(tree.name()),
            digest: *tree.digest(),
            generation: tree.generation(),
            blocks: tree.blocks().into(),
            attached: tree.attached(),
            ..asked
        })
    }

    /// `PAGESHARE_ALLOW`.
    fn allow(&self, argument: UserSlice) -> Result {
        let asked: ShareRules = argument.reader().read()?;
        check(asked.version, &asked.reserved)?;
        let area = self.named_area(&asked.area)?;
        let len = asked.bytes as usize;
        if len > RULES_MAX {
            return Err(E2BIG);
        }
        let mut text = KVec::new();
        let from = UserSlice::new(UserPtr::from_addr(asked.text as usize), len);
        from.read_all(&mut text, GFP_KERNEL)?;
        area.allow(core::str::from_utf8(&text).map_err(|_| EINVAL)?)
    }

    /// `PAGESHARE_RULES`.
    fn rules(&self, argument: UserSlice) -> Result {
        let (mut reader, mut writer) = argument.reader_writer();
        let asked: ShareRules = reader.read()?;
        check(asked.version, &asked.reserved)?;
        let area = self.named_area(&asked.area)?;
        let text = area.rules()?;
        if text.len() > asked.bytes as usize {
            return Err(ENOSPC);
        }
        let to = UserSlice::new(UserPtr::from_addr(asked.text as usize), text.len());
        to.writer().write_slice(&text)?;
        writer.write(&ShareRules {
            bytes: text.len() as u32,
            ..asked
        })
    }

    /// `PAGESHARE_REMOVE`.
    fn remove_named(&self, argument: UserSlice) -> Result {
        let asked: ShareRemove = argument.reader().read()?;
        check(asked.version, &asked.reserved)?;
        if asked.reserved0 != 0 {
            return Err(EINVAL);
        }
        let area = self.named_area(&asked.area)?;
        match name_or_none(&asked.tree)? {
            Label::NONE => self.remove(area.name()),
            tree => area.unload(&tree),
        }
    }
}
