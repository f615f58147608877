// SPDX-License-Identifier: GPL-2.0
//! What a guest has returned by itself is given to somebody else, and then the guest wants it back. Its kernel
//! fills what is free with a pattern and looks at it again when it is allocated.

use super::growth::sound;
use super::host::Alone;
use super::pressure::{Filled, available, returned, set};
use super::{number, wait_until};
use anyhow::{Context, Result, bail, ensure};
use bed::balloon::Balloon;
use bed::{Bed, Guest, Host, Kind};
use std::time::{Duration, Instant};

/// By name.
pub const SCENARIOS: [Alone; 2] = [
    ("balloon_given_away pv", |bed| given_away(bed, Kind::Pv)),
    ("balloon_given_away pvh", |bed| given_away(bed, Kind::Pvh)),
];

const MIB: u64 = 256;
/// Where memory goes first; neither way is all in large runs.
const WAY: [u64; 4] = [200, 141, 233, MIB];
/// The first has precedence over the others, where the kernel has it.
const WORDS: &str = "page_poison=1 init_on_free=1 init_on_alloc=1";

/// Who has the host's memory meanwhile; it never runs.
const TAKER: &str = "taker";
/// What Xen takes for such a domain, and how often it is tried with so much less.
const SPARED_MIB: u64 = 6;
const TRIES: u64 = 8;
/// What a program of the guest's needs beyond what is available; the host has less left.
const MORE_KB: u64 = 40 * 1024;
/// So long a guest out of memory wants more, in milliseconds: longer than all that is looked at then.
const HOLD_OFF_MS: &str = "120000";
/// How a program ends that is killed by the kernel.
const KILLED: i32 = 128 + 9;
/// After which a program has what it uses, or never will.
const USE_LIMIT: Duration = Duration::from_secs(30);
/// What the agent then says of it.
const OVER: &str = "killed after";
/// For a try a second, and what else goes on here.
const SOON: Duration = Duration::from_secs(10);
/// For how long it is watched how often it tries.
const WATCHED: Duration = Duration::from_secs(4);

fn name(kind: Kind) -> String {
    format!("away-{kind}")
}

/// Adds the guests.
pub fn equip(host: Host) -> Host {
    [Kind::Pv, Kind::Pvh].into_iter().fold(host, |host, kind| {
        let guest = Guest::new(&name(kind), kind).memory_mib(MIB as u32);
        let guest = guest.module("xenballoon").cmdline(WORDS);
        host.guest(guest.starves().later())
    })
}

/// All of the host's free memory but a little, until dropped.
struct Taken<'a>(&'a Bed);

impl<'a> Taken<'a> {
    fn new(bed: &'a Bed) -> Result<Self> {
        let config = format!("/bed/guests/{}.cfg", name(Kind::Pv));
        let free = free_mib(bed)?;
        for spared in (1..=TRIES).map(|times| times * SPARED_MIB) {
            let mib = free.saturating_sub(spared);
            let line =
                format!("xl create -q -p {config} 'name=\"{TAKER}\"' memory={mib} maxmem={mib}");
            let output = bed.dom0().run_within(&["sh", "-c", &line], super::LIMIT)?;
            if output.status == 0 {
                println!("# the host has {} MiB of {free} left", free_mib(bed)?);
                return Ok(Self(bed));
            }
        }
        bail!("nobody can have what is left of {free} MiB")
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        // If that fails the next scenario says so.
        let _ = self.0.dom0().run(&["xl", "destroy", TAKER]);
    }
}

fn free_mib(bed: &Bed) -> Result<u64> {
    let info = bed.dom0().run(&["xl", "info"])?.ok()?.stdout;
    let mut lines = info.lines().filter_map(|line| line.split_once(':'));
    let free = lines.find(|(name, _)| name.trim() == "free_memory");
    let (_, free) = free.with_context(|| format!("no free_memory: {info}"))?;
    Ok(free.trim().parse()?)
}

/// So that the kernel promises more than there is.
const OVERCOMMIT: &str = "/proc/sys/vm/overcommit_memory";

/// How a program ended that wanted much.
#[derive(Debug, PartialEq)]
enum End {
    /// It had it.
    Well,
    /// The kernel has killed it.
    Killed,
    /// It waited for it, for ever.
    Waited,
}

/// Has a program use so much. Nobody else is killed for it.
fn use_up(balloon: &Balloon<'_>, kib: u64) -> Result<End> {
    let guest = balloon.guest();
    guest.write(OVERCOMMIT, "1")?;
    let line = format!(
        "echo 1000 > /proc/self/oom_score_adj && exec dd if=/dev/zero of=/dev/null bs={kib}k count=1"
    );
    match guest.run_within(&["sh", "-c", &line], USE_LIMIT) {
        Ok(output) if output.status == 0 => Ok(End::Well),
        Ok(output) if output.status == KILLED => Ok(End::Killed),
        Ok(output) => bail!("who needs {kib} KiB ends with {}", output.status),
        Err(error) if format!("{error:#}").contains(OVER) => Ok(End::Waited),
        Err(error) => Err(error),
    }
}

fn told(balloon: &Balloon<'_>, node: &str) -> Result<u64> {
    let path = format!("data/xenballoon/{node}");
    let text = balloon.bed().xenstore_read(balloon.guest().name(), &path)?;
    Ok(text.trim().parse()?)
}

fn given_away(bed: &Bed, kind: Kind) -> Result<()> {
    let name = name(kind);
    bed.create(&name)?;
    bed.wait_for_guest(&name)?;
    let balloon = Balloon::load(bed, &name)?;
    let (guest, target) = (balloon.guest(), balloon.target_of(MIB));
    let log = guest.run(&["dmesg"])?.ok()?.stdout;
    ensure!(
        log.contains("CONFIG_PAGE_POISONING is on"),
        "nothing is filled: {log}"
    );
    for mib in WAY {
        balloon.reach(mib)?;
    }
    // Nothing moves any more, as it may when a guest begins.
    let unseen = balloon.unseen_by_guest()?;
    // What has come back is used, too.
    drop(Filled::new(guest, available(guest)? - 16 * 1024)?);

    set(&balloon, "stats_ms", "1000")?;
    set(&balloon, "hold_off_ms", HOLD_OFF_MS)?;
    set(&balloon, "auto_return", "1")?;
    returned(&balloon)?;
    let needed = available(guest)? + MORE_KB;
    let wanted = {
        let _taken = Taken::new(bed)?;
        without(&balloon, target, needed)?
    };
    let start = Instant::now();
    wait_until("it has what it wanted", || {
        Ok(balloon.sample()?.current_kb >= wanted)
    })?;
    ensure!(start.elapsed() < SOON, "after {:?}", start.elapsed());
    let end = use_up(&balloon, needed)?;
    ensure!(end == End::Well, "who needs {needed} KiB: {end:?}");

    set(&balloon, "auto_return", "0")?;
    // What was given as relief may go.
    set(&balloon, "relief_kb", "0")?;
    balloon.settle(target)?;
    balloon.reach(200)?;
    balloon.reach(MIB)?;
    sound(&balloon)?;
    balloon.agrees(unseen)?;
    bed.destroy(&name)
}

/// The host has nothing, and the guest needs so much: it lives, says what it wants, and goes on asking. Answers
/// what it wants.
fn without(balloon: &Balloon<'_>, target: u64, needed: u64) -> Result<u64> {
    let guest = balloon.guest();
    let unseen = balloon.unseen_by_guest()?;
    let (before, events) = (balloon.sample()?, balloon.number("info/oom_events")?);
    let end = use_up(balloon, needed)?;
    ensure!(end != End::Well, "who needs {needed} KiB has it");
    let killed = u64::from(end == End::Killed);
    ensure!(number(guest, "/proc/vmstat", "oom_kill ")? == killed);
    if end == End::Waited {
        // With not a page free in one zone and enough in another the kernel has everybody wait for its kswapd, and
        // that for nobody: the OOM killer is never asked (`throttle_direct_reclaim()` in mm/vmscan.c).
        ensure!(number(guest, "/proc/vmstat", "pgscan_direct_throttle ")? > 0);
        println!("# {}: the kernel has who needs memory wait", guest.name());
    }
    let (now, wanted) = (balloon.sample()?, balloon.number("info/wanted_kb")?);
    let floor = balloon.number("info/floor_kb")?;
    ensure!(
        balloon.number("info/oom_events")? >= events + killed
            && now.current_kb >= before.current_kb.max(floor)
            && now.current_kb < wanted
            && wanted <= target
            && now.target_kb == target,
        "{before:?}, then {now:?}, {wanted} KiB wanted, floor {floor}"
    );

    let start = Instant::now();
    let tries = balloon.number("retry_count")?;
    std::thread::sleep(WATCHED);
    let tried = balloon.number("retry_count")?.saturating_sub(tries);
    let most = start.elapsed().as_secs() + 1;
    ensure!(
        (2..=most).contains(&tried),
        "{tried} tries in {:?}",
        start.elapsed()
    );
    ensure!(balloon.number("info/wanted_kb")? == wanted);

    wait_until("the host is told", || {
        Ok(told(balloon, "current_kb")? == balloon.sample()?.current_kb
            && told(balloon, "oom_kill")? == killed)
    })?;
    ensure!(told(balloon, "target_kb")? == target && told(balloon, "floor_kb")? == floor);
    sound(balloon)?;
    balloon.agrees(unseen)?;
    Ok(wanted)
}
