// SPDX-License-Identifier: GPL-2.0
//! Which pages of the tree's files a guest has in its page cache (`tests/xen/client/resident.c`), and what is in
//! them.

use super::tree::Tree;
use anyhow::{Context, Result};
use std::collections::HashSet;
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

/// How many different pages there are by what is in them, zeroes aside, and how many of the places have zeroes or
/// what another has as well.
pub fn unique(tree: &Tree, places: &HashSet<Place>) -> Result<(u64, u64)> {
    let mut contents = HashSet::new();
    for (path, page) in places {
        let bytes = content(tree, path, *page).with_context(|| path.clone())?;
        if bytes.iter().any(|byte| *byte != 0) {
            let mut hasher = DefaultHasher::new();
            hasher.write(&bytes);
            contents.insert(hasher.finish());
        }
    }
    let count = contents.len() as u64;
    Ok((count, places.len() as u64 - count))
}

/// What is in a page; zeroes behind the file's end.
fn content(tree: &Tree, path: &str, page: u64) -> Result<[u8; PAGE]> {
    let file = std::fs::File::open(tree.folder.join(path))?;
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
        let tree = Tree {
            folder: folder.path().into(),
            image: folder.path().into(),
        };
        let mut bytes = vec![1; 2 * PAGE];
        bytes.extend(vec![0; PAGE]);
        bytes.extend([2; 10]);
        std::fs::write(folder.path().join("a"), bytes).unwrap();
        let places = (0..4).map(|page| ("a".to_string(), page)).collect();
        assert_eq!(unique(&tree, &places).unwrap(), (2, 2));
    }
}
