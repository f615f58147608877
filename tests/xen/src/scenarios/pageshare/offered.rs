// SPDX-License-Identifier: GPL-2.0
//! Programs' own pages: equal ones become the area's.

use super::{End, Ends, LENT, LIMIT, MADE, OFFERED_PAGES, OTHER, POLL, STATE, fate};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

const SYSFS: &str = "/sys/class/misc/pageshare";
/// What the program makes while it waits, and where it prints.
const HELD: &str = "/tmp/held";
const TOLD: &str = "/tmp/told";
/// For so long a guest has little memory: `xl save` waits for a minute.
const STARVED: Duration = Duration::from_secs(90);
const REST: Duration = Duration::from_secs(3);
/// How large the folios of files in memory are.
const LARGE: &str = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
/// How often a program looks at its memory while it is taken away.
const LOOKS: usize = 40;
/// Pages of 16 MiB.
const PAGES: u64 = 4096;
/// An area that takes offers of as much twice.
const CREATE: &str = "pageshare create --size 64 --mapped 120 area
     pageshare allow area 'allow *'
     pageshare offers area 32";

/// A program of a member's that offers memory.
struct Program<'a> {
    end: &'a End<'a>,
}

/// Runs it; answers what it prints.
fn offer(end: &End<'_>, words: &str) -> Result<String> {
    end.shell(&format!("offer 0 {words}"))
}

/// Runs one that is to print just that.
fn expect(end: &End<'_>, words: &str, told: &str) -> Result<()> {
    let found = offer(end, words)?;
    ensure!(found.trim() == told, "{words}: {found}, not {told}");
    Ok(())
}

impl<'a> Program<'a> {
    /// Starts one that holds what it has got of a domain, and waits until it does.
    fn start(end: &'a End<'a>, owner: u32, words: &str, then: &str) -> Result<Self> {
        end.shell(&format!("rm -f {HELD} {TOLD}"))?;
        let words = format!("/bin/offer {owner} {words} hold={HELD} {then}");
        let words: Vec<_> = words.split_whitespace().collect();
        end.machine.spawn(&words, TOLD)?;
        let start = Instant::now();
        while end.machine.read(HELD).is_err() {
            ensure!(start.elapsed() < LIMIT, "{:?}", end.machine.read(TOLD));
            std::thread::sleep(POLL);
        }
        Ok(Self { end })
    }

    fn told(&self) -> Result<String> {
        self.end.shell(&format!("cat {TOLD}"))
    }

    /// Lets it go on, and end.
    fn finish(self) -> Result<String> {
        self.end.shell(&format!(
            "rm -f {HELD}; while pidof offer > /dev/null; do sleep 0.1; done"
        ))?;
        self.told()
    }
}

fn figure(end: &End<'_>, name: &str) -> Result<u64> {
    let text = end.shell(&format!("cat {SYSFS}/{name}"))?;
    text.trim()
        .parse()
        .with_context(|| format!("{name}: {text}"))
}

fn figures<const N: usize>(end: &End<'_>, names: [&str; N]) -> Result<[u64; N]> {
    let mut found = [0; N];
    for (to, name) in found.iter_mut().zip(names) {
        *to = figure(end, name)?;
    }
    Ok(found)
}

/// Waits until the owner has these figures: pages lent, offered and in memory.
fn wait_for(ends: &Ends<'_>, wanted: [u64; 3]) -> Result<()> {
    let start = Instant::now();
    loop {
        let names = ["owner/lent", "owner/offered", "owner/in_memory"];
        let found = figures(&ends.owner, names)?;
        if found == wanted {
            return Ok(());
        }
        ensure!(start.elapsed() < LIMIT, "{found:?}, not {wanted:?}");
        std::thread::sleep(POLL);
    }
}

/// Two members offer equal memory: it is there once, what one writes is its own, and what they give
/// back is gone.
pub fn offered(ends: &Ends<'_>) -> Result<()> {
    let other = End::new(ends.bed, OTHER)?;
    let both = both_members(ends, &other);
    let gone = other.machine.rmmod("pageshare");
    both.and(gone.map(drop))
}

fn both_members(ends: &Ends<'_>, other: &End<'_>) -> Result<()> {
    ends.owner.shell(
        "pageshare create --size 64 --mapped 120 area
         pageshare allow area 'allow *'",
    )?;
    refused(ends)?;
    trees(ends)?;

    let mib = PAGES / 256;
    let filled = figure(&ends.owner, "owner/in_memory")?;
    let first = Program::start(
        &ends.member,
        0,
        &format!("area {mib} 5 supply check"),
        "check fork check",
    )?;
    let told = format!("errno=0 examined={PAGES} shared={PAGES} supplied={PAGES}\n");
    ensure!(first.told()? == told, "{}", first.told()?);
    wait_for(ends, [PAGES, PAGES, filled + PAGES])?;
    let listed = (ends.area("area", LENT)?, ends.area("area", OFFERED_PAGES)?);
    ensure!(listed == (PAGES, PAGES), "{listed:?} are listed");
    ensure!(
        figure(&ends.member, "member/borrowed")? == PAGES,
        "borrowed"
    );
    let why = ends.owner.refusal("pageshare rm area")?;
    ensure!(why.contains("somebody has"), "{why}");

    let second = Program::start(
        other,
        0,
        &format!("area {mib} 5 supply check write fork drop move exec"),
        "half check",
    )?;
    let told = format!("errno=0 examined={PAGES} shared={PAGES} supplied=0\n");
    ensure!(second.told()? == told, "{}", second.told()?);
    wait_for(ends, [2 * PAGES, PAGES, filled + PAGES])?;
    ensure!(second.finish()? == told, "the second one is wrong");
    wait_for(ends, [PAGES, PAGES, filled + PAGES])?;
    let why = ends.member.refusal("rmmod pageshare")?;
    ensure!(
        why.contains("in use") || why.contains("unavailable"),
        "{why}"
    );
    let told = first.finish()?;
    ensure!(told.lines().count() == 1, "{told}");
    wait_for(ends, [0, 0, filled])?;
    ends.owner.shell("pageshare rm area").map(drop)
}

/// What a program has borrowed stays what it is when the owner wants it back, when the program's domain is
/// saved, and when the owner's module is loaded anew; then it can be offered again.
pub fn kept(ends: &Ends<'_>) -> Result<()> {
    ends.owner.shell(CREATE)?;
    let again = "check protect supply check";
    let told = format!("errno=0 examined={PAGES} shared={PAGES} supplied={PAGES}\n");
    let words = format!("area {} 5 supply check", PAGES / 256);

    let program = Program::start(&ends.member, 0, &words, again)?;
    ends.owner.shell("pageshare withdraw area")?;
    wait_for(ends, [0, 0, 0])?;
    ensure!(
        figure(&ends.member, "member/borrowed")? == 0,
        "not given back"
    );
    ensure!(program.finish()? == told.repeat(2), "withdrawn");
    wait_for(ends, [0, 0, 0])?;

    let program = Program::start(&ends.member, 0, &words, again)?;
    let (bed, name) = (ends.bed, ends.member.machine.name());
    let saved = format!("/tmp/{name}.save");
    bed.save(name, &saved)?;
    wait_for(ends, [0, 0, 0])?;
    bed.restore(name, &saved)?;
    bed.dom0().run(&["rm", &saved])?.ok()?;
    ensure!(program.finish()? == told.repeat(2), "restored");
    wait_for(ends, [0, 0, 0])?;

    let program = Program::start(&ends.member, 0, &words, again)?;
    ends.owner.machine.rmmod("pageshare")?;
    ends.owner.machine.insmod("pageshare", &[])?;
    ends.owner.shell(CREATE)?;
    ensure!(program.finish()? == told.repeat(2), "loaded anew");
    wait_for(ends, [0, 0, 0])
}

/// What a program has borrowed stays what it is while it is taken back, where the kernel has large folios for it.
pub fn large(ends: &Ends<'_>) -> Result<()> {
    let set = |what: &str| ends.member.shell(&format!("echo {what} > {LARGE}"));
    ends.owner.shell(CREATE)?;
    set("force")?;
    let words = format!("area {} 5 supply check", PAGES / 256);
    let program = Program::start(&ends.member, 0, &words, &"drop ".repeat(LOOKS))?;
    ends.member.shell(&format!("rm {HELD}"))?;
    ends.owner.shell("pageshare withdraw area")?;
    let told = program.finish();
    set("never")?;
    let (told, wanted) = (
        told?,
        format!("errno=0 examined={PAGES} shared={PAGES} supplied={PAGES}\n"),
    );
    ensure!(told == wanted, "{told}");
    wait_for(ends, [0, 0, 0])
}

/// A guest that has no memory for what a program has borrowed is not saved, says why, and goes on.
pub fn unsaved(ends: &Ends<'_>) -> Result<()> {
    ends.owner.shell(CREATE)?;
    let words = format!("area {} 5 supply check", PAGES / 256);
    let then = format!("starve={} check fork check", STARVED.as_secs());
    let program = Program::start(&ends.member, 0, &words, &then)?;
    ends.member.shell(&format!("rm {HELD}"))?;
    let start = Instant::now();
    let saved = format!("/tmp/{}.save", ends.member.machine.name());
    let save = ["xl", "save", ends.member.machine.name(), &saved];
    let output = ends.bed.dom0().run_within(&save, LIMIT)?;
    ensure!(output.status != 0, "it was saved");
    println!("# not saved after {:.0?}", output.elapsed);
    // Nothing can be asked of it before.
    std::thread::sleep((STARVED + REST).saturating_sub(start.elapsed()));
    let log = ends.member.shell("dmesg")?;
    ensure!(log.contains("no memory for what programs have"), "{log}");
    let told = program.finish()?;
    let wanted = format!("errno=0 examined={PAGES} shared={PAGES} supplied={PAGES}\n");
    ensure!(told == wanted, "{told}");
    wait_for(ends, [0, 0, 0])
}

/// What a program has borrowed stays what it is when the owner is destroyed, of which nothing is left when the
/// program has ended.
pub fn lost(ends: &Ends<'_>) -> Result<()> {
    ends.owner.shell(CREATE)?;
    let owner = ends.domid(&ends.owner)?;
    let words = format!("area {} 5 supply check", PAGES / 256);
    let program = Program::start(&ends.member, owner, &words, "check fork half check")?;
    ends.bed.destroy(ends.owner.machine.name())?;
    ensure!(
        figure(&ends.member, "member/borrowed")? == PAGES,
        "something was given back"
    );
    let told = program.finish()?;
    let wanted = format!("errno=0 examined={PAGES} shared={PAGES} supplied={PAGES}\n");
    ensure!(told == wanted, "{told}");
    fate::wait_until_gone(ends.bed, owner)
}

/// What is not to be had: an area that takes no offers, or none; memory that can be written.
fn refused(ends: &Ends<'_>) -> Result<()> {
    let nothing = "examined=0 shared=0 supplied=0";
    // It was looked at, but in vain.
    let batch = "examined=112 shared=0 supplied=0";
    for (area, errno) in [("area", 13), ("nothing", 2)] {
        let told = format!("errno={errno} {batch}");
        expect(&ends.member, &format!("{area} 1 1 offer check"), &told)?;
    }
    for (line, says) in [
        ("pageshare offers area 65", "more than it may have"),
        ("pageshare offers area much", "no size"),
        ("pageshare offers nothing 1", "there is none"),
    ] {
        let why = ends.owner.refusal(line)?;
        ensure!(why.contains(says), "{line}: {why}");
    }
    ends.owner.shell("pageshare offers area 32")?;
    let writable = "area 1 1 write-first offer check";
    expect(&ends.member, writable, &format!("errno=16 {nothing}"))?;
    let unknown = "area 1 1 offer check";
    expect(
        &ends.member,
        unknown,
        "errno=0 examined=256 shared=0 supplied=0",
    )?;
    if let Ok(pv) = End::new(ends.bed, "pv1") {
        let refused = expect(&pv, unknown, &format!("errno=95 {nothing}"));
        pv.machine.rmmod("pageshare")?;
        refused?;
    }
    Ok(())
}

/// Memory that is equal to a file of a tree.
fn trees(ends: &Ends<'_>) -> Result<()> {
    offer(&ends.owner, &format!("none 4 7 dump={MADE}/file"))?;
    ends.owner
        .shell(&format!("pageshare add --state {STATE} area/tree {MADE}"))?;
    let told = "errno=0 examined=1024 shared=1024 supplied=0";
    expect(&ends.member, "area 4 7 offer check write check", told)?;
    wait_for(ends, [0, 0, figure(&ends.owner, "owner/in_memory")?])
}
