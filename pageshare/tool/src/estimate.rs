// SPDX-License-Identifier: GPL-2.0

//! `pageshare stat DIRECTORY`: what directories would take as trees of one area.

use crate::reading::read;
use crate::tables;
use anyhow::Result;
use comfy_table::Table;
use pageshare::area::format::Digest;
use pageshare::{Image, scan};
use std::collections::HashSet;
use std::path::Path;

/// A tree, beside those before it.
struct Row {
    directory: String,
    files: usize,
    referenced: u64,
    unique: u64,
    /// Blocks of content that no tree before it has.
    new: u64,
    metadata: u64,
    digest: Digest,
}

pub(super) fn run(directories: &[String]) -> Result<()> {
    let mut known = HashSet::new();
    let mut rows = Vec::new();
    for directory in directories {
        let directory = Path::new(directory);
        let files = scan(directory)?;
        let count = files.0.len();
        let image = read(directory, files)?;
        rows.push(row(directory, count, &image, &mut known));
    }
    tables::show(table(&rows));
    println!("{}", sum(&rows));
    Ok(())
}

fn row(directory: &Path, files: usize, image: &Image, known: &mut HashSet<Digest>) -> Row {
    let layout = image.superblock().layout();
    Row {
        directory: directory.display().to_string(),
        files,
        referenced: image.superblock().referenced(),
        unique: layout.data().blocks.into(),
        new: image
            .digests()
            .filter(|&&digest| known.insert(digest))
            .count() as u64,
        metadata: layout.metadata().into(),
        digest: *image.digest(),
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = tables::table([
        "directory",
        "files",
        "content",
        "each block once",
        "not in those before",
        "describes it",
        "digest",
    ]);
    for row in rows {
        let [a, b, c, d, ..] = row.digest;
        table.add_row([
            row.directory.clone(),
            row.files.to_string(),
            mib(row.referenced),
            mib(row.unique),
            mib(row.new),
            mib(row.metadata),
            format!("{a:02x}{b:02x}{c:02x}{d:02x}"),
        ]);
    }
    table
}

fn mib(blocks: u64) -> String {
    format!("{:.1} MiB", blocks as f64 / 256.0)
}

fn sum(rows: &[Row]) -> String {
    let apart: u64 = rows.iter().map(|row| row.referenced).sum();
    let together: u64 = rows.iter().map(|row| row.new + row.metadata).sum();
    let saved = match apart {
        0 => 0.0,
        _ => 100.0 * (1.0 - together as f64 / apart as f64),
    };
    format!(
        "{} of content take {} in one area: {saved:.1} % less.",
        mib(apart),
        mib(together)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_two_trees_have_is_counted_once() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        let megabyte: Vec<_> = (0..1 << 18u32).flat_map(u32::to_le_bytes).collect();
        write("one/file", &megabyte);
        write("two/other", &megabyte);
        write("two/same", &megabyte);
        let (mut known, mut rows) = (HashSet::new(), Vec::new());
        for name in ["one", "two"] {
            let directory = folder.path().join(name);
            let image = read(&directory, scan(&directory).unwrap()).unwrap();
            rows.push(row(&directory, 1, &image, &mut known));
        }
        let counts = |row: &Row| [row.referenced, row.unique, row.new];
        assert_eq!(counts(&rows[0]), [256, 256, 256]);
        assert_eq!(counts(&rows[1]), [512, 256, 0]);
        let text = sum(&rows);
        assert!(
            text.starts_with("3.0 MiB of content take 1.1 MiB in one area"),
            "{text}"
        );
        assert_eq!(
            sum(&[]),
            "0.0 MiB of content take 0.0 MiB in one area: 0.0 % less."
        );
        assert!(table(&rows).to_string().contains("1.0 MiB"));
    }
}
