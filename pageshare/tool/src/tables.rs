// SPDX-License-Identifier: GPL-2.0

//! Tables for people.

use comfy_table::{CellAlignment, Table, presets::UTF8_BORDERS_ONLY};
use indicatif::HumanBytes;
use pageshare::area::format::BLOCK;

/// Returns a table without rows.
pub(super) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_header(header);
    table
}

/// Prints a table of names and figures.
pub(super) fn show(mut table: Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
}

/// Returns how much so many blocks are.
pub(super) fn bytes(blocks: u64) -> String {
    HumanBytes(blocks * BLOCK as u64).to_string()
}
