// SPDX-License-Identifier: GPL-2.0

//! Instead of the driver's `frame`: a page may have another content than it should, and get another one
//! after it was granted. So each grant has a page of its own.

#[path = "../../../rust/xen/frame.rs"]
pub mod honest;

pub use honest::Overdue;

use crate::{
    kept,
    mutate,
    wrong::What,
    xen::{
        domain::DomId,
        honest::grant::Granted, //
    }, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// As the driver's, but for its content.
pub struct Frame {
    content: KVec<u8>,
    grants: KVec<Arc<Granted>>,
}

impl Frame {
    /// As the driver's.
    ///
    /// # Errors
    ///
    /// As the driver's.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        let mut content = KVec::from_elem(0, PAGE_SIZE, GFP_KERNEL)?;
        let to = content.get_mut(..bytes.len()).ok_or(EINVAL)?;
        to.copy_from_slice(bytes);
        Ok(Self {
            content,
            grants: KVec::new(),
        })
    }

    /// As the driver's; the content may be another one.
    ///
    /// # Errors
    ///
    /// As the driver's.
    pub fn grant(&mut self, domain: DomId) -> Result<u32> {
        let grant = Granted::new(domain, 1, GFP_KERNEL)?;
        grant.write(0, &self.content)?;
        if mutate::strikes(What::Content) {
            let at = mutate::below(PAGE_SIZE as u64 / 4) as usize * 4;
            grant.write(at, &(mutate::below(u64::MAX) as u32).to_le_bytes())?;
        }
        let reference = grant.refs().first().copied().ok_or(EINVAL)?;
        let grant = Arc::new(grant, GFP_KERNEL)?;
        kept::may_alter(&grant);
        self.grants.push(grant, GFP_KERNEL)?;
        Ok(reference)
    }

    /// As the driver's, but the kernel keeps what is still mapped.
    pub fn end(&mut self, reference: u32) -> Option<Overdue> {
        self.grants.retain(|grant| grant.refs() != [reference]);
        None
    }
}
