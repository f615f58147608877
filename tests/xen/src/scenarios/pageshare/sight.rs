// SPDX-License-Identifier: GPL-2.0
//! What the owner counts is what the hypervisor counts, and what it tells of each area, tree and member is so.

use super::returns::figure;
use super::{End, Ends, MADE, MOUNT, STATE};
use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};

/// Pages of the file. Few: the hypervisor prints a line for each, and its log is small.
const PAGES: u32 = 60;

/// Compares after some pages were read, after all were, and after they were given back.
pub fn counted(ends: &Ends<'_>) -> Result<()> {
    let make = format!("dd if=/dev/urandom of={MADE}/file bs=4096 count={PAGES} 2>/dev/null");
    ends.owner.shell(&make)?;
    ends.share("area", "tree", MADE)?;
    ends.mount("area/tree")?;
    let mut last = 0;
    for pages in [PAGES / 2, PAGES] {
        let read = format!("dd if={MOUNT}/file of=/dev/null bs=4096 count={pages} 2>/dev/null");
        ends.member.shell(&read)?;
        let granted = same(ends)?;
        ensure!(
            granted >= last.max(pages.into()),
            "{granted} pages are granted when {pages} were read"
        );
        last = granted;
    }
    ends.umount()?;
    ends.wait_until_nothing_is_granted("area")?;
    let granted = same(ends)?;
    ensure!(granted == 0, "{granted} pages stay granted");
    Ok(())
}

/// How much both count: the same grants of the same domain.
fn same(ends: &Ends<'_>) -> Result<u64> {
    let granted = figure(&ends.owner, "owner/granted")?;
    let (known, active) = (known(ends)?, active(ends)?);
    ensure!(
        known == active,
        "the owner has {known:?}, the hypervisor has {active:?} active"
    );
    ensure!(
        active.len() as u64 == granted,
        "{granted} pages are granted, and the hypervisor has {} active entries",
        active.len()
    );
    Ok(granted)
}

/// References of the grants that the member has, as the owner has them in debugfs.
fn known(ends: &Ends<'_>) -> Result<BTreeSet<u32>> {
    // dom0 has not mounted it.
    let text = ends.owner.shell(
        "at=/sys/kernel/debug
         grep -q \" $at \" /proc/mounts || mount -t debugfs debugfs $at
         cat $at/pageshare/grants",
    )?;
    let member = ends.domid(&ends.member)?;
    let parse = |line: &str| {
        let (domid, reference) = line.split_once(' ')?;
        Some((domid.parse().ok()?, reference.parse().ok()?))
    };
    let mut references = BTreeSet::new();
    for line in text.lines() {
        let (domid, reference): (u32, u32) = parse(line).with_context(|| text.clone())?;
        ensure!(domid == member, "domain {domid} has grants");
        ensure!(references.insert(reference), "{reference} is there twice");
    }
    Ok(references)
}

/// References of entries of the owner's grant table that the member has mapped, as the hypervisor has them.
fn active(ends: &Ends<'_>) -> Result<BTreeSet<u32>> {
    let dom0 = ends.bed.dom0();
    let log = "xl dmesg -c > /dev/null; xl debug-keys g; xl dmesg";
    let log = dom0.run(&["sh", "-ec", log])?.ok()?.stdout;
    let (owner, member) = (ends.domid(&ends.owner)?, ends.domid(&ends.member)?);
    let table = format!("grant-table for remote d{owner} ");
    let (_, rest) = log.split_once(&table).with_context(|| log.clone())?;
    let rest = rest.split("grant-table for remote").next();
    // The entry, in brackets; who has mapped it; and more.
    let entry = |line: &str| -> Option<(u32, u32)> {
        let (reference, rest) = line.split_once("[0x")?.1.split_once(']')?;
        let mapper = rest.split_whitespace().next()?.parse().ok()?;
        Some((u32::from_str_radix(reference, 16).ok()?, mapper))
    };
    let entries = rest.unwrap_or_default().lines().filter_map(entry);
    let members = entries.filter(|&(_, mapper)| mapper == member);
    Ok(members.map(|(reference, _)| reference).collect())
}

/// Pages that both trees have, and that only the second one has.
const COMMON: u64 = 40;
const MORE: u64 = 20;

/// What there is in sysfs of an area, two trees and two members is what they have, and of an owner's trees what a
/// member has.
pub fn seen(ends: &Ends<'_>) -> Result<()> {
    let others = ["pv1", "pvh1"].into_iter();
    let mut others = others.filter(|name| *name != ends.member.machine.name());
    let second = End::new(ends.bed, others.next().unwrap_or_default())?;
    let done = both_see(ends, &second);
    // Whatever has come of it.
    let undone = second.shell(&format!("umount {MOUNT} 2>/dev/null || true"));
    let undone = undone.and_then(|_| second.machine.rmmod("pageshare"));
    done.and(undone)
}

fn both_see(ends: &Ends<'_>, second: &End<'_>) -> Result<()> {
    let add = format!("pageshare add --state {STATE}");
    ends.owner.shell(&format!(
        "cd {MADE}; mkdir one two
         dd if=/dev/urandom of=one/file bs=4096 count={COMMON} 2>/dev/null
         (cat one/file; dd if=/dev/urandom bs=4096 count={MORE} 2>/dev/null) > two/another
         pageshare create --size 64 --mapped 64 area
         pageshare allow area 'allow *'
         {add} area/one one; {add} area/two two"
    ))?;
    let (owner, area) = (&ends.owner, "areas/area");
    let trees = ["one", "two"].map(|tree| format!("{area}/trees/{tree}"));
    let expect = |folder: &str, wanted: &[(&str, u64)]| -> Result<()> {
        for (name, wanted) in wanted {
            let found = figure(owner, &format!("{folder}/{name}"))?;
            ensure!(found == *wanted, "{folder}/{name} is {found}, not {wanted}");
        }
        Ok(())
    };

    let [one, two] =
        [&trees[0], &trees[1]].map(|tree| figure(owner, &format!("{tree}/referenced")));
    let (one, two) = (one?, two?);
    ensure!(
        one > COMMON && two > COMMON + MORE,
        "{one} and {two} blocks"
    );
    let all = [("referenced", one + two), ("unique", one + two - COMMON)];
    expect(area, &all)?;
    expect(&trees[0], &[("unique", one - COMMON), ("mounts", 0)])?;
    expect(&trees[1], &[("unique", two - COMMON), ("got", 0)])?;

    let mut mapped = Vec::new();
    for (member, tree) in [(&ends.member, "one"), (second, "two")] {
        member.shell(&format!(
            "mount -t pageshare -o owner={} area/{tree} {MOUNT}; cat {MOUNT}/* > /dev/null",
            ends.domid(owner)?
        ))?;
        mapped.push(figure(member, "member/mapped")?);
    }
    let both = mapped[0] + mapped[1];
    let saved = [
        ("hits", COMMON),
        ("io_avoided_kb", 4 * COMMON),
        ("saved_kb", 4 * COMMON),
    ];
    let not_saved = [("hits", 0), ("io_avoided_kb", 0), ("saved_kb", 4 * COMMON)];
    let counts = [("mapped", both), ("got", both), ("read", both - COMMON)];
    expect(
        area,
        &[&saved[..], &counts, &[("mounts", 2), ("spare", 0)]].concat(),
    )?;
    expect(area, &[("in_memory", both - COMMON)])?;
    // What both have of a tree is counted for both, whichever tree it comes from.
    let counts = [("got", mapped[0]), ("read", mapped[0]), ("mounts", 1)];
    expect(
        &trees[0],
        &[&not_saved[..], &counts, &[("mapped", mapped[0] + COMMON)]].concat(),
    )?;
    let counts = [
        ("got", mapped[1]),
        ("read", mapped[1] - COMMON),
        ("mounts", 1),
    ];
    expect(
        &trees[1],
        &[&saved[..], &counts, &[("mapped", mapped[1] + COMMON)]].concat(),
    )?;
    let members = [&ends.member, second].map(|end| ends.domid(end));
    let [first, other] = members.map(|domid| domid.map(|domid| format!("members/{domid}")));
    let (first, other) = (first?, other?);
    expect(
        &first,
        &[&not_saved[..], &[("mapped", mapped[0]), ("mounts", 1)]].concat(),
    )?;
    expect(
        &other,
        &[&saved[..], &[("mapped", mapped[1]), ("mounts", 1)]].concat(),
    )?;

    let told = owner.shell("pageshare stat area")?;
    let amount = format!("{}.00 KiB", 4 * COMMON);
    for name in ["area", "area/one", "area/two"] {
        let has = |line: &str| line.contains(&format!(" {name} ")) && line.contains(&amount);
        ensure!(told.lines().any(has), "{name} in {told}");
    }
    member_sees(ends)?;
    comes_and_goes(ends, second, (&first, &other))
}

/// What a member has in sysfs of an owner and of each of its trees is what it has, and as long as it is mounted.
fn member_sees(ends: &Ends<'_>) -> Result<()> {
    let (member, again) = (&ends.member, "/mnt-two");
    let owner = ends.domid(&ends.owner)?;
    let folder = format!("owners/{owner}");
    let names = || -> Result<Vec<String>> {
        let list = format!("ls /sys/class/misc/pageshare/{folder}/trees");
        Ok(member.shell(&list)?.lines().map(String::from).collect())
    };
    let see = |tree: &str| -> Result<BTreeMap<&str, u64>> {
        let all = ["mounts", "mapped", "hits", "asked", "got"].into_iter();
        let at = format!("{folder}/trees/{tree}");
        all.map(|name| Ok((name, figure(member, &format!("{at}/{name}"))?)))
            .collect()
    };
    let one = names()?;
    let known = ends.owner.shell("pageshare ls")?;
    ensure!(
        one.len() == 1 && known.contains(&one[0]),
        "{one:?}: {known}"
    );
    let mapped = figure(member, "member/mapped")?;
    let before = see(&one[0])?;
    for name in ["mapped", "asked", "got"] {
        ensure!(before[name] == mapped, "{before:?}, {mapped} are mapped");
    }
    ensure!(before["mounts"] == 1, "{before:?}");
    // Once more: nothing but hits, one for each page.
    member.shell(&format!("cat {MOUNT}/file > /dev/null"))?;
    let mut expected = before.clone();
    expected.insert("hits", before["hits"] + COMMON);
    let after = see(&one[0])?;
    ensure!(after == expected, "{after:?} after {before:?}");

    // Another tree, twice.
    member.shell(&format!(
        "for i in 1 2; do mkdir -p {again}$i; mount -t pageshare -o owner={owner} area/two {again}$i; done
         cat {again}1/* > /dev/null"
    ))?;
    let mut both = names()?;
    both.retain(|name| *name != one[0]);
    ensure!(both.len() == 1, "{both:?} beside {one:?}");
    let (two, all) = (see(&both[0])?, figure(member, "member/mapped")?);
    ensure!(see(&one[0])? == expected, "the other tree has changed");
    ensure!(
        two["mounts"] == 2 && two["mapped"] == all - mapped && two["got"] == two["mapped"],
        "{two:?}, {all} are mapped"
    );
    for (name, sum) in [("mapped", all), ("got", all), ("asked", all)] {
        let found = figure(member, &format!("{folder}/{name}"))?;
        ensure!(found == sum, "{folder}/{name} is {found}, not {sum}");
    }
    let hits = [folder.as_str(), "member"].map(|at| figure(member, &format!("{at}/hits")));
    let [of_owner, of_all] = hits;
    let (of_owner, of_trees) = (of_owner?, after["hits"] + two["hits"]);
    ensure!(
        of_owner == of_all? && of_owner == of_trees,
        "{of_owner} hits, {of_trees} of trees"
    );
    // It is gone with its last mount, and begins anew.
    member.shell(&format!("umount {again}1"))?;
    ensure!(names()?.len() == 2, "gone with its first mount");
    member.shell(&format!("umount {again}2"))?;
    ensure!(names()? == one, "{:?} is there", names()?);
    super::wait_until(
        || Ok(figure(member, "member/mapped")? == mapped),
        "what is not mounted is mapped",
    )?;
    member.shell(&format!(
        "mount -t pageshare -o owner={owner} area/two {again}1; cat {again}1/* > /dev/null"
    ))?;
    let anew = see(&both[0])?;
    ensure!(
        anew["got"] == two["got"] && anew["hits"] <= two["hits"] && anew["mounts"] == 1,
        "{anew:?} after {two:?}"
    );
    member.shell(&format!("umount {again}1; rmdir {again}1 {again}2"))?;
    Ok(())
}

/// Folders are there as long as what they are about.
fn comes_and_goes(ends: &Ends<'_>, second: &End<'_>, (first, other): (&str, &str)) -> Result<()> {
    let there = || {
        ends.owner.shell(
            "cd /sys/class/misc/pageshare; for i in areas/* areas/*/trees/* members/*; do
                 [ ! -e $i ] || echo $i; done",
        )
    };
    let expect = |wanted: &[&str]| -> Result<()> {
        let found = there()?;
        ensure!(found.lines().eq(wanted.iter().copied()), "{found} is there");
        Ok(())
    };
    second.shell(&format!("umount {MOUNT}"))?;
    let released = |name: &str| figure(&ends.owner, &format!("{other}/{name}"));
    super::wait_until(|| Ok(released("mapped")? == 0), "the second one has pages")?;
    ensure!(released("mounts")? == 0, "the second one has a mount");
    let saved = figure(&ends.owner, &format!("{first}/saved_kb"))?;
    ensure!(saved == 0, "{saved} KiB are saved for one");
    // Another version begins anew.
    ends.owner.shell(&format!(
        "pageshare add --state {STATE} area/one {MADE}/two
         pageshare rm --state {STATE} area/two; pageshare create other"
    ))?;
    let got = figure(&ends.owner, "areas/area/trees/one/got")?;
    ensure!(got == 0, "{got} pages were got of what is new");
    let mut members = [first, other];
    members.sort_unstable();
    let trees = ["areas/area", "areas/other", "areas/area/trees/one"];
    expect(&[&trees[..], &members].concat())?;
    let unknown = ends.owner.refusal("pageshare stat area/two")?;
    ensure!(
        unknown.contains("no such area, tree or directory"),
        "{unknown}"
    );
    second.machine.rmmod("pageshare")?;
    super::wait_until(
        || Ok(!there()?.contains(other)),
        "a member that is gone is seen",
    )?;
    second.machine.insmod("pageshare", &[])?;
    ends.umount()?;
    ends.owner.shell("pageshare rm area")?;
    expect(&["areas/other", first])
}
