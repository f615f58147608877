// SPDX-License-Identifier: GPL-2.0
//! Instructions between two marks, counted by a plugin of QEMU's (`tests/xen/emulator/instructions.c`).

use crate::plugin::Plugin;
use anyhow::{Result, bail, ensure};

/// Numbers of marks.
const BEGIN: u64 = 1;
const END: u64 = 2;

/// The plugin, which tells of marks.
pub struct Marks(Plugin);

/// What was executed between two marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// By the guest, its kernel and its programs.
    pub guest: u64,
    /// By Xen, on the same processor.
    pub xen: u64,
}

impl Marks {
    /// Compiles the plugin.
    pub fn prepare() -> Result<Self> {
        Ok(Self(Plugin::prepare("instructions")?))
    }

    /// For QEMU's command line.
    pub fn words(&self) -> Vec<String> {
        self.0.words()
    }

    /// How many marks there were.
    pub fn count(&self) -> Result<usize> {
        Ok(std::fs::read_to_string(&self.0.out)?.lines().count())
    }

    /// The stretches between pairs of marks, without those of the first so many marks.
    pub fn stretches(&self, from: usize) -> Result<Vec<Stretch>> {
        let text = std::fs::read_to_string(&self.0.out)?;
        let lines: Vec<&str> = text.lines().skip(from).collect();
        lines.chunks(2).map(stretch).collect()
    }
}

/// Lines are numbers: of the mark, of the processor, counts of others and of Xen.
fn stretch(pair: &[&str]) -> Result<Stretch> {
    let fields = |line: &&str| -> Result<Vec<u64>> {
        let words = line.split(' ').map(|word| Ok(word.parse()?));
        words.collect()
    };
    let pair: Vec<Vec<u64>> = pair.iter().map(fields).collect::<Result<_>>()?;
    let [begin, end] = &pair[..] else {
        bail!("a mark has no other");
    };
    let (&[first, on, from, xen_from], &[last, then_on, to, xen_to]) = (&begin[..], &end[..])
    else {
        bail!("{pair:?} are no marks");
    };
    ensure!((first, last) == (BEGIN, END), "{pair:?} are not in order");
    ensure!(on == then_on, "the guest has changed its processor");
    Ok(Stretch {
        guest: to - from,
        xen: xen_to - xen_from,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_marks() {
        let found = stretch(&["1 2 100 10", "2 2 400 11"]).unwrap();
        assert_eq!(found, Stretch { guest: 300, xen: 1 });
        let bad = [
            ["1 2 1 1", "2 3 2 2"],
            ["2 2 1 1", "1 2 2 2"],
            ["1 2 1 1", "2 2"],
        ];
        for pair in bad {
            assert!(stretch(&pair).is_err(), "{pair:?}");
        }
        assert!(stretch(&["1 2 1 1"]).is_err());
    }
}
