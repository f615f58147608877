// SPDX-License-Identifier: GPL-2.0

//! Words in memory that is shared: where they are, and where there are none.

use crate::xen::{
    domain::DomId,
    grant::Granted,
    shared::Word32,
    words::Words, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

const LEN: usize = 256;
const LAST: usize = PAGE_SIZE - LEN;

/// Two pages that dom0 could map.
fn memory() -> Result<Arc<Granted>> {
    let dom0 = DomId::new(0).ok_or(EINVAL)?;
    Ok(Arc::new(Granted::new(dom0, 2, GFP_KERNEL)?, GFP_KERNEL)?)
}

#[kunit_tests(xen_words)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_the_memory() -> Result {
        let memory = memory()?;
        for at in [0, LAST, PAGE_SIZE, PAGE_SIZE + LAST] {
            let words = Words::<_, LEN>::new(memory.clone(), at);
            let (word, same) = (words.word32(LEN - 4), memory.word32(at + LEN - 4));
            word.ok_or(EINVAL)?.store(at as u32 + 7);
            assert_eq!(same.map(Word32::load), Some(at as u32 + 7));
            let word = words.word64(LEN - 8).ok_or(EINVAL)?;
            assert_eq!(word.load() >> 32, at as u64 + 7);
        }
        Ok(())
    }

    #[test]
    fn none_is_beyond_them() -> Result {
        let words = Words::<_, LEN>::new(memory()?, LAST);
        for at in [2, LEN - 2, LEN, usize::MAX - 3] {
            assert!(words.word32(at).is_none());
        }
        for at in [4, LEN - 4, LEN, usize::MAX - 7] {
            assert!(words.word64(at).is_none());
        }
        Ok(())
    }

    #[test]
    fn there_are_none_across_pages_or_outside() -> Result {
        let memory = memory()?;
        for at in [LAST + 8, 4, 2 * PAGE_SIZE, usize::MAX - 7] {
            let words = Words::<_, LEN>::new(memory.clone(), at);
            assert!(words.word32(0).is_none());
            assert!(words.word64(0).is_none());
        }
        Ok(())
    }
}
