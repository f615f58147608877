// SPDX-License-Identifier: GPL-2.0
//! dom0 as the owner of an area, and guests that mount it.

use anyhow::{Context, Result, ensure};
use bed::{Bed, Guest, Machine, place};
use std::time::Duration;

/// The area, and its tree where there is one only.
pub const AREA: &str = "bench";
pub const TREE: &str = "tree";
/// A guest may have more mapped than it reads: 256 MiB.
const PAGES: &str = "pages=65536";
/// Where a guest mounts it.
pub const MOUNT: &str = "/area";
/// For a program that reads a whole tree under emulation.
const LONG: Duration = Duration::from_secs(600);
/// Where the module tells what it has counted.
pub const SYSFS: &str = "/sys/class/misc/pageshare";
const MIB: u64 = 1 << 20;

/// Adds a program for a guest: `tests/xen/client/<name>.c`.
pub fn client(guest: Guest, name: &str) -> Result<Guest> {
    let folder = place::clone_path("build/client");
    std::fs::create_dir_all(&folder)?;
    let (source, program) = (
        place::clone_path(&format!("tests/xen/client/{name}.c")),
        folder.join(name),
    );
    duct::cmd!(
        "gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-s", "-o", &program, &source
    )
    .run()
    .with_context(|| format!("compile {}", source.display()))?;
    Ok(guest.file(program, &format!("bin/{name}")))
}

/// Runs a line in a machine's shell; answers what it prints.
pub fn shell(machine: &Machine<'_>, line: &str) -> Result<String> {
    let line = format!("PATH=$PATH:/bed\n{line}");
    let output = machine.run_within(&["sh", "-ec", &line], LONG)?;
    Ok(output.ok()?.stdout)
}

/// Memory that nobody uses in a machine, in KiB, once what could be read again is dropped. `MemFree` is without
/// the pages that processors keep for themselves, which are many or few.
pub fn free_kb(machine: &Machine<'_>) -> Result<u64> {
    shell(machine, "sync; echo 3 > /proc/sys/vm/drop_caches; sleep 1")?;
    let zones = machine.read("/proc/zoneinfo")?;
    Ok(pages_in(&zones) * 4)
}

/// The pages in `/proc/zoneinfo` that nobody uses: `pages free N` of each zone, `count: N` of each processor there.
fn pages_in(zones: &str) -> u64 {
    let words: Vec<&str> = zones.split_whitespace().collect();
    let counts = words.windows(3).filter_map(|words| match words {
        ["pages", "free", number] | [_, "count:", number] => number.parse::<u64>().ok(),
        _ => None,
    });
    counts.sum()
}

/// The number behind a word in a text, in the last line that has it.
pub fn number_after(text: &str, word: &str) -> Result<u64> {
    let mut rests = text.lines().rev().filter_map(|line| line.split_once(word));
    let rest = rests.next().map_or("", |(_, rest)| rest.trim_start());
    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next();
    let number = digits.and_then(|digits| digits.parse().ok());
    number.with_context(|| format!("no number behind {word:?}"))
}

/// Loads the module in a guest, and mounts a tree.
pub fn mount(guest: &Machine<'_>, tree: &str) -> Result<()> {
    guest.insmod("pageshare", &[PAGES])?;
    shell(
        guest,
        &format!("mkdir -p {MOUNT}; mount -t pageshare -o owner=0 {AREA}/{tree} {MOUNT}"),
    )
    .map(drop)
}

/// Sectors of 512 bytes that were read from a disk.
pub fn sectors(machine: &Machine<'_>, disk: &str) -> Result<u64> {
    let text = machine.read(&format!("/sys/block/{disk}/stat"))?;
    let word = text.split_whitespace().nth(2);
    Ok(word.context("no sectors")?.parse()?)
}

/// dom0.
pub struct Dom0<'a> {
    pub machine: Machine<'a>,
}

impl<'a> Dom0<'a> {
    pub fn of(bed: &'a Bed) -> Self {
        let machine = bed.dom0();
        Self { machine }
    }

    /// Creates the area, of which members may map so much, with a directory as its tree.
    pub fn share(&self, directory: &str, mapped_mib: u32) -> Result<()> {
        self.machine.insmod("pageshare", &[])?;
        let told = shell(
            &self.machine,
            &format!(
                "pageshare create --size 1024 --mapped {mapped_mib} {AREA}
                 pageshare allow {AREA} 'allow *'
                 pageshare add {AREA}/{TREE} {directory}
                 pageshare ls"
            ),
        )?;
        println!("{}", told.trim_end());
        Ok(())
    }

    /// Has the kernel drop what it could read again: `1` is files' pages, `3` everything.
    pub fn drop_caches(&self, what: &str) -> Result<()> {
        let line = format!("sync; echo {what} > /proc/sys/vm/drop_caches");
        shell(&self.machine, &line).map(drop)
    }

    /// Memory that neither a domain has nor Xen, in bytes.
    pub fn free(&self) -> Result<u64> {
        let text = shell(
            &self.machine,
            "xl debug-keys m; sleep 1; xl dmesg | tail -n 60",
        )?;
        ensure!(
            text.contains("Physical memory information"),
            "Xen says nothing"
        );
        let kb = number_after(&text, "Xen heap:")? + number_after(&text, "Dom heap:")?;
        let dma = number_after(&text, "DMA heap:").unwrap_or(0);
        Ok((kb + dma) * 1024)
    }
}

/// So many MiB.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_behind_words() {
        let text = "(XEN)     Xen heap: 12kB free\n(XEN)  Dom heap: 7kB free\nXen heap: 34kB free";
        assert_eq!(number_after(text, "Xen heap:").unwrap(), 34);
        assert_eq!(number_after(text, "Dom heap:").unwrap(), 7);
        assert_eq!(number_after("MemFree:    5 kB\n", "MemFree:").unwrap(), 5);
        assert!(number_after(text, "DMA heap:").is_err());
    }

    #[test]
    fn pages_that_nobody_uses() {
        let zone = "Node 0, zone DMA32\n  per-node stats\n      nr_free_cma 9\n  pages free     70\n        boost 0\n\
            nr_free_pages 70\n  pagesets\n    cpu: 0\n              count:    5\n              high:     30\n";
        assert_eq!(pages_in(&zone.repeat(2)), 150);
    }
}
