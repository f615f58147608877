// SPDX-License-Identifier: GPL-2.0
//! Shared areas: one domain keeps trees of files, others mount them.

mod disk;
mod fate;
mod files;
pub mod hostile;
pub mod images;
mod limits;
mod offered;
mod refusals;
mod returns;
pub mod root;
mod sight;
pub mod torture;
mod trees;

use anyhow::{Context, Result, ensure};
use bed::{Bed, Machine, Program};
use std::time::{Duration, Instant};

const DOM0: &str = "dom0";
const LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(100);

/// Where trees are made, and where they are kept.
const MADE: &str = "/tmp/made";
const STATE: &str = "/tmp/trees";
/// Where they are mounted.
const MOUNT: &str = "/tmp/mount";

/// An owner and a member.
pub type Pair = (&'static str, &'static str);

const ALL: &[Pair] = &[("dom0", "pv1"), ("dom0", "pvh1"), ("pv1", "pvh1")];
const FROM_DOM0: &[Pair] = &[("dom0", "pv1"), ("dom0", "pvh1")];
const ONE: &[Pair] = &[("dom0", "pvh1")];

/// A scenario.
pub struct Scenario {
    /// Begins with `pageshare_`.
    pub name: &'static str,
    /// Between whom it runs.
    pub pairs: &'static [Pair],
    run: fn(&Ends<'_>) -> Result<()>,
}

/// All there are.
pub const SCENARIOS: [Scenario; 28] = [
    scenario("pageshare_files", ALL, files::files),
    scenario("pageshare_attributes", FROM_DOM0, files::attributes),
    scenario("pageshare_programs", ALL, files::programs),
    scenario("pageshare_mappings", ALL, files::mappings),
    scenario("pageshare_killed", ONE, files::killed),
    scenario("pageshare_refused", ONE, refusals::refused),
    scenario("pageshare_once", ONE, trees::once),
    scenario("pageshare_replaced", ONE, trees::replaced),
    scenario("pageshare_withdrawn", ALL, returns::withdrawn),
    scenario("pageshare_held", FROM_DOM0, returns::held),
    scenario("pageshare_silent", FROM_DOM0, returns::silent),
    scenario("pageshare_retired", ONE, returns::retired),
    scenario("pageshare_idle", ONE, returns::idle),
    scenario("pageshare_restored", FROM_DOM0, returns::restored),
    scenario("pageshare_migrated", ONE, returns::migrated),
    scenario("pageshare_again", ONE, returns::again),
    scenario(OFFERED, ONE, offered::offered),
    scenario("pageshare_offered_kept", ONE, offered::kept),
    scenario("pageshare_offered_large", ONE, offered::large),
    scenario("pageshare_offered_unsaved", ONE, offered::unsaved),
    scenario("pageshare_offered_lost", &[("pv1", "pvh1")], offered::lost),
    scenario("pageshare_disk", &[("dom0", "pv1")], disk::disk),
    scenario("pageshare_disk_saved", FROM_DOM0, disk::saved),
    scenario(LIMITED, ONE, limits::limited),
    scenario("pageshare_counted", ALL, sight::counted),
    scenario("pageshare_seen", &[("dom0", "pv1")], sight::seen),
    scenario("pageshare_torture", FROM_DOM0, |ends| {
        torture::torture(ends, 40)
    }),
    scenario("pageshare_destroyed", &[("pv1", "pvh1")], fate::destroyed),
];

/// What takes long.
pub const ENDURANCE: Scenario = scenario("pageshare_torture", FROM_DOM0, |ends| {
    torture::torture(ends, 10_000)
});

/// The one with two members.
pub const OFFERED: &str = "pageshare_offered";

/// The one with a guest that Xen lets have little.
pub const LIMITED: &str = "pageshare_limited";

/// That guest, which is there for as long as the scenario.
pub const FEW: &str = "few1";

/// Its frames for grants, of 512 each, and for what it has mapped, of 256 each.
pub const FEW_FRAMES: (u32, u32) = (4, 2);

/// The other member.
pub const OTHER: &str = "pvh2";

/// Of all, what runs when nothing is asked for.
pub const BRIEF: [&str; 2] = ["pageshare_mappings", "pageshare_refused"];

/// What is worth the checks of a kernel for tests.
pub const CHECKED: [&str; 4] = [
    "pageshare_mappings",
    "pageshare_withdrawn",
    "pageshare_idle",
    "pageshare_offered_kept",
];

const fn scenario(
    name: &'static str,
    pairs: &'static [Pair],
    run: fn(&Ends<'_>) -> Result<()>,
) -> Scenario {
    Scenario { name, pairs, run }
}

/// Who keeps trees, and who reads them.
pub struct Ends<'a> {
    bed: &'a Bed,
    owner: End<'a>,
    member: End<'a>,
}

/// A domain with the module.
pub struct End<'a> {
    machine: Machine<'a>,
}

/// Runs a scenario between a pair, from where both have just loaded the module.
pub fn run(bed: &Bed, scenario: &Scenario, owner: &str, member: &str) -> Result<()> {
    let ends = Ends {
        bed,
        owner: End::new(bed, owner)?,
        member: End::new(bed, member)?,
    };
    let done = (scenario.run)(&ends);
    let left = ends.leave();
    done.and(left)
}

impl<'a> End<'a> {
    fn new(bed: &'a Bed, name: &str) -> Result<Self> {
        let machine = match name {
            DOM0 => bed.dom0(),
            _ => bed.guest(name)?,
        };
        if machine.read("/proc/modules").is_err() {
            ensure!(name != DOM0, "dom0 does not answer");
            let _ = bed.destroy(name);
            bed.create(name)?;
            bed.wait_for_guest(name)?;
        }
        let end = Self { machine };
        if !end.has_module()? {
            end.machine.insmod("pageshare", &[])?;
        }
        end.shell(&format!("mkdir -p {MADE} {STATE} {MOUNT}"))?;
        Ok(end)
    }

    fn has_module(&self) -> Result<bool> {
        let modules = self.machine.read("/proc/modules")?;
        Ok(modules.lines().any(|line| line.starts_with("pageshare ")))
    }

    /// Runs a line in the domain's shell; answers what it prints.
    fn shell(&self, line: &str) -> Result<String> {
        let line = format!("PATH=$PATH:/bed\n{line}");
        let program = Program::new(&["sh", "-ec", &line]).limit(LIMIT);
        Ok(self.machine.exec(&program)?.ok()?.stdout)
    }

    /// Runs a line that has to fail; answers its complaint.
    fn refusal(&self, line: &str) -> Result<String> {
        let line = format!("PATH=$PATH:/bed\n{line}");
        let output = self.machine.run(&["sh", "-ec", &line])?;
        ensure!(output.status != 0, "{line}: no error");
        Ok(output.stderr)
    }
}

impl Ends<'_> {
    fn domid(&self, end: &End<'_>) -> Result<u32> {
        match end.machine.name() {
            DOM0 => Ok(0),
            name => self.bed.domid(name),
        }
    }

    /// Creates an area for the member, with a tree of a directory.
    fn share(&self, area: &str, tree: &str, directory: &str) -> Result<()> {
        let member = self.domid(&self.member)?;
        self.owner.shell(&format!(
            "pageshare create --size 64 --mapped 64 {area}
             pageshare allow {area} 'allow {member}'
             pageshare add --state {STATE} {area}/{tree} {directory}"
        ))?;
        Ok(())
    }

    /// Mounts a tree of the owner.
    fn mount(&self, source: &str) -> Result<()> {
        let owner = self.domid(&self.owner)?;
        let mounted = self.member.shell(&format!(
            "mount -t pageshare -o owner={owner} {source} {MOUNT}"
        ));
        mounted.map(drop)
    }

    fn umount(&self) -> Result<()> {
        self.member.shell(&format!("umount {MOUNT}")).map(drop)
    }

    /// A figure of `pageshare ls` about an area, in its raw form.
    fn area(&self, area: &str, column: usize) -> Result<u64> {
        let text = self.owner.shell("pageshare ls --raw")?;
        let line = text
            .lines()
            .find(|line| line.split('\t').next() == Some(area));
        let word = line.and_then(|line| line.split('\t').nth(column));
        Ok(word
            .with_context(|| format!("{area} in {text:?}"))?
            .parse()?)
    }

    /// Waits until the owner has no page granted any more.
    fn wait_until_nothing_is_granted(&self, area: &str) -> Result<()> {
        let why = format!("pages of {area} stay granted");
        wait_until(|| Ok(self.area(area, GRANTED)? == 0), &why)
    }

    /// Leaves nothing for the next scenario: the module can be unloaded in both domains.
    fn leave(&self) -> Result<()> {
        for end in [&self.member, &self.owner] {
            if end.machine.read("/proc/modules").is_ok() {
                end.shell(&format!(
                    "umount {MOUNT} 2>/dev/null || true; rm -rf {MADE} {STATE}"
                ))?;
                end.machine.rmmod("pageshare")?;
            }
        }
        Ok(())
    }
}

/// Waits until something is so; `why` says what is wrong if it is not.
fn wait_until(is_so: impl Fn() -> Result<bool>, why: &str) -> Result<()> {
    let start = Instant::now();
    while !is_so()? {
        ensure!(start.elapsed() < LIMIT, "{why}");
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// Columns of `pageshare ls --raw`, after the name.
const UNIQUE: usize = 3;
const FILLED: usize = 4;
const GRANTED: usize = 5;
const MOUNTS: usize = 6;
const LENT: usize = 7;
const OFFERED_PAGES: usize = 8;
const GOT: usize = 10;
const READ: usize = 11;
