// SPDX-License-Identifier: GPL-2.0
//! Files are the same where they are read as where they were made.

use super::returns::figure;
use super::{End, Ends, MADE, MOUNT};
use anyhow::{Result, ensure};

/// Fewer than the mapped file has.
const FEW_PAGES: &str = "pages=24";

/// What a call of the hypervisor maps at least, in the mean: most files here have one block.
const TOGETHER: u64 = 16;

/// Two lists; two of a file with two names, 1 + 2 + 1 + 2 others; and many of one file.
const ATTRIBUTES: usize = 2 + 4 + 6 + 40;

/// Makes a directory with files of all kinds.
pub fn make(end: &End<'_>) -> Result<()> {
    end.shell(&format!(
        "cd {MADE}
         mkdir -p deep/a/b/c/d/e/f empty many
         dd if=/dev/urandom of=deep/a/random bs=4096 count=300 2>/dev/null
         head -c 4097 /dev/urandom > odd
         dd if=/dev/urandom of=sparse bs=4096 count=3 seek=5000 2>/dev/null
         dd if=/dev/urandom of=sparse bs=4096 count=2 seek=7 conv=notrunc 2>/dev/null
         cp deep/a/random deep/a/b/c/copy
         ln odd deep/a/link
         ln -s a/b/c/copy deep/to-copy
         ln -s /nowhere nowhere
         : > nothing
         mkfifo fifo
         mknod null c 1 3
         name=$(printf 'n%.0s' $(seq 255)); echo long > $name
         for i in $(seq 120); do echo $i > many/$i; done
         chmod 4751 odd; chmod 700 empty; chown 1234:4321 odd; touch -d '1999-12-31 23:59:59' nothing"
    ))?;
    Ok(())
}

/// An access control list that lets user 1234 read what group and others may not.
const FOR_1234: &str = "02000000\
    01000600ffffffff 02000400d2040000 04000000ffffffff 10000400ffffffff 20000000ffffffff";

/// Gives attributes of all kinds to what [`make`] has made, by `tests/xen/client/attributes.c`.
fn add_attributes(end: &End<'_>) -> Result<()> {
    let acl = FOR_1234.replace(' ', "");
    end.shell(&format!(
        "cd {MADE}; large=$(printf '5a%.0s' $(seq 3000))
         echo secret > listed; chmod 600 listed
         attributes set listed system.posix_acl_access {acl}
         attributes set deep system.posix_acl_default {acl}
         attributes set odd user.one 6f6e65; attributes set odd user.two 00ff00
         attributes set nothing user.empty ''
         attributes set empty user.directory 01; attributes set empty trusted.hidden 02
         attributes set nowhere trusted.link 03
         attributes set many/7 user.large $large; attributes set many/8 user.large $large
         for i in $(seq 40); do attributes set many/9 user.number$i $(printf %02x $i); done"
    ))?;
    Ok(())
}

/// Extended attributes are what they were, and access control lists let in who is in them.
pub fn attributes(ends: &Ends<'_>) -> Result<()> {
    make(&ends.owner)?;
    add_attributes(&ends.owner)?;
    ends.share("area", "tree", MADE)?;
    ends.mount("area/tree")?;
    let list = |end: &End<'_>, at: &str| {
        end.shell(&format!("attributes list {at} > /tmp/all; sort /tmp/all"))
    };
    let made = list(&ends.owner, MADE)?;
    let count = made.lines().count();
    ensure!(count == ATTRIBUTES, "{count} attributes were made: {made}");
    same("attributes", &made, &list(&ends.member, MOUNT)?)?;
    let read = |uid: u32, name: &str| format!("attributes read {uid} {MOUNT}/{name}");
    ends.member.shell(&read(1234, "listed"))?;
    for (uid, name) in [(1235, "listed"), (1234, "empty/none")] {
        let refused = ends.member.refusal(&read(uid, name))?;
        ensure!(refused.contains("Permission denied"), "{uid}: {refused}");
    }
    // They are read only.
    let set = format!("attributes set {MOUNT}/odd user.one 00");
    let refused = ends.member.refusal(&set)?;
    ensure!(refused.contains("Read-only file system"), "{refused}");
    ends.umount()
}

/// What there is in a directory, line by line: kinds, modes, owners, sizes, times, targets, and
/// checksums.
fn seen(end: &End<'_>, directory: &str) -> Result<(String, String)> {
    let facts = end.shell(&format!(
        "cd {directory}
         find . ! -type d -exec stat -c '%n %f %u %g %s %Y %h %t %T' {{}} + | sort
         find . -type l | sort | while read -r link; do echo \"$link: $(readlink $link)\"; done
         find . -type d -exec stat -c '%n %f %u %g %Y %h' {{}} + | sort"
    ))?;
    let sums = end.shell(&format!(
        "cd {directory}; find . -type f -exec sha256sum {{}} + | sort -k 2"
    ))?;
    Ok((facts, sums))
}

/// Everything that `stat(1)` and a checksum tell, twice: from the owner, and from what is mapped.
pub fn files(ends: &Ends<'_>) -> Result<()> {
    make(&ends.owner)?;
    ends.share("area", "tree", MADE)?;
    ends.mount("area/tree")?;
    let (facts, sums) = seen(&ends.owner, MADE)?;
    let counted = || -> Result<[u64; 2]> {
        let figure = |name| figure(&ends.member, &format!("member/{name}"));
        Ok([figure("asked")?, figure("map_calls")?])
    };
    let before = counted()?;
    for round in ["first", "second"] {
        let (member_facts, member_sums) = seen(&ends.member, MOUNT)?;
        same(round, &facts, &member_facts)?;
        same(round, &sums, &member_sums)?;
    }
    let [asked, calls] = counted()?;
    let (asked, calls) = (asked - before[0], calls - before[1]);
    ensure!(
        asked >= TOGETHER * calls,
        "{asked} blocks took {calls} calls"
    );
    let options = ends.member.shell(&format!("grep {MOUNT} /proc/mounts"))?;
    ensure!(
        options.contains("area/tree") && options.contains("owner="),
        "{options}"
    );
    ends.member
        .shell(&format!("df {MOUNT}; ls -f {MOUNT}/many | wc -l"))?;
    ends.umount()?;
    ends.wait_until_nothing_is_granted("area")?;
    // Once more, after it was unmounted.
    ends.mount("area")?;
    let (_, member_sums) = seen(&ends.member, MOUNT)?;
    same("mounted again", &sums, &member_sums)?;
    ends.umount()
}

fn same(what: &str, made: &str, read: &str) -> Result<()> {
    let differ = made
        .lines()
        .zip(read.lines())
        .find(|(made, read)| made != read);
    let (some, other) = (made.lines().count(), read.lines().count());
    if let Some((made, read)) = differ {
        anyhow::bail!("{what}: made {made:?}, read {read:?}");
    }
    ensure!(some == other, "{what}: made {some} files, read {other}");
    Ok(())
}

/// Programs run from a tree, and map its files.
pub fn programs(ends: &Ends<'_>) -> Result<()> {
    ends.owner.shell(&format!(
        "cp $(command -v pageshare) {MADE}/program; chmod 755 {MADE}/program"
    ))?;
    ends.share("programs", "tree", MADE)?;
    ends.mount("programs/tree")?;
    let at = format!("{MOUNT}/program");
    ends.member.shell(&format!(
        "for i in 1 2 3; do {at} --version; done
         cp {at} /tmp/program; cmp {at} /tmp/program; rm /tmp/program"
    ))?;
    ends.umount()
}

/// No page of the owner's is ever executed, in whatever order a program maps and protects it.
pub fn mappings(ends: &Ends<'_>) -> Result<()> {
    ends.owner.shell(&format!(
        "for i in $(seq 40); do printf '\\303'; head -c 4095 /dev/urandom; done > {MADE}/code
         chmod 755 {MADE} {MADE}/code"
    ))?;
    ends.share("maps", "tree", MADE)?;
    ends.mount("maps/tree")?;
    let source = match ends.member.machine.name() {
        "pv1" => "cache",
        _ => "frames",
    };
    let wrong = ends
        .member
        .shell(&format!("maps {MOUNT}/code {source} || test $? -eq 1"))?;
    ensure!(wrong.is_empty(), "{wrong}");
    ends.umount()?;
    ends.wait_until_nothing_is_granted("maps")?;
    // With less room than the file has pages they are taken away all the time while programs use them.
    ends.member.machine.rmmod("pageshare")?;
    ends.member.machine.insmod("pageshare", &[FEW_PAGES])?;
    ends.mount("maps/tree")?;
    let wrong = ends
        .member
        .shell(&format!("maps {MOUNT}/code {source} || test $? -eq 1"))?;
    ensure!(wrong.is_empty(), "{wrong}");
    ends.umount()?;
    ends.wait_until_nothing_is_granted("maps")
}

/// A program that is killed ends soon, however long what it does would take: with a file of blocks that are
/// nowhere in a row and have no hole between them, and with one that is a hole.
pub fn killed(ends: &Ends<'_>) -> Result<()> {
    ends.owner.shell(&format!(
        "cd {MADE}; head -c 64M /dev/zero | tr '\\0' x > full; truncate -s 1G hole"
    ))?;
    ends.share("area", "tree", MADE)?;
    ends.mount("area/tree")?;
    for (file, how) in [("full", "seek"), ("hole", "read")] {
        let told = ends.member.shell(&format!("killed {MOUNT}/{file} {how}"));
        println!("# {how}: {}", told?.trim());
    }
    ends.umount()
}
