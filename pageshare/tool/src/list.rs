// SPDX-License-Identifier: GPL-2.0

//! `pageshare ls`: areas, trees and members.

use crate::areas::{device, hex};
use crate::tables::{bytes, show, table};
use anyhow::Result;
use comfy_table::Table;
use pageshare_calls::{Area, Device, Name};

/// Shows all areas, trees and members.
pub(super) fn run() -> Result<()> {
    let device = device(false)?;
    let mut areas = table([
        "area",
        "trees",
        "content",
        "each page once",
        "in memory",
        "mapped",
        "mounts",
        "lent",
        "offered",
        "saved",
        "not read",
    ]);
    let mut trees = table(["tree", "size", "mounts", "version", "digest"]);
    let mut last = Name::default();
    while let Some(area) = device.next_area(last)? {
        areas.add_row(row(&area));
        add_trees(&device, &area, &mut trees)?;
        last = area.name;
    }
    show(areas);
    show(trees);
    show(members(&device)?);
    Ok(())
}

/// Adds a row for each tree of an area.
fn add_trees(device: &Device, area: &Area, trees: &mut Table) -> Result<()> {
    let mut last = Name::default();
    while let Some(tree) = device.next_tree(area.name, last)? {
        trees.add_row([
            format!("{}/{}", area.name.text(), tree.name.text()),
            bytes(tree.blocks),
            tree.attached.to_string(),
            tree.generation.to_string(),
            hex(&tree.digest),
        ]);
        last = tree.name;
    }
    Ok(())
}

/// Returns a row for each member.
fn members(device: &Device) -> Result<Table> {
    let mut members = table(["domain", "mounts", "mapped", "may map"]);
    let mut last = 0;
    while let Some(member) = device.next_member(last)? {
        members.add_row([
            member.domain.to_string(),
            member.mounts.to_string(),
            bytes(member.granted),
            bytes(member.pages),
        ]);
        last = member.number;
    }
    Ok(members)
}

/// Shows all areas, for scripts.
pub(super) fn raw() -> Result<()> {
    let device = device(false)?;
    let mut last = Name::default();
    while let Some(area) = device.next_area(last)? {
        let Area {
            name,
            trees,
            referenced,
            unique,
            filled,
            granted,
            attached,
            lent,
            offered,
            spare,
            got,
            read,
            ..
        } = area;
        let name = name.text();
        let figures = [
            trees.into(),
            referenced,
            unique,
            filled,
            granted,
            attached,
            lent,
            offered,
            spare,
            got,
            read,
        ];
        println!(
            "{name}\t{}",
            figures.map(|figure| figure.to_string()).join("\t")
        );
        last = area.name;
    }
    Ok(())
}

fn row(area: &Area) -> [String; 11] {
    // Of each page that members have, all but one.
    let saved = area.granted.saturating_sub(area.filled - area.spare);
    [
        area.name.text(),
        area.trees.to_string(),
        bytes(area.referenced),
        bytes(area.unique),
        bytes(area.filled),
        bytes(area.granted),
        area.attached.to_string(),
        bytes(area.lent),
        bytes(area.offered),
        bytes(saved),
        bytes(area.got.saturating_sub(area.read)),
    ]
}
