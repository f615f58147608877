// SPDX-License-Identifier: GPL-2.0

//! `pageshare stat AREA[/TREE]`: what members have of an area or a tree, and what that saves.

use crate::areas::names;
use crate::tables::{bytes, show, table};
use anyhow::{Context, Result};
use indicatif::HumanBytes;
use pageshare_calls::Name;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the module has a folder for each area.
const AREAS: &str = "/sys/class/misc/pageshare/areas";

/// An area, or a tree of one.
pub(super) struct Place {
    name: String,
    folder: PathBuf,
}

/// Returns the area or tree that a name means, if there is one.
pub(super) fn find(source: &str) -> Option<Place> {
    let (area, tree) = names(source).ok()?;
    let mut folder = Path::new(AREAS).join(area.text());
    if tree != Name::default() {
        folder = folder.join("trees").join(tree.text());
    }
    folder.is_dir().then(|| Place {
        name: source.into(),
        folder,
    })
}

/// Shows areas, each with its trees, and trees.
pub(super) fn run(places: &[Place]) -> Result<()> {
    let mut figures = table([
        "",
        "content",
        "each page once",
        "in memory",
        "mapped",
        "mounts",
        "got",
        "not read",
        "saved",
    ]);
    for place in places {
        figures.add_row(row(place)?);
        for tree in trees(place)? {
            figures.add_row(row(&tree)?);
        }
    }
    show(figures);
    Ok(())
}

/// Returns the trees of an area, in the order of their names.
fn trees(area: &Place) -> Result<Vec<Place>> {
    let folder = area.folder.join("trees");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut trees = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        trees.push(Place {
            name: format!("{}/{}", area.name, entry.file_name().to_string_lossy()),
            folder: entry.path(),
        });
    }
    trees.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(trees)
}

fn row(place: &Place) -> Result<[String; 9]> {
    let figure = |name: &str| -> Result<u64> {
        let path = place.folder.join(name);
        let shown = || path.display().to_string();
        let text = fs::read_to_string(&path).with_context(shown)?;
        text.trim().parse().with_context(shown)
    };
    let pages = |name: &str| figure(name).map(bytes);
    let kib = |name: &str| figure(name).map(|kib| HumanBytes(kib * 1024).to_string());
    Ok([
        place.name.clone(),
        pages("referenced")?,
        pages("unique")?,
        pages("in_memory")?,
        pages("mapped")?,
        figure("mounts")?.to_string(),
        pages("got")?,
        kib("io_avoided_kb")?,
        kib("saved_kb")?,
    ])
}
