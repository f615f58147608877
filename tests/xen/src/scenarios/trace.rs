// SPDX-License-Identifier: GPL-2.0
//! What the engine did in a guest is what it does here, shown the same.

use super::endurance::come_to_rest;
use super::pressure::{Filled, auto_return, available, relief, set};
use super::{BOOT_MIB, MOST_MIB, Run, wait_until};
use anyhow::{Context, Result, bail, ensure};
use balloon_replay::{Replayed, replay};
use bed::balloon::Balloon;
use bed::{Machine, place};
use std::fs;

const TRACING: &str = "/sys/kernel/tracing";
/// Room for all events, for each processor.
const BUFFER_KIB: &str = "4096";

/// By name.
pub const SCENARIOS: [(&str, Run); 1] = [("balloon_traces_replay", traces_replay)];

/// Turned off when dropped.
struct Recording<'a>(Machine<'a>);

impl<'a> Recording<'a> {
    fn start(guest: &Machine<'a>) -> Result<Self> {
        let file = |name: &str| format!("{TRACING}/{name}");
        guest.write(&file("buffer_size_kb"), BUFFER_KIB)?;
        guest.write(&file("trace"), "")?;
        guest.write(&file("events/xenballoon/enable"), "1")?;
        Ok(Self(guest.clone()))
    }

    fn finish(self) -> Result<String> {
        let text = self.0.read(&format!("{TRACING}/trace"))?;
        ensure!(!text.is_empty(), "an empty trace");
        Ok(text + "\n")
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        // The next one clears what is there.
        let _ = self
            .0
            .write(&format!("{TRACING}/events/xenballoon/enable"), "0");
        let _ = self.0.write(&format!("{TRACING}/buffer_size_kb"), "1408");
    }
}

fn traces_replay(balloon: Balloon<'_>) -> Result<()> {
    let name = balloon.guest().name().to_string();
    let recording = Recording::start(balloon.guest())?;
    walk(&balloon)?;
    for scenario in [relief, auto_return] {
        scenario(Balloon::of(balloon.bed(), &name)?)?;
    }
    let text = recording.finish()?;
    let folder = place::clone_path("build/traces");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}.trace"));
    fs::write(&file, &text)?;

    let replayed = replay(&text).with_context(|| place::for_people(&file).to_string())?;
    println!("# {name}: {replayed:?}");
    let Replayed {
        decisions,
        outcomes,
        reliefs,
        wakes,
        ..
    } = replayed;
    ensure!(
        decisions > 50 && outcomes > 20 && reliefs > 0 && wakes > 8,
        "{replayed:?}"
    );
    for action in [
        "take_huge",
        "take_base",
        "give_huge",
        "give_base",
        "split",
        "borrow",
        "wait",
        "watch",
        "rest",
    ] {
        ensure!(
            text.contains(&format!("action={action} ")),
            "no {action} in {}",
            place::for_people(&file)
        );
    }
    has_teeth(&text)
}

/// Down and up, to odd pages, past the boot size, below the floor, above what there is to give, to what
/// the host does not let it have, and with other limits.
fn walk(balloon: &Balloon<'_>) -> Result<()> {
    let (bed, guest) = (balloon.bed(), balloon.guest());
    let name = guest.name().to_string();
    for mib in [200, 233, MOST_MIB, BOOT_MIB] {
        balloon.reach(mib)?;
    }
    for odd in [balloon.target_of(199) + 4, balloon.target_of(203) + 8] {
        set(balloon, "target_kb", &odd.to_string())?;
        balloon.settle(odd)?;
    }

    let filled = Filled::new(guest, available(guest)? - 40 * 1024)?;
    let floor = balloon.number("info/floor_kb")?;
    let below = balloon.asked_for(floor - 4096).to_string();
    bed.xenstore_write(&name, "memory/target", &below)?;
    wait_until("there is no more to take", || {
        Ok(balloon.number("target_kb")? == floor && balloon.number("retry_count")? > 2)
    })?;
    drop(filled);
    come_to_rest(balloon)?;
    balloon.reach(220)?;
    // The host lets it have no more.
    let failures = balloon.number("info/failures")?;
    set(
        balloon,
        "target_kb",
        &balloon.target_of(BOOT_MIB).to_string(),
    )?;
    wait_until("it is tried again", || {
        Ok(balloon.number("info/failures")? > failures + 2)
    })?;
    set(balloon, "floor_kb", &balloon.target_of(210).to_string())?;
    bed.xenstore_write(&name, "memory/target", &below)?;
    balloon.settle(balloon.target_of(210))?;
    set(balloon, "floor_kb", "0")?;
    come_to_rest(balloon)?;
    balloon.reach(BOOT_MIB).map(drop)
}

/// A trace with one thing changed does not replay.
fn has_teeth(text: &str) -> Result<()> {
    for (old, new) in [
        ("action=take_huge pages=", "action=take_huge pages=1"),
        ("action=watch", "action=rest"),
        (" beyond=1 granted=", " beyond=1 granted=9"),
    ] {
        // The last one: all is being replayed by then. Not what came of it: that nothing did may be as good
        // as that little did.
        let answered = |&(at, _): &(usize, &str)| {
            let line = text[..at].lines().last().unwrap_or_default();
            !line.contains("xenballoon_outcome")
        };
        let (at, _) = text
            .rmatch_indices(old)
            .find(answered)
            .with_context(|| format!("no {old:?}"))?;
        let changed = format!("{}{new}{}", &text[..at], &text[at + old.len()..]);
        if replay(&changed).is_ok() {
            bail!("{old:?} may as well be {new:?}");
        }
    }
    Ok(())
}
