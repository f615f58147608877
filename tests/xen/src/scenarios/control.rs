// SPDX-License-Identifier: GPL-2.0
//! What programs ask /dev/xenballoon for, by a program made from the module's own header, for 64
//! bits and for 32.

use super::client::{Answer, BITS, Client, Refused};
use super::pressure::set;
use super::{BOOT_MIB, MOST_MIB, Run, wait_until};
use anyhow::{Context, Result, ensure};
use bed::Machine;
use bed::balloon::Balloon;
use std::time::{Duration, Instant};

const EINTR: u64 = 4;
const EBADF: u64 = 9;
const EWOULDBLOCK: i32 = 11;
const ERANGE: u64 = 34;
const ETIMEDOUT: u64 = 110;

const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;

const FOREVER: u64 = u32::MAX as u64;
/// The calls, and how many 64-bit words each has reserved.
const CALLS: [(&str, u32); 3] = [("stats", 7), ("set", 2), ("wait", 2)];
/// The figures of `stats`, and their files.
const FIGURES: [(&str, &str); 16] = [
    ("target_kb", "target_kb"),
    ("current_kb", "current_kb"),
    ("asked_kb", "info/asked_kb"),
    ("floor_kb", "info/floor_kb"),
    ("reserve_kb", "info/reserve_kb"),
    ("max_kb", "info/max_kb"),
    ("limit_kb", "info/limit_kb"),
    ("held_kb", "info/held_kb"),
    ("builtin_kb", "info/builtin_kb"),
    ("hypercalls", "info/hypercalls"),
    ("taken_huge_kb", "info/taken_huge_kb"),
    ("taken_base_kb", "info/taken_base_kb"),
    ("given_huge_kb", "info/given_huge_kb"),
    ("given_base_kb", "info/given_base_kb"),
    ("failures", "info/failures"),
    ("refused", "info/refused_targets"),
];

/// By name.
pub const SCENARIOS: [(&str, Run); 1] = [("balloon_ioctl", ioctl)];

/// An error unless it is at this target.
fn is_at(answer: &Answer, kib: u64) -> Result<()> {
    let (target, current) = (answer.get("target_kb")?, answer.get("current_kb")?);
    ensure!(
        answer.get("errno")? == 0 && target == kib && current == kib,
        "not at {kib} KiB: {:?}",
        answer.0
    );
    Ok(())
}

fn ioctl(balloon: Balloon<'_>) -> Result<()> {
    for bits in BITS {
        let client = Client::new(balloon.guest(), "xenballoon", bits);
        figures(&balloon, &client)?;
        refusals(&balloon, &client)?;
        set_then_wait(&balloon, &client)?;
        unreachable(&balloon, &client, bits == "64")?;
        toolstack_ends_a_wait(&balloon, &client)?;
        balloon.reach(BOOT_MIB)?;
        elsewhere_on_purpose(&balloon, &client)?;
        balloon.reach(BOOT_MIB)?;
    }
    Ok(())
}

fn figures(balloon: &Balloon<'_>, client: &Client<'_, '_>) -> Result<()> {
    let answer = client.expect("-r stats target_kb=7 refused=7", 0)?;
    for (field, file) in FIGURES {
        let (field, file) = (answer.get(field)?, balloon.number(file)?);
        ensure!(field == file, "{field} is not {file}: {:?}", answer.0);
    }
    for (name, value) in &answer.0 {
        ensure!(
            !name.starts_with("reserved") || *value == 0,
            "{name} is {value}"
        );
    }
    let answer = client.expect("-r wait target_kb=7 current_kb=7", 0)?;
    is_at(&answer, balloon.target_of(BOOT_MIB))
}

fn refusals(balloon: &Balloon<'_>, client: &Client<'_, '_>) -> Result<()> {
    let known = balloon.number("info/refused_targets")?;
    let before = balloon.sample()?;
    client.refuses(&Refused {
        calls: &CALLS,
        padded: &["stats", "set"],
        answered: &["stats", "wait"],
        // No such number, an argument of another size, and one in the other direction.
        numbers: &["0", "0xbe03", "0xc0c8be00", "0x8028be02"],
    })?;
    let below = balloon.number("info/floor_kb")? - 4;
    let above = balloon.number("info/max_kb")? + 4;
    client.expect(&format!("-r set target_kb={}", before.current_kb), EBADF)?;
    for target in [0, below, above, u64::MAX] {
        client.expect(&format!("set target_kb={target}"), ERANGE)?;
    }
    let refused = balloon.number("info/refused_targets")? - known;
    ensure!(refused == 4, "{refused} targets count as refused");
    let after = balloon.sample()?;
    ensure!(after == before, "{before:?}, then {after:?}");
    Ok(())
}

/// A wait that follows at once must not take the old target for the new one.
fn set_then_wait(balloon: &Balloon<'_>, client: &Client<'_, '_>) -> Result<()> {
    for mib in [220, BOOT_MIB] {
        let target = balloon.target_of(mib);
        let both = format!(
            "{0} set target_kb={1} && {0} wait timeout_ms={FOREVER}",
            client.program,
            // Rounded down to a page.
            target + 3
        );
        let output = client.guest.run(&["sh", "-c", &both])?.ok()?.stdout;
        let (_, wait) = output.split_at(output.rfind("errno").context("no answer")?);
        is_at(&Answer::parse(wait)?, target)?;
        ensure!(balloon.sample()?.current_kb == target);
    }
    Ok(())
}

/// The host gives no more than the toolstack allows.
fn unreachable(balloon: &Balloon<'_>, client: &Client<'_, '_>, signals: bool) -> Result<()> {
    let most = balloon.target_of(MOST_MIB);
    client.expect(&format!("set target_kb={most}"), 0)?;
    client.expect("wait", ETIMEDOUT)?;
    let start = Instant::now();
    let answer = client.expect("wait timeout_ms=1500", ETIMEDOUT)?;
    ensure!(
        start.elapsed() >= Duration::from_millis(1500),
        "{:?}",
        start.elapsed()
    );
    ensure!(
        answer.get("target_kb")? == most && answer.get("current_kb")? < most,
        "{:?}",
        answer.0
    );
    if signals {
        let answer = client.expect("-i wait timeout_ms=20000", EINTR)?;
        let left = answer.get("timeout_ms")?;
        ensure!((10_000..=19_990).contains(&left), "{left} ms are left");
        let answer = client.expect(&format!("-i wait timeout_ms={FOREVER}"), EINTR)?;
        ensure!(answer.get("timeout_ms")? == FOREVER, "{:?}", answer.0);
    }
    Ok(())
}

/// A wait is stopped and goes on, keeps the module, and ends when the toolstack's target is reached.
fn toolstack_ends_a_wait(balloon: &Balloon<'_>, client: &Client<'_, '_>) -> Result<()> {
    let output = "/tmp/wait";
    let guest = client.guest;
    let timeout = format!("timeout_ms={FOREVER}");
    let pid = guest.spawn(&[&client.program, "wait", &timeout], output)?;
    state_becomes(guest, pid, "S")?;
    let unloaded = guest.rmmod("xenballoon").err();
    let errno = unloaded.and_then(|error| {
        let refused = error.downcast_ref::<bed::Refused>()?;
        refused.failure.errno
    });
    ensure!(errno == Some(EWOULDBLOCK), "rmmod: {errno:?}");
    guest.kill(pid, SIGSTOP)?;
    state_becomes(guest, pid, "T")?;
    guest.kill(pid, SIGCONT)?;
    state_becomes(guest, pid, "S")?;
    ensure!(guest.read(output)?.is_empty(), "the wait has ended");
    let done = balloon.go(300, |_| ())?;
    let start = Instant::now();
    let answer = loop {
        let text = guest.read(output)?;
        if text.contains("reserved[1]") {
            break Answer::parse(&text)?;
        }
        ensure!(start.elapsed() < Duration::from_secs(60), "no end of it");
    };
    is_at(&answer, done.target_kb)
}

/// A guest that has less than its target, as it does not use more, is waited for no longer.
fn elsewhere_on_purpose(balloon: &Balloon<'_>, client: &Client<'_, '_>) -> Result<()> {
    let target = balloon.target_of(BOOT_MIB);
    set(balloon, "auto_return", "1")?;
    wait_until("what is not used goes back", || {
        Ok(balloon.sample()?.current_kb < target)
    })?;
    let answer = client.expect("wait timeout_ms=20000", 0)?;
    ensure!(
        answer.get("target_kb")? == target && answer.get("current_kb")? < target,
        "{:?}",
        answer.0
    );
    set(balloon, "auto_return", "0")?;
    is_at(&client.expect("wait timeout_ms=60000", 0)?, target)
}

fn state_becomes(guest: &Machine<'_>, pid: i32, wanted: &str) -> Result<()> {
    let start = Instant::now();
    loop {
        let stat = guest.read(&format!("/proc/{pid}/stat"))?;
        let state = stat.split(") ").nth(1).context("no state")?;
        if state.starts_with(wanted) {
            return Ok(());
        }
        let late = start.elapsed() > Duration::from_secs(60);
        ensure!(!late, "process {pid} is {state}, not {wanted}");
    }
}
