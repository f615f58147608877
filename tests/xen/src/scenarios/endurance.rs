// SPDX-License-Identifier: GPL-2.0
//! The same again and again, under load, and in the middle of something else.

use super::{BOOT_MIB, MOST_MIB, Run, migrated, saved_and_restored, wait_until};
use anyhow::{Result, ensure};
use bed::balloon::{Balloon, SYSFS};
use bed::{Bed, Machine};
use std::time::Duration;

/// Runs only when it is named: how long it takes depends on how often the toolstack gives up.
pub const MIGRATION: &str = "balloon_migrate_under_way";

/// By name.
pub const SCENARIOS: [(&str, Run); 5] = [
    ("balloon_random_targets", |balloon| {
        random_targets(balloon, 60)
    }),
    ("balloon_cycles", |balloon| cycles(balloon, 12)),
    ("balloon_compaction", compaction),
    ("balloon_save_under_way", |balloon| {
        let low = balloon.number("floor_kb")? + 4096;
        moved_under_way(balloon, low, saved_and_restored)
    }),
    (MIGRATION, |balloon| {
        let low = balloon.target_of(BOOT_MIB) - LITTLE_KB;
        moved_under_way(balloon, low, migrated)
    }),
];

/// What moves while a guest migrates: the toolstack gives up where a page goes that it is about to copy, so
/// these are few at a time, and again and again.
const LITTLE_KB: u64 = 4096;
/// What has to have moved meanwhile, in hypercalls: there and back, each step of a PVH guest being one.
const UNDER_WAY: u64 = 2;

const LIMIT: Duration = Duration::from_secs(3000);

/// A new target 50 times a second, while something fills up to 24 MiB and leaves them again. Ends with the
/// number of targets on standard output.
const TARGETS: &str = "
    cd /sys/class/misc/xenballoon
    low=$(cat floor_kb) most=$(cat info/max_kb) r=$1 n=0
    mkdir -p /load && mount -t tmpfs none /load
    (while [ -e /load ]; do
        dd if=/dev/zero of=/load/fill bs=1M count=$((n = (n * 5 + 7) % 24)) 2>/dev/null
        rm -f /load/fill
        [ -e /load/stop ] && break
    done) &
    while [ $n -lt $2 ]; do
        r=$(((r * 1103515245 + 12345) % 2147483648))
        echo $((low + (r / 8) % (most - low))) > target_kb || exit 1
        usleep 20000
        n=$((n + 1))
    done
    touch /load/stop; wait; umount /load; echo $n";

fn targets(guest: &Machine<'_>, count: u32) -> Result<()> {
    let count = count.to_string();
    let killed = super::number(guest, "/proc/vmstat", "oom_kill ")?;
    let output = guest.run_within(&["sh", "-c", TARGETS, "targets", "20261121", &count], LIMIT)?;
    let output = output.ok()?;
    ensure!(output.stdout.trim() == count, "{}", output.stdout);
    ensure!(
        super::number(guest, "/proc/vmstat", "oom_kill ")? == killed,
        "out of memory"
    );
    Ok(())
}

/// Longer than a step takes.
const STEP: Duration = Duration::from_millis(1500);

/// Waits until nothing moves. In the middle of a step the guest's figures are those of before it.
pub fn come_to_rest(balloon: &Balloon<'_>) -> Result<()> {
    wait_until("the last move has ended", || {
        let before = balloon.sample()?;
        std::thread::sleep(STEP);
        let now = balloon.sample()?;
        Ok(now == before && now.current_kb == now.target_kb)
    })
}

/// Random targets under load: nobody is killed, and not a page is missing afterwards.
pub fn random_targets(balloon: Balloon<'_>, count: u32) -> Result<()> {
    let before = balloon.unseen_by_guest()?;
    balloon.bed().allow(balloon.guest().name(), MOST_MIB)?;
    targets(balloon.guest(), count)?;
    come_to_rest(&balloon)?;
    balloon.reach(BOOT_MIB)?;
    balloon.agrees(before)?;
    Ok(())
}

/// Loads and unloads, each time with something held and a step under way.
pub fn cycles(balloon: Balloon<'_>, count: u32) -> Result<()> {
    const CYCLES: &str = "
        cd /; n=0 a=$2 b=$3
        while [ $n -lt $1 ]; do
            echo $a > /sys/class/misc/xenballoon/target_kb || exit 1
            c=$a a=$b b=$c n=$((n + 1))
            rmmod xenballoon && insmod /modules/xenballoon.ko || exit 1
        done
        echo $n";
    let before = balloon.unseen_by_guest()?;
    let (low, high) = (
        balloon.target_of(200).to_string(),
        balloon.target_of(BOOT_MIB).to_string(),
    );
    let (guest, count) = (balloon.guest(), count.to_string());
    let line = ["sh", "-c", CYCLES, "cycles", &count, &low, &high];
    let output = guest.run_within(&line, LIMIT)?.ok()?;
    ensure!(output.stdout.trim() == count, "{}", output.stdout);
    come_to_rest(&balloon)?;
    balloon.reach(220)?;
    balloon.reach(BOOT_MIB)?;
    balloon.agrees(before)?;
    Ok(())
}

/// What is surrendered stays where it is when the kernel moves pages about, and all else moves unharmed.
fn compaction(balloon: Balloon<'_>) -> Result<()> {
    const COMPACT: &str = "
        mkdir -p /moved && mount -t tmpfs none /moved && cd /moved || exit 1
        n=0
        while [ $n -lt 64 ]; do
            dd if=/dev/urandom of=$n bs=256k count=1 2>/dev/null; n=$((n + 1))
        done
        sums=$(md5sum *)
        # Every other one: what is left has to be moved to put larger runs together.
        n=0; while [ $n -lt 64 ]; do rm $n; n=$((n + 2)); done
        sums=$(echo \"$sums\" | grep '[13579]$')
        n=0; while [ $n -lt 5 ]; do echo 1 > /proc/sys/vm/compact_memory; n=$((n + 1)); done
        [ \"$(md5sum *)\" = \"$sums\" ] || exit 2
        cd / && umount /moved";
    let before = balloon.unseen_by_guest()?;
    // Single pages as well: those are in compaction's way.
    let odd = balloon.target_of(200) + 4 * 300;
    balloon
        .guest()
        .write(&format!("{SYSFS}/target_kb"), &odd.to_string())?;
    balloon.settle(odd)?;
    let moved = || super::number(balloon.guest(), "/proc/vmstat", "pgmigrate_success ");
    let moved_before = moved()?;
    // Where there is room enough as it is, the kernel moves nothing.
    wait_until("something is moved", || {
        balloon.guest().run(&["sh", "-c", COMPACT])?.ok()?;
        Ok(moved()? > moved_before)
    })?;
    let invariants = "/sys/kernel/debug/xenballoon/invariants";
    let lines = balloon.guest().read(invariants)?;
    ensure!(lines.lines().all(|line| line.ends_with(": ok")), "{lines}");
    balloon.reach(BOOT_MIB)?;
    balloon.agrees(before)?;
    Ok(())
}

/// Put into another domain while new targets come in all the time.
fn moved_under_way(
    balloon: Balloon<'_>,
    low_kb: u64,
    to_move: fn(&Bed, &str) -> Result<()>,
) -> Result<()> {
    let (bed, name) = (balloon.bed(), balloon.guest().name().to_string());
    let before = balloon.unseen_by_guest()?;
    bed.allow(&name, MOST_MIB)?;
    let line = format!(
        "(low={low_kb} high={}; while [ ! -e /stop ]; do
            echo $low > {SYSFS}/target_kb; usleep 30000
            echo $high > {SYSFS}/target_kb; usleep 30000
        done; rm /stop; touch /stopped) > /dev/null 2>&1 &",
        balloon.target_of(BOOT_MIB)
    );
    balloon.guest().run(&["sh", "-c", &line])?.ok()?;
    let calls = balloon.number("info/hypercalls")?;
    let moved = to_move(bed, &name);

    let guest = bed.guest(&name)?;
    let calls = guest.read_number(&format!("{SYSFS}/info/hypercalls"))? - calls;
    guest.run(&["touch", "/stop"])?.ok()?;
    wait_until("the load has ended", || {
        Ok(guest.run(&["rm", "/stopped"])?.status == 0)
    })?;
    moved?;
    ensure!(calls >= UNDER_WAY, "{calls} hypercalls meanwhile");
    come_to_rest(&balloon)?;
    // The toolstack's target counts again when it is set again.
    balloon.reach(200)?;
    balloon.reach(BOOT_MIB)?;
    balloon.agrees(before)?;
    Ok(())
}
