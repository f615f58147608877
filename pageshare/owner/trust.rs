// SPDX-License-Identifier: GPL-2.0

//! Who may attach to an area.

use crate::{
    area::{
        policy::{
            self,
            Peer,
            Rule, //
        },
        trust,
        wire::Uuid, //
    },
    xen::{
        domain::DomId,
        store, //
    }, //
};
use core::fmt::{
    self,
    Write, //
};
use kernel::{
    new_mutex,
    prelude::*,
    str::CString,
    sync::Mutex, //
};

/// The rules of an area. Without any nobody may attach.
#[pin_data]
pub(super) struct Rules {
    #[pin]
    list: Mutex<KVec<Rule>>,
}

impl Rules {
    /// None.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            list <- new_mutex!(KVec::new()),
        })
    }

    /// Replaces them all by those of `text`, one a line, or leaves them as they are.
    ///
    /// # Errors
    ///
    /// `EINVAL` if a line is no rule, `ENOMEM`.
    pub(super) fn replace(&self, text: &str) -> Result {
        let mut list = KVec::new();
        for rule in trust::rules(text) {
            list.push(rule.map_err(|_| EINVAL)?, GFP_KERNEL)?;
        }
        let before = core::mem::replace(&mut *self.list.lock(), list);
        drop(before);
        Ok(())
    }

    /// Returns them, one a line.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn text(&self) -> Result<KVec<u8>> {
        let mut text = Text(KVec::new());
        for rule in self.list.lock().iter() {
            writeln!(text, "{rule}").map_err(|_| ENOMEM)?;
        }
        Ok(text.0)
    }

    /// Whether a domain may attach.
    ///
    /// Context: process context, sleeps until xenstored has answered where a rule names a UUID.
    pub(super) fn allow(&self, domain: DomId) -> bool {
        let named = policy::name_uuids(&self.list.lock());
        let peer = Peer {
            domain: domain.number(),
            // Where it has not been asked, a rule that names one denies.
            uuid: named.then(|| uuid(domain)).flatten(),
        };
        trust::may_attach(&self.list.lock(), &peer)
    }
}

/// Text that grows.
struct Text(KVec<u8>);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let added = self.0.extend_from_slice(text.as_bytes(), GFP_KERNEL);
        added.map_err(|_| fmt::Error)
    }
}

/// Returns the UUID that a domain's toolstack gave it, where this domain may know: xenstored tells
/// it to dom0 alone (`libxl__domain_make()`, `tools/libs/light/libxl_create.c` in Xen).
fn uuid(domain: DomId) -> Option<Uuid> {
    let directory = CString::try_from_fmt(fmt!("/local/domain/{domain}")).ok()?;
    let path = store::read(&directory, c"vm").ok()?;

    Uuid::parse(core::str::from_utf8(&path).ok()?.strip_prefix("/vm/")?)
}
