// SPDX-License-Identifier: GPL-2.0
//! What members have mapped comes back: because its owner wants it, because nobody uses it, or because the
//! member is saved.

use super::{End, Ends, FILLED, GRANTED, MADE, MOUNT, STATE};
use anyhow::{Context, Result, ensure};
use bed::Bed;
use std::time::Duration;

const SYSFS: &str = "/sys/class/misc/pageshare";
/// Pages of the file that is read.
const PAGES: u64 = 400;
const STOP: &str = "/tmp/stop";
const WATCHED: &str = "/tmp/watched";
/// How often content is taken away from a program that reads it.
const CYCLES: u32 = 40;
const TICK: Duration = Duration::from_secs(1);

/// A program of the member's that reads all the time.
pub struct Watch<'a> {
    member: &'a End<'a>,
}

impl<'a> Watch<'a> {
    /// Starts one that reads the file, and waits until it has done so once.
    fn start(member: &'a End<'a>) -> Result<Self> {
        Self::over(member, |stop| {
            vec!["/bin/reread".into(), format!("{MOUNT}/file"), stop.into()]
        })
    }

    /// Starts one that prints a line when it has begun, and another when the file that it is told of is there.
    pub fn over(member: &'a End<'a>, program: impl FnOnce(&str) -> Vec<String>) -> Result<Self> {
        member.shell(&format!("rm -f {STOP} {WATCHED}"))?;
        let program = program(STOP);
        let words: Vec<&str> = program.iter().map(String::as_str).collect();
        member.machine.spawn(&words, WATCHED)?;
        let this = Self { member };
        this.wait_for_lines(1)?;
        Ok(this)
    }

    /// Ends it. Answers how often it has read, or what was wrong.
    pub fn stop(self) -> Result<u64> {
        self.member.shell(&format!(": > {STOP}"))?;
        let told = self.wait_for_lines(2)?;
        let last = told.lines().last().unwrap_or_default();
        last.parse().with_context(|| told.clone())
    }

    fn wait_for_lines(&self, lines: usize) -> Result<String> {
        self.member.shell(&format!(
            "while [ $(wc -l < {WATCHED}) -lt {lines} ]; do sleep 0.1; done; cat {WATCHED}"
        ))
    }
}

/// Makes a file, shares and mounts it; answers its checksum, which is what the member reads.
fn shared_file(ends: &Ends<'_>, area: &str) -> Result<String> {
    let make = format!("dd if=/dev/urandom of={MADE}/file bs=4096 count={PAGES} 2>/dev/null");
    ends.owner.shell(&make)?;
    ends.share(area, "tree", MADE)?;
    ends.mount(&format!("{area}/tree"))?;
    let sum = ends.owner.shell(&format!("sha256sum < {MADE}/file"))?;
    ensure!(sum_of(ends)? == sum, "another file");
    Ok(sum)
}

fn sum_of(ends: &Ends<'_>) -> Result<String> {
    ends.member.shell(&format!("sha256sum < {MOUNT}/file"))
}

pub fn figure(end: &End<'_>, name: &str) -> Result<u64> {
    let text = end.shell(&format!("cat {SYSFS}/{name}"))?;
    text.trim()
        .parse()
        .with_context(|| format!("{name}: {text}"))
}

const EVENTS: &str = "/sys/kernel/tracing/events/pageshare/enable";
const TRACE: &str = "/sys/kernel/tracing/trace";

/// Looks for events in a domain's trace, and ends it.
fn check_trace(end: &End<'_>, events: &[&str]) -> Result<()> {
    let trace = end.shell(&format!("echo 0 > {EVENTS}; cat {TRACE}; : > {TRACE}"))?;
    for event in events {
        ensure!(
            trace.contains(&format!(" pageshare_{event}: domid=")),
            "{event} is not in {trace}"
        );
    }
    Ok(())
}

/// The owner takes its content back, again and again, while programs read it and have it mapped.
pub fn withdrawn(ends: &Ends<'_>) -> Result<()> {
    // dom0 has no tracefs, nor has a kernel with KASAN.
    let traced = |end: &&End<'_>| end.machine.read(TRACE).is_ok();
    for end in [&ends.owner, &ends.member].into_iter().filter(traced) {
        end.shell(&format!("echo 1 > {EVENTS}"))?;
    }
    let sum = shared_file(ends, "area")?;
    let sound = ends
        .owner
        .shell(&format!("pageshare verify --state {STATE} area"))?;
    ensure!(sound.contains(" tree: 1 directories, 1 files"), "{sound}");
    ensure!(ends.area("area", FILLED)? >= PAGES, "nothing is in memory");
    ends.owner.shell("pageshare withdraw area/tree")?;
    let (granted, filled) = (ends.area("area", GRANTED)?, ends.area("area", FILLED)?);
    ensure!(
        (granted, filled) == (0, 0),
        "{granted} pages stay granted, {filled} in memory"
    );
    ensure!(sum_of(ends)? == sum, "another file after it was withdrawn");
    let told = [
        (&ends.owner, ["link_up", "grant", "withdraw"]),
        (&ends.member, ["link_up", "fetch", "give_back"]),
    ];
    for (end, events) in told.iter().filter(|(end, _)| traced(end)) {
        check_trace(end, events)?;
    }

    let watch = Watch::start(&ends.member)?;
    for _ in 0..CYCLES {
        ends.owner.shell("pageshare withdraw area")?;
    }
    let rounds = watch.stop()?;
    let withdrawn = figure(&ends.member, "member/withdrawn")?;
    println!("# {CYCLES} times withdrawn in {rounds} readings, {withdrawn} pages together");
    ensure!(
        withdrawn > 2 * PAGES,
        "nothing was withdrawn from the program"
    );
    ensure!(sum_of(ends)? == sum, "another file in the end");
    let members = ends.owner.shell("pageshare ls")?;
    ensure!(members.contains("may map"), "{members}");
    ends.umount()?;
    ends.wait_until_nothing_is_granted("area")
}

/// Who does not give back what it has is named, keeps it, and gives it back when it can.
pub fn silent(ends: &Ends<'_>) -> Result<()> {
    let sum = shared_file(ends, "area")?;
    let (name, domid) = (ends.member.machine.name(), ends.domid(&ends.member)?);
    let xl = |word| ends.bed.dom0().run(&["xl", word, name])?.ok();
    xl("pause")?;
    let why = ends.owner.refusal("pageshare withdraw area/tree");
    let granted = ends.area("area", GRANTED);
    // Whatever has come of it.
    xl("unpause")?;
    let (why, granted) = (why?, granted?);
    let named = format!("domain {domid} does not give back what it has");
    ensure!(why.contains(&named), "{why}");
    ensure!(
        granted >= PAGES,
        "{granted} pages are granted to a domain that is paused"
    );
    ends.owner.shell("pageshare withdraw area/tree")?;
    let granted = ends.area("area", GRANTED)?;
    ensure!(granted == 0, "{granted} pages stay granted");
    ensure!(sum_of(ends)? == sum, "another file in the end");
    ends.umount()
}

/// A tree is taken from who has it mounted: an error for who reads on, and nothing hangs.
pub fn retired(ends: &Ends<'_>) -> Result<()> {
    shared_file(ends, "area")?;
    let watch = Watch::start(&ends.member)?;
    let retire = format!("pageshare rm --retire --state {STATE} area/tree");
    ends.owner.shell(&retire)?;
    let told = watch.stop().err().map(|why| format!("{why:#}"));
    ensure!(
        told.as_ref()
            .is_some_and(|told| told.contains("is not there") || told.contains("Stale")),
        "{told:?}"
    );
    let read = format!("cat {MOUNT}/file > /dev/null");
    let why = ends.member.refusal(&read)?;
    ensure!(why.contains("Stale"), "{why}");
    ends.wait_until_nothing_is_granted("area")?;
    let why = ends.owner.refusal("pageshare rm area")?;
    ensure!(why.contains("somebody has"), "{why}");
    ends.umount()?;
    for line in [
        retire.as_str(),
        "pageshare withdraw area/tree",
        "pageshare withdraw nothing",
    ] {
        let why = ends.owner.refusal(line)?;
        ensure!(why.contains("there is none"), "{line}: {why}");
    }
    ends.owner
        .shell(&format!("pageshare rm --state {STATE} area"))?;
    Ok(())
}

/// What is not used goes back by itself; then there is nothing more to do.
pub fn idle(ends: &Ends<'_>) -> Result<()> {
    for wrong in ["86401", "-1", "x"] {
        ends.member
            .refusal(&format!("echo {wrong} > {SYSFS}/member/idle_seconds"))?;
    }
    ends.owner
        .shell(&format!("echo 300 > {SYSFS}/owner/member_pages"))?;
    ends.member
        .shell(&format!("echo 1 > {SYSFS}/member/idle_seconds"))?;
    let sum = shared_file(ends, "area")?;
    ensure!(
        figure(&ends.member, "member/mapped")? <= 300,
        "more than it may have"
    );
    ends.wait_until_nothing_is_granted("area")?;
    let unmaps = figure(&ends.member, "member/unmap_calls")?;
    std::thread::sleep(3 * TICK);
    ensure!(
        figure(&ends.member, "member/unmap_calls")? == unmaps,
        "it goes on without anything mapped"
    );
    // It is in the owner's memory until that is short of it.
    let spare = figure(&ends.owner, "owner/spare")?;
    ensure!(spare >= PAGES, "{spare} pages are spare");
    ends.owner.shell("echo 2 > /proc/sys/vm/drop_caches")?;
    let spare = figure(&ends.owner, "owner/spare")?;
    ensure!(spare == 0, "{spare} pages are spare after all");
    ensure!(sum_of(ends)? == sum, "another file in the end");
    ends.umount()
}

/// The member goes on as another domain, with a program that reads all the time.
fn moved(ends: &Ends<'_>, by: impl FnOnce(&Bed, &str) -> Result<()>) -> Result<()> {
    let sum = shared_file(ends, "area")?;
    ends.owner.shell("pageshare allow area 'allow *'")?;
    let watch = Watch::start(&ends.member)?;
    let before = ends.domid(&ends.member)?;
    by(ends.bed, ends.member.machine.name())?;
    ensure!(ends.domid(&ends.member)? != before, "the same domain");
    ensure!(sum_of(ends)? == sum, "another file in the new domain");
    let rounds = watch.stop()?;
    println!("# {rounds} readings");
    ends.umount()?;
    ends.wait_until_nothing_is_granted("area")?;
    super::fate::wait_until_gone(ends.bed, before)
}

/// The member is saved and restored.
pub fn restored(ends: &Ends<'_>) -> Result<()> {
    moved(ends, |bed, name| {
        let saved = format!("/tmp/{name}.save");
        bed.save(name, &saved)?;
        ends.wait_until_nothing_is_granted("area")?;
        bed.restore(name, &saved)?;
        bed.dom0().run(&["rm", &saved])?.ok().map(drop)
    })
}

/// The member is migrated to the host that it is on.
pub fn migrated(ends: &Ends<'_>) -> Result<()> {
    moved(ends, crate::scenarios::migrated)
}

/// What a program reads can be taken back while the memory that it reads to is not there.
pub fn held(ends: &Ends<'_>) -> Result<()> {
    let sum = shared_file(ends, "area")?;
    let watch = Watch::over(&ends.member, |stop| {
        vec!["/bin/held".into(), format!("{MOUNT}/file"), stop.into()]
    })?;
    ends.owner.shell("pageshare withdraw area")?;
    let granted = ends.area("area", GRANTED)?;
    ensure!(granted == 0, "{granted} pages stay granted");
    watch.stop()?;
    ensure!(sum_of(ends)? == sum, "another file in the end");
    ends.umount()
}

/// The owner's module is loaded anew. The member, which has a tree mounted, goes on when there is the same tree
/// in an area with the same UUID.
pub fn again(ends: &Ends<'_>) -> Result<()> {
    let make = format!("dd if=/dev/urandom of={MADE}/file bs=4096 count={PAGES} 2>/dev/null");
    ends.owner.shell(&make)?;
    let share = format!(
        "pageshare create --uuid 3b5d1a7e-52a4-4e2e-9f0a-6f4be2f0f7ad area
         pageshare allow area 'allow *'
         pageshare add --state {STATE} area/tree {MADE}"
    );
    ends.owner.shell(&share)?;
    ends.mount("area/tree")?;
    let half = format!("dd if={MOUNT}/file bs=4096 count=200 2>/dev/null | sha256sum");
    let sum = ends.member.shell(&half)?;
    ends.owner.machine.rmmod("pageshare")?;
    ensure!(
        ends.member.shell(&half)? == sum,
        "what was mapped is something else"
    );
    ends.owner.machine.insmod("pageshare", &[])?;
    ends.member
        .refusal(&format!("cat {MOUNT}/file > /dev/null"))?;
    ends.owner.shell(&share)?;
    let sum = ends.owner.shell(&format!("sha256sum < {MADE}/file"))?;
    ensure!(sum_of(ends)? == sum, "another file after all");
    ensure!(ends.area("area", GRANTED)? > 0, "nothing is granted again");
    ends.umount()?;
    ends.wait_until_nothing_is_granted("area")
}
