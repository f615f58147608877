// SPDX-License-Identifier: GPL-2.0
//! Guests that go to sleep by themselves.

use super::{BOOT_MIB, Run, wait_until};
use anyhow::{Result, ensure};
use bed::balloon::Balloon;
use std::time::{Duration, Instant};

/// By name.
pub const SCENARIOS: [(&str, Run); 2] = [
    ("balloon_hibernate", |balloon| {
        asleep(balloon, "disk", "freezer")
    }),
    ("balloon_suspend_to_idle", |balloon| {
        asleep(balloon, "freeze", "devices")
    }),
];

/// For how long the kernel stays where a test of its sleep has led it, in seconds: less than what it
/// takes for a lockup.
const ASLEEP_S: u64 = 12;
/// What a kernel tells when no worker runs any more...
const FALLEN_ASLEEP: &str = "Freezing remaining freezable tasks completed";
/// ... on its console, if it tells all there: who reads its log otherwise sleeps as well.
const TELLING: &str = "/proc/sys/kernel/printk";
/// In which a guest that is awake would long have heard of a target.
const SLEEPING: Duration = Duration::from_millis(1500);

/// Memory stays as it is until the guest is awake again; then it goes to where it was asked to go.
fn asleep(balloon: Balloon<'_>, state: &str, level: &str) -> Result<()> {
    let (bed, guest) = (balloon.bed(), balloon.guest());
    balloon.reach(230)?;
    let unseen = balloon.unseen_by_guest()?;
    // A copy of what is used has to fit beside it.
    guest.write("/proc/sys/vm/drop_caches", "3")?;
    guest.write("/sys/power/image_size", "0")?;
    guest.write("/sys/power/pm_test", level)?;
    for part in ["suspend", "hibernate"] {
        let delay = format!("/sys/module/{part}/parameters/pm_test_delay");
        guest.write(&delay, &ASLEEP_S.to_string())?;
    }
    let before = bed.xen_memory_kib(guest.name())?;
    let line = format!(
        "echo {state} > /sys/power/state; echo $? > /tmp/slept.new; mv /tmp/slept.new /tmp/slept"
    );
    guest.run(&["rm", "-f", "/tmp/slept"])?.ok()?;
    let begin = bed.mark(guest.name())?;
    guest.write(TELLING, "7")?;
    let start = Instant::now();
    guest.spawn(&["sh", "-c", &line], "/tmp/sleep")?;
    wait_until("a guest that sleeps", || {
        let logs = bed.logs();
        let lines = logs.get(guest.name()).into_iter().flatten();
        let mut new = lines.skip(begin);
        Ok(new.any(|line| line.text.contains(FALLEN_ASLEEP)))
    })?;
    balloon.ask(200)?;
    std::thread::sleep(SLEEPING);
    let during = bed.xen_memory_kib(guest.name())?;
    ensure!(
        during == before,
        "{before} KiB became {during} in a guest that sleeps"
    );
    balloon.settle(balloon.target_of(200))?;
    ensure!(
        start.elapsed() > Duration::from_secs(ASLEEP_S),
        "awake after {:?}",
        start.elapsed()
    );
    // The balloon's worker may be awake, and done, before the shell is.
    wait_until("a shell that has slept", || {
        Ok(guest.run(&["test", "-e", "/tmp/slept"])?.ok().is_ok())
    })?;
    ensure!(
        guest.read("/tmp/slept")? == "0",
        "{}",
        guest.read("/tmp/sleep")?
    );
    guest.write(TELLING, "4")?;
    guest.write("/sys/power/pm_test", "none")?;
    balloon.reach(BOOT_MIB)?;
    balloon.agrees(unseen)?;
    Ok(())
}
