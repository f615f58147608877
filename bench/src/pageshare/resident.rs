// SPDX-License-Identifier: GPL-2.0
//! Which pages of a tree's files a guest has in its page cache (`tests/xen/client/resident.c`), and what is in
//! them.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::os::unix::fs::FileExt;

const PAGE: usize = 4096;

/// A page of a file: its path in the tree, its number.
pub type Place = (String, u64);

/// The pages that the program has told of.
pub fn parse(text: &str) -> Result<HashSet<Place>> {
    let mut pages = HashSet::new();
    for line in text.lines() {
        let (ranges, path) = line.split_once('\t').context("no path")?;
        for range in ranges.split(',') {
            let (first, last) = range.split_once('-').context("no range")?;
            let (first, last): (u64, u64) = (first.parse()?, last.parse()?);
            pages.extend((first..=last).map(|page| (path.to_string(), page)));
        }
    }
    Ok(pages)
}

/// What is in pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// All that there is, zeroes aside, each once.
    pub different: HashSet<u64>,
    /// Pages that have what another has as well.
    pub again: u64,
    /// Pages of zeroes.
    pub zeroes: u64,
}

impl Contents {
    /// Reads pages.
    pub fn read(places: &HashSet<Place>, open: impl Fn(&str) -> Result<File>) -> Result<Self> {
        let mut files: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for (path, page) in places {
            files.entry(path).or_default().push(*page);
        }
        let mut this = Self::default();
        for (path, pages) in files {
            let file = open(path)?;
            for page in pages {
                this.take(&content(&file, page).with_context(|| path.to_string())?);
            }
        }
        Ok(this)
    }

    fn take(&mut self, bytes: &[u8; PAGE]) {
        if bytes.iter().all(|byte| *byte == 0) {
            self.zeroes += 1;
            return;
        }
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        if !self.different.insert(hasher.finish()) {
            self.again += 1;
        }
    }
}

/// What is in a page; zeroes behind the file's end.
fn content(file: &File, page: u64) -> Result<[u8; PAGE]> {
    let mut bytes = [0; PAGE];
    let mut filled = 0;
    while filled < PAGE {
        match file.read_at(&mut bytes[filled..], page * PAGE as u64 + filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_pages() {
        let pages = parse("0-1,7-7\tusr/a\n3-3\tb c\n").unwrap();
        let wanted = [("usr/a", 0), ("usr/a", 1), ("usr/a", 7), ("b c", 3)];
        assert_eq!(pages.len(), wanted.len());
        for (path, page) in wanted {
            assert!(pages.contains(&(path.to_string(), page)));
        }
        assert!(parse("0-1").is_err());
        assert!(parse("x\ty").is_err());
    }

    #[test]
    fn equal_pages_count_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = vec![1; 2 * PAGE];
        bytes.extend(vec![0; PAGE]);
        bytes.extend([2; 10]);
        std::fs::write(folder.path().join("a"), bytes).unwrap();
        let places = (0..4).map(|page| ("a".to_string(), page)).collect();
        let open = |path: &str| Ok(File::open(folder.path().join(path))?);
        let found = Contents::read(&places, open).unwrap();
        assert_eq!(
            (found.different.len(), found.again, found.zeroes),
            (2, 1, 1)
        );
    }
}
