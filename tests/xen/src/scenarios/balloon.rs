// SPDX-License-Identifier: GPL-2.0
//! xenballoon, as docs/xenballoon.md describes it.

use super::{BOOT_MIB, LIMIT, MOST_MIB, POLL, Run, number, saved_and_restored, wait_until};
use anyhow::{Context, Result, bail, ensure};
use bed::balloon::{BUILTIN, Balloon, SYSFS};
use bed::{Refused, Until};
use std::time::{Duration, Instant};

const EINVAL: i32 = 22;
const ERANGE: i32 = 34;
const SIGTERM: i32 = 15;

/// By name.
pub const SCENARIOS: [(&str, Run); 10] = [
    ("balloon_to_the_page", to_the_page),
    ("balloon_past_boot_size", past_boot_size),
    ("balloon_refused_for_long", refused_for_long),
    ("balloon_sysfs_nonsense", sysfs_nonsense),
    ("balloon_xenstore_nonsense", xenstore_nonsense),
    ("balloon_newest_target_wins", newest_target_wins),
    ("balloon_rmmod_hands_over", rmmod_hands_over),
    ("balloon_target_during_rmmod", target_during_rmmod),
    ("balloon_reload", reload),
    ("balloon_save_restore", save_restore),
];

fn to_the_page(balloon: Balloon<'_>) -> Result<()> {
    for mib in [200, 241, 199, BOOT_MIB] {
        balloon.reach(mib)?;
    }
    Ok(())
}

fn past_boot_size(balloon: Balloon<'_>) -> Result<()> {
    for mib in [300, MOST_MIB, 220, MOST_MIB, BOOT_MIB] {
        balloon.reach(mib)?;
    }
    Ok(())
}

/// The built-in driver by itself gives up after 14 seconds, for an hour.
const REFUSED_FOR: Duration = Duration::from_secs(20);
/// How often it is tried meanwhile: soon at first, then once a second.
const TRIES: std::ops::RangeInclusive<u64> = 11..=30;
/// For how long its decisions are counted then, of which there is one for each time that it wakes.
const WATCHED: Duration = Duration::from_secs(10);
const DECISIONS: &str = "/sys/kernel/tracing/events/xenballoon/xenballoon_decision";
const BY_ACTION: &str = "hist:keys=action";
/// A try a second, and what else goes on here.
const SOON: Duration = Duration::from_secs(10);

/// What the host refuses for long it gives as soon as it may.
fn refused_for_long(balloon: Balloon<'_>) -> Result<()> {
    let target = balloon.target_of(MOST_MIB);
    let (bed, name) = (balloon.bed(), balloon.guest().name());
    // The toolstack has been asked for no more than the boot size, and allows no more.
    balloon
        .guest()
        .write(&format!("{SYSFS}/target_kb"), &target.to_string())?;
    std::thread::sleep(REFUSED_FOR);
    let (before, tries) = (balloon.sample()?, balloon.number("retry_count")?);
    ensure!(
        before.target_kb == target && before.current_kb < target && TRIES.contains(&tries),
        "{before:?}, {tries} tries"
    );
    let woken = wakes_meanwhile(&balloon)?;
    println!("# {name}: {woken} decisions in {WATCHED:?}");
    bed.allow(name, MOST_MIB)?;
    let start = Instant::now();
    wait_until("it moves", || {
        Ok(balloon.sample()?.current_kb > before.current_kb)
    })?;
    ensure!(start.elapsed() < SOON, "after {:?}", start.elapsed());
    balloon.settle(target)?;
    balloon.reach(BOOT_MIB).map(drop)
}

/// Counts how often it wakes for a while, which must not be more than once a second.
fn wakes_meanwhile(balloon: &Balloon<'_>) -> Result<u64> {
    let guest = balloon.guest();
    let trigger = format!("{DECISIONS}/trigger");
    let seen = || number(guest, &format!("{DECISIONS}/hist"), "Hits: ");
    guest.write(&trigger, BY_ACTION)?;
    let start = Instant::now();
    let before = seen()?;
    std::thread::sleep(WATCHED);
    let woken = seen()? - before;
    let most = start.elapsed().as_secs() + 1;
    guest.write(&trigger, &format!("!{BY_ACTION}"))?;
    ensure!(
        (1..=most).contains(&woken),
        "{woken} decisions in {:?}",
        start.elapsed()
    );
    Ok(woken)
}

/// Writes a target and answers the error number it was refused with.
fn refused(balloon: &Balloon<'_>, text: &str) -> Result<i32> {
    let Err(error) = balloon.guest().write(&format!("{SYSFS}/target_kb"), text) else {
        bail!("target_kb takes {text:?}");
    };
    let errno = error
        .downcast_ref::<Refused>()
        .and_then(|refused| refused.failure.errno);
    errno.with_context(|| format!("no error number: {error:#}"))
}

fn sysfs_nonsense(balloon: Balloon<'_>) -> Result<()> {
    let before = balloon.sample()?;
    let above = (balloon.number("info/max_kb")? + 4).to_string();
    let below = (balloon.number("info/floor_kb")? - 4).to_string();
    let cases: [(&str, &[i32]); 8] = [
        ("0", &[ERANGE]),
        (&above, &[ERANGE]),
        (&below, &[ERANGE]),
        ("18446744073709551615", &[ERANGE]),
        ("99999999999999999999999999", &[ERANGE, EINVAL]),
        ("-4096", &[EINVAL]),
        ("abc", &[EINVAL]),
        ("204800x", &[EINVAL]),
    ];
    for (text, allowed) in cases {
        let errno = refused(&balloon, text)?;
        ensure!(
            allowed.contains(&errno),
            "target_kb refuses {text:?} with error {errno}"
        );
    }
    let after = balloon.sample()?;
    ensure!(
        after == before,
        "refused targets had an effect: {before:?}, then {after:?}"
    );
    let good = balloon.target_of(220);
    balloon
        .guest()
        .write(&format!("{SYSFS}/target_kb"), &good.to_string())?;
    balloon.settle(good)?;
    balloon.reach(BOOT_MIB).map(drop)
}

/// What no node can hold that is read: the last is a page more than any domain can have.
const NO_SIZES: [&str; 7] = [
    "garbage",
    "",
    "-1",
    "12 apples",
    "18446744073709551615",
    "18446744073709551616",
    "68719476740",
];

/// More than the built-in driver gives before it is stopped.
const ENOUGH_KB: u64 = 64 * 1024;

fn xenstore_nonsense(balloon: Balloon<'_>) -> Result<()> {
    let (bed, name) = (balloon.bed(), balloon.guest().name().to_string());
    let before = balloon.sample()?;
    let most = balloon.number("info/max_kb")?;
    let allowed = bed.xenstore_read(&name, "memory/static-max")?;
    for node in ["memory/target", "memory/static-max"] {
        for text in NO_SIZES {
            // The built-in driver believes it and, with no reserve left, adds memory without end.
            let reserve = balloon.number("info/builtin_kb")?;
            if node == "memory/target" && text.len() > 10 && reserve < ENOUGH_KB {
                continue;
            }
            let known = balloon.number("info/refused_targets")?;
            bed.xenstore_write(&name, node, text)?;
            wait_until(&format!("{text:?} in {node} is refused"), || {
                Ok(balloon.number("info/refused_targets")? > known)
            })?;
            // In bytes it would not fit.
            let bytes = balloon.number("target")?;
            ensure!(
                bytes == before.target_kb * 1024,
                "{text:?} in {node}: {bytes}"
            );
            ensure!(balloon.number("info/max_kb")? == most, "{text:?} in {node}");
        }
    }
    bed.xenstore_write(&name, "memory/static-max", &allowed)?;
    bed.xenstore_remove(&name, "memory/target")?;
    // Nothing tells that a removal was seen; a move it had set off would show by now.
    std::thread::sleep(Duration::from_millis(500));
    // What the built-in driver has done before it was stopped is undone.
    balloon.settle(before.current_kb)?;
    let now = balloon.sample()?;
    ensure!(
        now.target_kb == before.target_kb,
        "nonsense had an effect: {before:?}, then {now:?}"
    );
    let floor = balloon.number("info/floor_kb")?;
    bed.xenstore_write(&name, "memory/target", "0")?;
    wait_until("0 is brought up to the floor", || {
        Ok(balloon.number("target_kb")? == floor)
    })?;
    let boot = balloon.target_of(BOOT_MIB);
    bed.xenstore_write(&name, "memory/target", &balloon.asked_for(boot).to_string())?;
    wait_until("a good target is taken", || {
        Ok(balloon.number("target_kb")? == boot)
    })?;
    balloon.settle(boot)?;
    balloon.reach(200).map(drop)
}

fn newest_target_wins(balloon: Balloon<'_>) -> Result<()> {
    balloon.ask(MOST_MIB)?;
    balloon.ask(190)?;
    let done = balloon.go(230, |_| ())?;
    ensure!(done.to_kb == balloon.target_of(230), "{done:?}");
    // And nothing follows.
    std::thread::sleep(Duration::from_millis(500));
    let now = balloon.sample()?;
    ensure!(now.current_kb == done.to_kb, "{now:?}");
    Ok(())
}

fn rmmod_hands_over(balloon: Balloon<'_>) -> Result<()> {
    balloon.reach(200)?;
    balloon.guest().rmmod("xenballoon")?;
    let builtin = format!("{BUILTIN}/info/current_kb");
    let now = balloon.guest().read_number(&builtin)?;
    ensure!(
        now == balloon.target_of(200),
        "the built-in driver has {now} KiB after rmmod"
    );
    balloon.ask(BOOT_MIB)?;
    balloon.guest().wait_for(Until {
        path: &builtin,
        equals: &balloon.target_of(BOOT_MIB).to_string(),
        poll: POLL,
        limit: LIMIT,
    })?;
    Ok(())
}

/// A target that comes while the module goes is followed, whoever hears of it.
fn target_during_rmmod(balloon: Balloon<'_>) -> Result<()> {
    const ROUNDS: u64 = 8;
    const STEP: Duration = Duration::from_millis(40);
    let (bed, guest) = (balloon.bed(), balloon.guest());
    let name = guest.name();
    for round in 0..ROUNDS {
        balloon.reach(200)?;
        bed.allow(name, MOST_MIB)?;
        let target = balloon.target_of(210 + round);
        std::thread::scope(|scope| -> Result<()> {
            let gone = scope.spawn(|| guest.rmmod("xenballoon"));
            std::thread::sleep(STEP * round as u32);
            let asked = balloon.asked_for(target).to_string();
            bed.xenstore_write(name, "memory/target", &asked)?;
            gone.join().map_err(|_| anyhow::anyhow!("rmmod panics"))?
        })?;
        guest
            .wait_for(Until {
                path: &format!("{BUILTIN}/info/current_kb"),
                equals: &target.to_string(),
                poll: POLL,
                limit: LIMIT,
            })
            .with_context(|| format!("in round {round}"))?;
        guest.insmod("xenballoon", &[])?;
    }
    balloon.reach(BOOT_MIB).map(drop)
}

fn reload(balloon: Balloon<'_>) -> Result<()> {
    balloon.reach(210)?;
    let guest = balloon.guest();
    for round in 0..10 {
        guest.rmmod("xenballoon")?;
        guest.insmod("xenballoon", &[])?;
        let now = balloon.sample()?;
        ensure!(
            now.current_kb == balloon.target_of(210),
            "round {round}: {now:?}"
        );
    }
    balloon.reach(BOOT_MIB).map(drop)
}

fn save_restore(balloon: Balloon<'_>) -> Result<()> {
    let (bed, name) = (balloon.bed(), balloon.guest().name().to_string());
    balloon.reach(192)?;
    let before = balloon.unseen_by_guest()?;
    saved_and_restored(bed, &name)?;
    let balloon = Balloon::of(bed, &name)?;
    // The tool stack gives a restored domain the target of its configuration.
    wait_until("the restored guest is at a target", || {
        let now = balloon.sample()?;
        Ok(now.current_kb == now.target_kb)
    })?;
    balloon.agrees(before)?;
    for mib in [240, 200, BOOT_MIB] {
        balloon.reach(mib)?;
    }
    late_builtin(&balloon)?;
    balloon.reach(BOOT_MIB).map(drop)
}

/// For how long the built-in driver may follow a target once that is reached.
const LATE_BY: Duration = Duration::from_secs(2);

/// After a restore the built-in driver hears of a target after us; here by far, as all watches have to wait for who
/// never does. It is not to follow what we have followed.
fn late_builtin(balloon: &Balloon<'_>) -> Result<()> {
    let guest = balloon.guest();
    let nice = |nice: &str| -> Result<()> {
        let line = format!("renice {nice} -p $(pidof xenwatch)");
        guest.run(&["sh", "-c", &line])?.ok().map(drop)
    };
    let busy = guest.spawn(&["sh", "-c", "while :; do :; done"], "/dev/null")?;
    let stay = nice("19").and_then(|()| {
        let mut targets = [240, 236, 244].into_iter();
        targets.try_for_each(|mib| stays(balloon, mib))
    });
    nice("0")?;
    guest.kill(busy, SIGTERM)?;
    stay
}

/// A target is reached and stays so.
fn stays(balloon: &Balloon<'_>, mib: u64) -> Result<()> {
    balloon.go(mib, |_| ())?;
    std::thread::sleep(LATE_BY);
    let now = balloon.sample()?;
    ensure!(now.current_kb == balloon.target_of(mib), "{now:?}");
    Ok(())
}
