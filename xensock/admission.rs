// SPDX-License-Identifier: GPL-2.0

//! The administrator's rules: which domains may connect to this one, and to which this one may.

use crate::{
    link::policy::{
        self,
        Rule,
        Uuid,
        Verdict, //
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
    page::PAGE_SIZE,
    prelude::*,
    str::CString,
    sync::Mutex, //
};

/// What a list of rules takes as text, in bytes, at the most: it shall be readable where it was
/// written, a page that ends with a newline. A longer text comes in pieces, of which each would
/// replace the one before.
const ROOM: usize = PAGE_SIZE - 1;

/// A list of rules, of which the first that fits decides.
#[pin_data]
pub(crate) struct Rules {
    #[pin]
    list: Mutex<KVec<Rule>>,
}

impl Rules {
    /// None.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            list <- new_mutex!(KVec::new()),
        })
    }

    /// Replaces the whole list by that of `text`, one rule a line, or leaves it as it is.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if a line is no rule, `E2BIG` if there are too many, `ENOMEM`.
    pub(crate) fn replace(&self, text: &str) -> Result {
        let mut list = KVec::new();
        for (at, rule) in (1..).zip(policy::rules(text)) {
            let rule = rule.map_err(|misread| {
                pr_notice!("rule {at} is none: {}; nothing changes\n", misread.why());
                EINVAL
            })?;
            list.push(rule, GFP_KERNEL)?;
        }
        let mut count = Count(0);
        write!(count, "{}", Listed(&list))?;
        if count.0.max(text.len()) >= ROOM {
            return Err(E2BIG);
        }

        let before = core::mem::replace(&mut *self.list.lock(), list);
        drop(before);
        Ok(())
    }

    /// Decides about `domain` and a port. `uuid` is asked only if a rule names one; `default`
    /// decides where no rule does.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn decide(
        &self,
        domain: DomId,
        port: u32,
        default: Verdict,
        uuid: impl FnOnce() -> Option<Uuid>,
    ) -> Verdict {
        let named = policy::name_uuids(&self.list.lock());
        let peer = policy::Peer {
            domain: domain.number(),
            // Where it has not been asked, a rule that names one denies.
            uuid: named.then(uuid).flatten(),
        };
        policy::decide(&self.list.lock(), default, &peer, port)
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Listed(&self.list.lock()).fmt(f)
    }
}

/// Rules as they are written, without the last newline.
struct Listed<'a>(&'a [Rule]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, rule) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{rule}")?;
        }
        Ok(())
    }
}

/// Counts bytes.
struct Count(usize);

impl Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// Returns the UUID that a domain's toolstack gave it, where this domain may know: xenstored tells
/// it to dom0 alone (`libxl__domain_make()`, `tools/libs/light/libxl_create.c` in Xen). dom0 has
/// none.
///
/// Context: process context, sleeps until xenstored has answered.
pub(crate) fn uuid(domain: DomId) -> Option<Uuid> {
    let directory = CString::try_from_fmt(fmt!("/local/domain/{domain}")).ok()?;
    let path = store::read(&directory, c"vm").ok()?;

    Uuid::parse(core::str::from_utf8(&path).ok()?.strip_prefix("/vm/")?)
}
