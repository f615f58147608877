// SPDX-License-Identifier: GPL-2.0
//! What `bed test` runs.

mod guests;
mod host;
mod hostile;
mod kunit;
mod next;
mod pageshare;
mod roots;
mod vsock;
mod xensock;

use crate::report::{Report, Suite, Verdict};
use crate::scenarios;
use crate::scenarios::pageshare::Scenario;
use anyhow::{Result, bail};
use bed::{Bed, place};
use std::process::ExitCode;

type Body<'a> = Box<dyn FnOnce(&Suite) -> Result<()> + 'a>;

/// Whether `filter`, prefixes with commas between them, lets a name through.
fn is_wanted(name: &str, filter: &str) -> bool {
    filter.split(',').any(|prefix| name.starts_with(prefix))
}

/// Runs all that `filter` lets through.
pub fn run(filter: &str, accel: &str) -> Result<ExitCode> {
    let chosen = guests::Chosen::new(filter);
    // Much of the time of the others each waits for something.
    let host = is_wanted("host", filter).then(host::start).transpose()?;
    let mut suites: Vec<(&str, Body<'_>)> = Vec::new();
    if is_wanted("next", filter) {
        suites.push(("next", Box::new(next::run)));
    }
    if is_wanted("kunit", filter) {
        let run = |suite: &Suite| kunit::run(suite, &kunit::KUNIT, accel);
        suites.push(("kunit", Box::new(run)));
    }
    // These are run only when asked for: the one takes long, the other's kernel must be made.
    for pass in [&kunit::ENDURANCE, &kunit::KASAN] {
        if filter == pass.name {
            let run = |suite: &Suite| kunit::run(suite, pass, accel);
            suites.push((pass.name, Box::new(run)));
        }
    }
    if !chosen.is_empty() {
        suites.push((
            "scenarios",
            Box::new(|suite| guests::run(suite, &chosen, accel)),
        ));
    }
    // That is about the tests, not about what is tested.
    if !filter.is_empty() && is_wanted("vsock", filter) {
        suites.push(("vsock", Box::new(|suite| vsock::run(suite, accel))));
    }
    if filter.is_empty() {
        suites.push((
            "xensock",
            Box::new(|suite| xensock::run_brief(suite, accel)),
        ));
    }
    // They take long: three boots, and the kernel's own tests in each.
    let sockets = xensock::chosen(|name| !filter.is_empty() && is_wanted(name, filter));
    if !sockets.is_empty() {
        let run = move |suite: &Suite| xensock::run(suite, &sockets, accel);
        suites.push(("xensock", Box::new(run)));
    }
    if ["checked", "xensock-checked"].contains(&filter) {
        let run = |suite: &Suite| xensock::run_checked(suite, accel);
        suites.push(("xensock-checked", Box::new(run)));
    }
    for (asked, pass) in [("checked", &hostile::CHECKED), ("kasan", &hostile::KASAN)] {
        if [asked, pass.name].contains(&filter) {
            let run = |suite: &Suite| hostile::run(suite, pass, accel);
            suites.push((pass.name, Box::new(run)));
        }
        if [asked, pass.name, pass.shared].contains(&filter) {
            let run = |suite: &Suite| hostile::run_shared(suite, pass, accel);
            suites.push((pass.shared, Box::new(run)));
        }
    }
    for (pass, shared) in shared_areas(filter) {
        if !shared.is_empty() {
            let run = move |suite: &Suite| pageshare::run(suite, pass, &shared, accel);
            suites.push((pass.name, Box::new(run)));
        }
    }
    // They take long, and trees of Debian's must be made.
    let rooted: Vec<&str> = roots::NAMES
        .into_iter()
        .filter(|name| !filter.is_empty() && is_wanted(name, filter))
        .collect();
    if !rooted.is_empty() {
        let run = move |suite: &Suite| roots::run(suite, &rooted, accel);
        suites.push(("pageshare-root", Box::new(run)));
    }
    if let Some(host) = host {
        suites.push(("host", Box::new(|suite| host::run(suite, host))));
    }
    if suites.is_empty() {
        let alone = scenarios::alone().map(|(name, _)| name);
        let names = scenarios::all().map(|scenario| scenario.name);
        let sockets = xensock::chosen(|_| true)
            .into_iter()
            .map(|scenario| scenario.name);
        let shared = scenarios::pageshare::SCENARIOS.iter().map(|one| one.name);
        let names = names.chain(alone).chain(sockets).chain(shared);
        let names: Vec<&str> = names.chain(roots::NAMES).collect();
        bail!(
            "no test's name begins with {filter:?}; there are host, next, kunit, endurance, kasan, checked, pageshare-endurance, vsock, {}",
            names.join(", ")
        );
    }
    let mut report = Report::default();
    for (name, body) in suites {
        report.suite(name, body);
    }
    Ok(ExitCode::from(u8::from(!report.finish())))
}

/// The scenarios for shared areas that are to be run, and on which kernels: when nothing is asked for, a part
/// of them, as all take long.
fn shared_areas(filter: &str) -> [(&'static pageshare::Pass, Vec<&'static Scenario>); 4] {
    let choose = |wanted: &dyn Fn(&str) -> bool| {
        let all = scenarios::pageshare::SCENARIOS.iter();
        all.filter(|one| wanted(one.name)).collect()
    };
    let checked = |asked, pass: &pageshare::Pass| {
        let is_asked = [asked, pass.name].contains(&filter);
        choose(&|name| is_asked && scenarios::pageshare::CHECKED.contains(&name))
    };
    let stock = choose(&|name| match filter.is_empty() {
        true => scenarios::pageshare::BRIEF.contains(&name),
        false => is_wanted(name, filter),
    });
    let long = match filter == pageshare::ENDURANCE.name {
        true => vec![&scenarios::pageshare::ENDURANCE],
        false => Vec::new(),
    };
    [
        (&pageshare::STOCK, stock),
        (&pageshare::ENDURANCE, long),
        (&pageshare::CHECKED, checked("checked", &pageshare::CHECKED)),
        (&pageshare::KASAN, checked("kasan", &pageshare::KASAN)),
    ]
}

/// Says how long the boot took.
fn tell_boot(suite: &Suite, bed: &Bed) {
    let steps = bed.steps().iter();
    let steps = steps.map(|(what, elapsed)| format!("{what}: {:.1} s", elapsed.as_secs_f32()));
    suite.note(&format!("boot: {}", steps.collect::<Vec<_>>().join(", ")));
}

/// The case that every boot ends with.
fn check_logs(suite: &Suite, bed: &Bed) {
    let problems: Vec<String> = bed.problems().iter().map(ToString::to_string).collect();
    let verdict = match problems.len() {
        0 => Verdict::Passed,
        _ => Verdict::Failed(format!(
            "{}\nall logs: {}",
            problems.join("\n"),
            place::for_people(bed.log_folder())
        )),
    };
    suite.case("logs tell of no trouble", verdict);
}
