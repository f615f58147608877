// SPDX-License-Identifier: GPL-2.0
//! KUnit suites, in guests on a small kernel.

use super::{check_logs, tell_boot};
use crate::report::{Suite, Verdict};
use crate::scenarios::{Run, endurance, growth};
use anyhow::{Context, Result, ensure};
use bed::balloon::Balloon;
use bed::{Bed, Flavour, Guest, Host, Kind, Machine, place};
use serde_json::Value;
use std::io::Write;
use std::time::Duration;

const MODULES: [&str; 2] = ["xen_kunit", "xenballoon"];

/// A kernel to run them on.
pub struct Pass {
    pub name: &'static str,
    flavour: Flavour,
    kinds: &'static [Kind],
    limit: Duration,
    /// Scenarios that are worth the checks of this kernel.
    checked: &'static [(&'static str, Run)],
}

/// Lockdep, sleeping where one must not, leaks.
pub const KUNIT: Pass = Pass {
    name: "kunit",
    flavour: Flavour::Kunit,
    kinds: &[Kind::Pv, Kind::Pvh],
    limit: Duration::from_secs(1800),
    checked: &[
        ("balloon_random_targets", |balloon| {
            endurance::random_targets(balloon, 30)
        }),
        ("balloon_cycles", |balloon| endurance::cycles(balloon, 4)),
        ("balloon_beyond_boot", growth::beyond_boot),
    ],
};

/// The same for long.
pub const ENDURANCE: Pass = Pass {
    name: "endurance",
    limit: Duration::from_secs(7200),
    checked: &[
        ("balloon_random_targets", |balloon| {
            endurance::random_targets(balloon, 500)
        }),
        ("balloon_cycles", |balloon| endurance::cycles(balloon, 200)),
    ],
    ..KUNIT
};

/// Memory that is not there, any more or at all.
pub const KASAN: Pass = Pass {
    name: "kasan",
    flavour: Flavour::Kasan,
    kinds: &[Kind::Pvh],
    ..KUNIT
};

const RESULTS: &str = "/sys/kernel/debug/kunit";
/// What is to become of memory that is added: targets may be above what a guest booted with.
const AUTO_ONLINE: &str = "/sys/devices/system/memory/auto_online_blocks";
const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";

/// Boots, loads the modules, which runs their suites, and reads the results.
pub fn run(suite: &Suite, pass: &Pass, accel: &str) -> Result<()> {
    let mut host = Host::new(pass.name).limit(pass.limit).accel(accel);
    host = host.spare_mib(growth::SPARE_MIB);
    for &kind in pass.kinds {
        let guest = MODULES
            .iter()
            .fold(Guest::new(&format!("{kind}1"), kind), |guest, module| {
                guest.module(module)
            });
        // Memory is all there from the start: this kernel has no balloon driver of its own.
        host = host.guest(guest.kernel(pass.flavour));
    }
    let bed = Bed::boot(host)?;
    tell_boot(suite, &bed);
    std::thread::scope(|scope| {
        for guest in bed.guests() {
            let bed = &bed;
            scope.spawn(move || {
                if let Err(error) = run_in(suite, pass, bed, guest.name()) {
                    let case = format!("{} runs its suites", guest.name());
                    suite.case(&case, Verdict::Failed(format!("{error:#}")));
                }
            });
        }
    });
    check_logs(suite, &bed);
    bed.power_off();
    Ok(())
}

fn run_in(suite: &Suite, pass: &Pass, bed: &Bed, name: &str) -> Result<()> {
    let guest = bed.guest(name)?;
    guest.write(AUTO_ONLINE, "online")?;
    for module in MODULES {
        guest.insmod(module, &[])?;
    }
    let listed = guest.run(&["ls", RESULTS])?.ok()?.stdout;
    let mut seen = 0;
    for folder in listed.split_whitespace() {
        let text = guest.read(&format!("{RESULTS}/{folder}/results"))?;
        seen += tell(suite, name, &parse(pass.flavour, &text)?);
    }
    ensure!(seen > 0, "no suite left results in {RESULTS}");
    for (scenario, run) in pass.checked {
        suite.run(&format!("{name} {scenario}"), || {
            Balloon::of(bed, name).and_then(run)
        });
    }
    check_leaks_of(suite, bed, name);
    Ok(())
}

/// Looks for leaks in a guest whose kernel can tell.
pub fn check_leaks_of(suite: &Suite, bed: &Bed, name: &str) {
    let can_tell = |guest: Machine<'_>| guest.run(&["test", "-e", KMEMLEAK]);
    if bed
        .guest(name)
        .and_then(can_tell)
        .is_ok_and(|output| output.status == 0)
    {
        suite.run(&format!("{name} kmemleak"), || check_leaks(bed, name));
    }
}

fn check_leaks(bed: &Bed, name: &str) -> Result<()> {
    let guest = bed.guest(name)?;
    // What is seen unreferenced by one scan only may be on its way from one register to another.
    for _ in 0..2 {
        guest.write(KMEMLEAK, "scan")?;
        std::thread::sleep(Duration::from_secs(1));
    }
    let leaks = guest.read(KMEMLEAK)?;
    ensure!(leaks.is_empty(), "{leaks}");
    Ok(())
}

/// The kernel tree's own parser knows KTAP best.
fn parse(flavour: Flavour, ktap: &str) -> Result<Value> {
    let tool = place::kernel(flavour)?.join("source/tools/testing/kunit/kunit.py");
    let mut input = tempfile::NamedTempFile::new()?;
    input.write_all(format!("{ktap}\n").as_bytes())?;
    let output = tempfile::NamedTempFile::new()?;
    let json = format!("--json={}", output.path().display());
    // Its status tells of failed tests, which the JSON does as well.
    duct::cmd!("python3", &tool, "parse", json, input.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdout_null()
        .stderr_null()
        .unchecked()
        .run()
        .with_context(|| format!("start {}", tool.display()))?;
    let text = std::fs::read_to_string(output.path())?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} made no JSON of: {ktap}", tool.display()))
}

/// Reports all cases below a group; answers how many.
fn tell(suite: &Suite, prefix: &str, group: &Value) -> u32 {
    let list = |key: &str| group[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let name = |value: &Value| format!("{prefix} {}", value["name"].as_str().unwrap_or("?"));
    let mut seen = 0;
    for inner in list("sub_groups") {
        seen += tell(suite, &name(inner), inner);
    }
    for case in list("test_cases") {
        seen += 1;
        suite.case(
            &name(case),
            verdict(case["status"].as_str().unwrap_or_default()),
        );
    }
    seen
}

fn verdict(status: &str) -> Verdict {
    match status {
        "PASS" => Verdict::Passed,
        "SKIP" => Verdict::Skipped("by the test itself".into()),
        other => Verdict::Failed(format!("{other}, see the guest's log")),
    }
}
