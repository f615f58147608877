// SPDX-License-Identifier: GPL-2.0
//! A tree of Debian's files that guests read from an area of dom0's, beside the same tree on a private disk of
//! each guest's: what memory of the host it takes, what is read from the disk, what a read and a fault cost.

mod instructions;
mod overhead;
mod places;
mod releases;
mod resident;
mod saved;
mod tree;
mod warm;
mod watch;

use crate::metric::Metric;
use anyhow::{Context, Result};
use bed::{Bed, Guest, Host};
use clap::ValueEnum;
use instructions::Marks;
use places::{AREA, Dom0, TREE, client};
use saved::Mix;
use std::path::Path;
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
    /// With one of two releases each, and the same data.
    Mixed,
    /// With one of two releases each, and data of their own.
    Control,
}

impl Group {
    /// Which trees its guests have, if it is about what they save.
    fn mix(self) -> Option<Mix> {
        match self {
            Self::Warm | Self::Overhead => None,
            Self::Same => Some(Mix::Same),
            Self::Mixed => Some(Mix::Mixed),
            Self::Control => Some(Mix::Control),
        }
    }
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
const LIMIT: Duration = Duration::from_secs(5400);
const DOM0_MIB: u32 = 640;

/// Measures, in one boot what one guest tells, and in another each what several do. What was found is answered,
/// and why the rest is missing.
pub fn run(options: &Options) -> Result<(Vec<Metric>, Vec<anyhow::Error>)> {
    let wanted = |group: &Group| options.only.is_empty() || options.only.contains(group);
    let (mut metrics, mut failures) = (Vec::new(), Vec::new());
    let groups = (wanted(&Group::Warm), wanted(&Group::Overhead));
    if groups != (false, false) {
        if let Err(error) = one(options, groups, &mut metrics) {
            failures.push(error.context("one guest"));
        }
    }
    for group in Group::value_variants().iter().filter(|group| wanted(group)) {
        if let Some(mix) = group.mix() {
            if let Err(error) = saved::measure(options, mix, &mut metrics) {
                failures.push(error.context(format!("several guests, {}", mix.name())));
            }
        }
    }
    Ok((metrics, failures))
}

/// What one guest tells that has both: the private disk and the area.
fn one(options: &Options, (warm, overhead): (bool, bool), metrics: &mut Vec<Metric>) -> Result<()> {
    println!("one guest: booting");
    let tree = Tree::make(options.data_mib)?;
    let marks = (warm && options.accel.starts_with("tcg")).then(Marks::prepare);
    let marks = marks.transpose()?;
    let guest = client(Guest::pvh(READER).tools().module("pageshare"), "warm")?;
    let mut host = host(options, &tree.image)?.guest(guest);
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
        places::mount(&guest, TREE)?;
    }
    match &marks {
        Some(marks) => metrics.extend(warm::measure(&guest, marks, options.rounds)?),
        None if warm => println!("instructions are counted under TCG only"),
        None => {}
    }
    bed.power_off();
    Ok(())
}

/// A machine whose dom0 has a disk below `/tools`, and can own areas.
fn host(options: &Options, image: &Path) -> Result<Host> {
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
        .tools_image(image))
}
