// SPDX-License-Identifier: GPL-2.0
//! A member or an owner that does not keep to the rules: it harms nobody but itself.

use super::{End, LIMIT, MADE, POLL, STATE, fate};
use anyhow::{Context, Result, ensure};
use bed::Bed;
use std::time::{Duration, Instant};

const MODULE: &str = "pageshare_hostile";
const DONE: &str = "/sys/kernel/debug/pageshare_hostile/done";
const SYSFS: &str = "/sys/class/misc/pageshare";
/// Less than the file has: blocks come and go all the time.
const FEW_PAGES: &str = "pages=256";
/// The same file in each domain.
const MAKE: &str = "seq 400000 | head -c 2000000";
/// How many pages the owner grants to a member, and how many that has told of too late may be over that.
const MEMBER_PAGES: u64 = 256;
const UNTOLD: u64 = 16 * 128;
/// Each way to be hostile takes so long.
const SECONDS: u64 = 30;
const BRIEF: u64 = 10;
/// How long an owner may take to answer, whatever else it says.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two times that content is taken back.
const PAUSE: Duration = Duration::from_secs(1);
/// What a loaded machine adds to that.
const SLACK: Duration = Duration::from_secs(30);
/// In the order of the module's parameter `manner`.
const WILD: &str = "manner=0";
const ALTERING: &str = "manner=1";
const CUTTING: &str = "manner=2";
const MUTE: &str = "manner=3";
const STORMING: &str = "manner=4";
/// How often links may interrupt a domain in that time when a peer storms.
const INTERRUPTS: u64 = 60 * BRIEF;

/// Who takes part.
pub struct Stage<'a> {
    pub bed: &'a Bed,
    pub hostile: &'a str,
    pub victim: &'a str,
}

/// A program that mounts and reads (`tests/xen/client/pester.c`).
struct Reader<'a> {
    end: &'a End<'a>,
    output: String,
}

/// What it has seen.
struct Seen(String);

impl Seen {
    fn figure(&self, name: &str) -> Result<u64> {
        let mut words = self.0.split_whitespace();
        let figure = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        Ok(figure.with_context(|| self.0.clone())?.parse()?)
    }

    /// All that it was to see, it has, and it was right.
    fn ensure_all_right(&self) -> Result<()> {
        ensure!(self.figure("right")? > 0, "{}", self.0);
        for other in ["refused", "failed", "wrong"] {
            ensure!(self.figure(other)? == 0, "{}", self.0);
        }
        Ok(())
    }
}

impl<'a> Reader<'a> {
    /// Starts one that mounts a tree of that owner, looks at the file as often, and so on for so long.
    fn start(
        end: &'a End<'a>,
        name: &str,
        owner: u32,
        (looks, seconds): (u32, u64),
    ) -> Result<Self> {
        let (folder, output) = (format!("/tmp/mount-{name}"), format!("/tmp/seen-{name}"));
        end.shell(&format!("mkdir -p {folder}"))?;
        let line = format!(
            "PATH=$PATH:/bed
             pester area/tree owner={owner} {folder} file {MADE}/file {looks} {seconds}; echo status=$?"
        );
        end.machine.spawn(&["sh", "-c", &line], &output)?;
        Ok(Self { end, output })
    }

    /// Waits until it has ended.
    fn end(&self, limit: Duration) -> Result<Seen> {
        let start = Instant::now();
        loop {
            let text = self.end.machine.read(&self.output)?;
            if let Some((seen, status)) = text.split_once("status=") {
                println!("# {}: {}", self.end.machine.name(), seen.trim());
                ensure!(status.trim() == "0", "{text}");
                return Ok(Seen(seen.trim().into()));
            }
            ensure!(start.elapsed() < limit, "{} does not end", self.output);
            std::thread::sleep(POLL);
        }
    }
}

impl End<'_> {
    /// Loads a module, and makes the file that is read.
    fn load(&self, module: &str, words: &[&str]) -> Result<()> {
        self.machine.insmod(module, words)?;
        self.shell(&format!("mkdir -p {MADE} {STATE}; {MAKE} > {MADE}/file"))?;
        Ok(())
    }

    /// Keeps the file for all others.
    fn share(&self) -> Result<()> {
        self.shell(&format!(
            "pageshare create --size 64 --mapped 64 area
             pageshare allow area 'allow *'
             pageshare add --state {STATE} area/tree {MADE}"
        ))?;
        Ok(())
    }

    /// Unloads what is loaded, if it is there at all.
    fn unload(&self) -> Result<()> {
        let modules = self.machine.read("/proc/modules").unwrap_or_default();
        for module in [MODULE, "pageshare"] {
            if modules
                .lines()
                .any(|line| line.split(' ').next() == Some(module))
            {
                self.machine.rmmod(module)?;
            }
        }
        Ok(())
    }

    fn figure(&self, name: &str) -> Result<u64> {
        super::returns::figure(self, name)
    }

    /// How many interrupts there were for links, so far.
    fn interrupts(&self) -> Result<u64> {
        let text = self.machine.read("/proc/interrupts")?;
        let ours = text.lines().filter(|line| line.ends_with(" xenoxide"));
        // Those of each processor, then words.
        let counts = ours.flat_map(|line| {
            let words = line.split_whitespace().skip(1);
            words.map_while(|word| word.parse::<u64>().ok())
        });
        Ok(counts.sum())
    }

    /// Prints what it has done wrong, and answers how often all together.
    fn wrong(&self) -> Result<u64> {
        let done = self.machine.read(DONE)?;
        println!("# wrong: {}", done.trim().replace('\n', ", "));
        let counts = done.lines().filter_map(|line| line.split_once(' '));
        counts.map(|(_, count)| Ok(count.parse::<u64>()?)).sum()
    }
}

impl<'a> Stage<'a> {
    /// Runs one of the cases below, and leaves nothing to the next.
    pub fn run(&self, case: fn(&Self) -> Result<()>) -> Result<()> {
        let done = case(self);
        let left = self.ends()?.iter().try_for_each(End::unload);
        done.and(left)
    }

    fn ends(&self) -> Result<[End<'a>; 3]> {
        let bed = self.bed;
        let machines = [
            bed.guest(self.hostile)?,
            bed.guest(self.victim)?,
            bed.dom0(),
        ];
        Ok(machines.map(|machine| End { machine }))
    }
}

/// A member does all wrong, with several mounts. Its owner lives, and serves another member, which gets all of
/// its bytes; and there is a bound for what the hostile one has mapped.
pub fn member(stage: &Stage<'_>) -> Result<()> {
    let [hostile, owner, other] = stage.ends()?;
    owner.load("pageshare", &[])?;
    owner.share()?;
    owner.machine.write(
        &format!("{SYSFS}/owner/member_pages"),
        &MEMBER_PAGES.to_string(),
    )?;
    owner.shell(&format!(
        "pageshare create secret; pageshare add --state {STATE} secret/tree {MADE}"
    ))?;
    other.load("pageshare", &[FEW_PAGES])?;
    hostile.load(MODULE, &[FEW_PAGES])?;
    let domid = stage.bed.domid(stage.victim)?;
    let start = |end, name, looks| Reader::start(end, name, domid, (looks, SECONDS));
    let honest = [start(&other, "1", 20)?, start(&other, "2", u32::MAX)?];
    let wrong = [start(&hostile, "1", 5)?, start(&hostile, "2", 50)?];
    let mut most = 0;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(SECONDS) {
        let (members, overdue) = (
            owner.figure("owner/members")?,
            owner.figure("owner/overdue")?,
        );
        // Each has one link, or one that ends and one that begins.
        ensure!(members <= 4, "{members} members");
        most = most.max(overdue);
        // The hostile one need not answer.
        owner.shell("pageshare withdraw area || true")?;
        std::thread::sleep(PAUSE);
    }
    for reader in &honest {
        reader.end(LIMIT)?.ensure_all_right()?;
    }
    for reader in &wrong {
        reader.end(PATIENCE + SLACK)?;
    }
    println!("# up to {most} pages stay mapped that were given back");
    ensure!(most > 0, "nothing stays mapped that was given back");
    ensure!(
        most <= MEMBER_PAGES + UNTOLD,
        "{most} pages stay mapped that were given back"
    );
    ensure!(hostile.wrong()? > 0, "nothing was wrong");
    let secret = owner.shell("pageshare ls --raw | grep ^secret")?;
    let got = secret.trim().split('\t').nth(super::GOT);
    ensure!(got == Some("0"), "it has got secrets: {secret}");
    hostile.machine.rmmod(MODULE)?;
    other.machine.rmmod("pageshare")?;
    for name in ["owner/members", "owner/granted", "owner/overdue"] {
        let gone = || Ok(owner.figure(name)? == 0);
        wait_until(&format!("no {name}"), gone)?;
    }
    Ok(())
}

/// An owner does all wrong. Its member lives, gets what is right or an error, and meanwhile reads from another
/// owner as if nothing was; and so again with an owner that alters pages that were checked, that ends links all
/// the time, that does not answer, and that sends events all the time. At last it is destroyed while it is read
/// from.
pub fn owner(stage: &Stage<'_>) -> Result<()> {
    let [hostile, member, other] = stage.ends()?;
    member.load("pageshare", &[FEW_PAGES])?;
    other.load("pageshare", &[])?;
    other.share()?;
    let facing = Facing {
        domid: stage.bed.domid(stage.hostile)?,
        hostile,
        member,
    };
    facing.owner(WILD, Facing::wild)?;
    facing.owner(ALTERING, Facing::altering)?;
    facing.owner(CUTTING, Facing::cutting)?;
    facing.owner(MUTE, Facing::mute)?;
    facing.owner(STORMING, Facing::storming)?;
    facing.owner(WILD, |facing| facing.destroyed(stage))
}

/// A member and its hostile owner.
struct Facing<'a> {
    hostile: End<'a>,
    member: End<'a>,
    /// The owner.
    domid: u32,
}

impl Facing<'_> {
    /// Has an owner of that manner while something is done.
    fn owner(&self, manner: &str, body: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        self.hostile.load(MODULE, &[manner])?;
        self.hostile.share()?;
        body(self)?;
        self.hostile.unload()
    }

    fn read(&self, name: &str, looks: u32, seconds: u64) -> Result<Reader<'_>> {
        Reader::start(&self.member, name, self.domid, (looks, seconds))
    }

    fn wild(&self) -> Result<()> {
        let honest = Reader::start(&self.member, "honest", 0, (20, SECONDS))?;
        let readers = [self.read("1", 5, SECONDS)?, self.read("2", 200, SECONDS)?];
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(SECONDS) {
            self.hostile.shell("pageshare withdraw area || true")?;
            std::thread::sleep(PAUSE);
        }
        honest.end(LIMIT)?.ensure_all_right()?;
        let mut right = 0;
        for reader in &readers {
            let seen = reader.end(PATIENCE + SLACK)?;
            ensure!(seen.figure("wrong")? == 0, "{}", seen.0);
            right += seen.figure("right")?;
        }
        ensure!(right > 0, "nothing can be read of a wild owner");
        ensure!(self.hostile.wrong()? > 0, "nothing was wrong");
        Ok(())
    }

    /// What was checked may be something else later: no more than an end in time is asked for.
    fn altering(&self) -> Result<()> {
        for reader in [self.read("1", 5, BRIEF)?, self.read("2", u32::MAX, BRIEF)?] {
            reader.end(LIMIT)?;
        }
        ensure!(self.hostile.wrong()? > 0, "nothing was altered");
        Ok(())
    }

    /// What was under way when the link was lost is asked for again.
    fn cutting(&self) -> Result<()> {
        let reader = self.read("1", u32::MAX, 2 * BRIEF)?;
        reader.end(LIMIT)?.ensure_all_right()
    }

    fn mute(&self) -> Result<()> {
        let seen = self.read("1", 1, 1)?.end(PATIENCE + SLACK)?;
        ensure!(seen.figure("mounts")? == 0, "{}", seen.0);
        Ok(())
    }

    fn storming(&self) -> Result<()> {
        let seen = self.read("1", 1, 1)?.end(LIMIT)?;
        ensure!(seen.figure("failed")? == 0, "{}", seen.0);
        let before = self.member.interrupts()?;
        std::thread::sleep(Duration::from_secs(BRIEF));
        let interrupts = self.member.interrupts()? - before;
        println!("# {interrupts} interrupts in a storm");
        ensure!(
            interrupts < INTERRUPTS,
            "{interrupts} interrupts in a storm"
        );
        ensure!(self.hostile.wrong()? > 20 * INTERRUPTS, "no storm");
        Ok(())
    }

    fn destroyed(&self, stage: &Stage<'_>) -> Result<()> {
        let readers = [self.read("1", 5, BRIEF)?, self.read("2", u32::MAX, BRIEF)?];
        std::thread::sleep(Duration::from_secs(BRIEF / 2));
        stage.bed.destroy(stage.hostile)?;
        for reader in &readers {
            let seen = reader.end(PATIENCE + SLACK)?;
            ensure!(seen.figure("wrong")? == 0, "{}", seen.0);
        }
        fate::wait_until_gone(stage.bed, self.domid)
    }
}

fn wait_until(what: &str, holds: impl Fn() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !holds()? {
        ensure!(start.elapsed() < LIMIT, "waited in vain for {what}");
        std::thread::sleep(POLL);
    }
    Ok(())
}
