// SPDX-License-Identifier: GPL-2.0
//! A tree of Debian's files that guests read from an area of dom0's, beside the same tree on a private disk of
//! each guest's: what memory of the host it takes, what is read from the disk, what a read and a fault cost.

mod instructions;
mod overhead;
mod places;
mod resident;
mod same;
mod tree;
mod warm;

use crate::metric::Metric;
use anyhow::{Context, Result};
use bed::{Bed, Guest, Host};
use instructions::Marks;
use places::{AREA, Dom0, client};
use std::time::Duration;
use tree::Tree;

/// What is measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Group {
    /// Instructions of reads and faults.
    Warm,
    /// Memory for the account of what is mapped.
    Overhead,
    /// Guests with the same tree: the host's memory, sectors, time.
    Same,
}

/// What to measure, and how.
pub struct Options {
    /// QEMU's accelerator.
    pub accel: String,
    /// Rounds, instead of each group's own number.
    pub rounds: Option<usize>,
    /// Only these, or all if there are none.
    pub only: Vec<Group>,
    /// Up to so many guests at once.
    pub guests: u32,
    /// The size of the file that all of them read and map.
    pub data_mib: u32,
}

/// The guest that has the private disk and the area.
const READER: &str = "reader";
const LIMIT: Duration = Duration::from_secs(2400);
const DOM0_MIB: u32 = 512;

/// Measures, in one boot what one guest tells, and in another what several do. What was found is answered, and
/// why the rest is missing.
pub fn run(options: &Options) -> Result<(Vec<Metric>, Vec<anyhow::Error>)> {
    let wanted = |group| options.only.is_empty() || options.only.contains(&group);
    let tree = Tree::make(options.data_mib)?;
    let (mut metrics, mut failures) = (Vec::new(), Vec::new());
    if wanted(Group::Warm) || wanted(Group::Overhead) {
        let groups = (wanted(Group::Warm), wanted(Group::Overhead));
        if let Err(error) = one(options, &tree, groups, &mut metrics) {
            failures.push(error.context("one guest"));
        }
    }
    if wanted(Group::Same) {
        if let Err(error) = same::measure(options, &tree, &mut metrics) {
            failures.push(error.context("guests with the same tree"));
        }
    }
    Ok((metrics, failures))
}

/// What one guest tells that has both: the private disk and the area.
fn one(
    options: &Options,
    tree: &Tree,
    (warm, overhead): (bool, bool),
    metrics: &mut Vec<Metric>,
) -> Result<()> {
    println!("one guest: booting");
    let marks = (warm && options.accel.starts_with("tcg")).then(Marks::prepare);
    let marks = marks.transpose()?;
    let guest = client(Guest::pvh(READER).tools().module("pageshare"), "warm")?;
    let mut host = host(options, tree)?.guest(guest);
    if let Some(marks) = &marks {
        host = host.emulator(&marks.words());
    }
    let bed = Bed::boot(host)?;
    let dom0 = Dom0::of(&bed);
    dom0.share("/tools/data", options.data_mib + 16)?;
    let guest = bed.guest(READER)?;
    if overhead {
        // Before anything else is mapped.
        metrics.extend(overhead::measure(&dom0, &guest, options)?);
    } else {
        places::mount(&guest)?;
    }
    match &marks {
        Some(marks) => metrics.extend(warm::measure(&guest, marks, options.rounds)?),
        None if warm => println!("instructions are counted under TCG only"),
        None => {}
    }
    bed.power_off();
    Ok(())
}

/// A machine whose dom0 has the tree below `/tools`, and can own areas.
fn host(options: &Options, tree: &Tree) -> Result<Host> {
    let tool = bed::place::beside("pageshare").context("the command pageshare")?;
    // dom0 stays off the processor of the guests, and may grant all that they map.
    let xen = "dom0_vcpus_pin gnttab_max_frames=1024";
    Ok(Host::new("bench")
        .accel(&options.accel)
        .limit(LIMIT)
        .dom0_mib(DOM0_MIB)
        .cmdline(xen, "")
        .dom0_module("pageshare")
        .file(tool, "pageshare")
        .tools_image(&tree.image))
}
