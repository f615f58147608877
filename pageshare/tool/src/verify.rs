// SPDX-License-Identifier: GPL-2.0

//! `pageshare verify`: whether the files that trees are kept in have what members are promised.

use crate::areas::{device, hex, names};
use crate::reading::bar;
use anyhow::{Context, Result, ensure};
use clap::Args;
use indicatif::{HumanBytes, ProgressBar};
use pageshare::area::format::BLOCK;
use pageshare::area::tree::Blocks;
use pageshare::check;
use pageshare_calls::{Name, Tree};
use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A tree, or all of an area.
#[derive(Args)]
pub(super) struct Verify {
    /// AREA or AREA/TREE.
    #[arg(value_name = "AREA[/TREE]")]
    source: String,
    /// Where trees are kept.
    #[arg(long, default_value = crate::areas::STATE)]
    state: PathBuf,
}

/// A file with the blocks of a tree, one after the other.
struct Kept {
    file: File,
    /// Those that were read.
    seen: RefCell<Vec<bool>>,
    bar: ProgressBar,
}

impl Blocks for Kept {
    type Error = io::Error;

    fn read(&self, block: u32, offset: usize, to: &mut [u8]) -> io::Result<()> {
        if let Some(seen) = self.seen.borrow_mut().get_mut(block as usize) {
            self.bar.inc(if *seen { 0 } else { BLOCK as u64 });
            *seen = true;
        }
        let at = u64::from(block) * BLOCK as u64 + offset as u64;
        self.file.read_exact_at(to, at)
    }
}

impl Verify {
    pub(super) fn run(&self) -> Result<()> {
        let (area, wanted) = names(&self.source)?;
        let device = device(false)?;
        let (mut at, mut seen, mut wrong) = (Name::default(), 0, 0);
        while let Some(tree) = device.next_tree(area, at).context(self.source.clone())? {
            at = tree.name;
            if wanted != Name::default() && wanted != tree.name {
                continue;
            }
            seen += 1;
            if let Err(error) = verify(&self.state.join(area.text()), &tree) {
                wrong += 1;
                eprintln!("{}/{}: {error:#}", area.text(), tree.name.text());
            }
        }
        ensure!(seen > 0, "{}: there is no tree", self.source);
        ensure!(
            wrong == 0,
            "{wrong} of {seen} trees are not what they should be"
        );
        Ok(())
    }
}

/// Reads all of a tree's file, and tells what there is in it.
fn verify(folder: &Path, tree: &Tree) -> Result<()> {
    let path = folder.join(tree.name.text());
    let file = File::open(&path).with_context(|| path.display().to_string())?;
    let bar = bar(tree.blocks * BLOCK as u64, &path)?;
    let kept = Kept {
        file,
        seen: RefCell::new(vec![false; tree.blocks as usize]),
        bar: bar.clone(),
    };
    let found = check(kept, &tree.digest);
    bar.finish_and_clear();
    let found = found?;
    println!(
        "{} {}: {} directories, {} files of {}",
        hex(&tree.digest),
        tree.name.text(),
        found.directories,
        found.regular + found.other,
        HumanBytes(found.bytes)
    );
    Ok(())
}
