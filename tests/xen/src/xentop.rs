// SPDX-License-Identifier: GPL-2.0
//! xentop's table: the one place where the tool stack shows memory to the KiB.

use anyhow::{Context, Result};

/// Memory of a domain in KiB.
pub fn memory_kib(table: &str, name: &str) -> Result<u64> {
    // The state's column may be blank or in two parts: cells are found by where the heading ends.
    let head = table
        .lines()
        .find(|line| line.contains("MEM(k)"))
        .context("xentop shows no memory")?;
    let end = head.find("MEM(k)").unwrap_or_default() + "MEM(k)".len();
    let row = table
        .lines()
        .find(|line| line.split_whitespace().next() == Some(name));
    let row = row.with_context(|| format!("xentop does not show {name}"))?;
    let cell = row
        .get(..end)
        .and_then(|cells| cells.split_whitespace().last());
    cell.and_then(|cell| cell.parse().ok())
        .with_context(|| format!("xentop: no memory in {row:?}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_table() {
        let table = "      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%)\n\
                     \x20 Domain-0 -----r         22    0.0    1048432   33.3    1048576      33.3\n\
                     \x20     pvh1 --b---          1    0.0     262140    8.3     263168       8.4\n";
        assert_eq!(super::memory_kib(table, "pvh1").unwrap(), 262140);
        assert!(super::memory_kib(table, "pv1").is_err());
    }
}
