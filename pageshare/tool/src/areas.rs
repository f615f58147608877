// SPDX-License-Identifier: GPL-2.0

//! The areas that this domain keeps: `create`, `add`, `allow`, `offers`, `withdraw`, `rm`.

use crate::reading::{bar, read};
use crate::tables::bytes;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use pageshare::area::format::BLOCK;
use pageshare::area::names::Source;
use pageshare::area::policy::Uuid;
use pageshare::scan;
use pageshare_calls::{Device, Name};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Where trees are kept, if nothing else is said.
pub(super) const STATE: &str = "/var/lib/pageshare";

/// A new area.
#[derive(Args)]
pub(super) struct Create {
    /// Its name.
    area: String,
    /// How many MiB of different content it may have.
    #[arg(long, default_value_t = 1024)]
    size: u32,
    /// How many MiB all members together may have mapped. Each page takes an entry of this domain's
    /// grant table for each of them, see max_grant_frames in xl.cfg(5).
    #[arg(long, default_value_t = 128)]
    mapped: u32,
    /// Its UUID; a new one if none is given.
    #[arg(long)]
    uuid: Option<String>,
}

/// A tree for an area.
#[derive(Args)]
pub(super) struct Add {
    /// AREA/TREE.
    #[arg(value_name = "AREA/TREE")]
    source: String,
    /// A directory, with all that is below it in the same file system; or a regular file, such as the
    /// image of a disk.
    #[arg(value_name = "DIRECTORY|FILE")]
    path: PathBuf,
    /// Where to keep the tree.
    #[arg(long, default_value = STATE)]
    state: PathBuf,
}

/// Opens the module's device.
pub(super) fn device(change: bool) -> Result<Device> {
    Device::open(change).map_err(|error| match error {
        Errno::NOENT => anyhow::anyhow!("/dev/pageshare: the module is not loaded"),
        error => anyhow::anyhow!("/dev/pageshare: {error}"),
    })
}

pub(super) fn name(text: &str) -> Result<Name> {
    let sound = Source::parse(text.as_bytes()).is_some_and(|source| source.tree.is_none());
    ensure!(
        sound,
        "{text}: a name is up to 63 letters, digits, '.', '_' and '-', a letter or a digit first"
    );
    Name::new(text).with_context(|| format!("{text}: too long"))
}

/// Returns an area and a tree in it, which may be none.
pub(super) fn names(text: &str) -> Result<(Name, Name)> {
    match text.split_once('/') {
        Some((area, tree)) => Ok((name(area)?, name(tree)?)),
        None => Ok((name(text)?, Name::default())),
    }
}

/// Returns how many pages that are.
fn pages(mib: u32) -> Result<u32> {
    let per_mib = (1 << 20) / BLOCK as u32;
    mib.checked_mul(per_mib).context("too many MiB")
}

impl Create {
    pub(super) fn run(&self) -> Result<()> {
        let uuid = match &self.uuid {
            Some(text) => {
                Uuid::parse(text)
                    .with_context(|| format!("{text}: no UUID"))?
                    .0
            }
            None => fresh_uuid()?,
        };
        let area = name(&self.area)?;
        let created = device(true)?.create(area, uuid, pages(self.size)?, pages(self.mapped)?);
        created.map_err(|error| match error {
            Errno::EXIST => anyhow::anyhow!("{}: there is such an area", self.area),
            Errno::RANGE => anyhow::anyhow!("--size and --mapped are from 1 to 65536 MiB"),
            Errno::NOMEM => anyhow::anyhow!("no memory to keep account of so many pages"),
            error => anyhow::anyhow!("{}: {error}", self.area),
        })
    }
}

/// Returns a UUID that nobody has had.
fn fresh_uuid() -> Result<[u8; 16]> {
    let text = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    Ok(Uuid::parse(text.trim())
        .context("the kernel's UUID is none")?
        .0)
}

impl Add {
    pub(super) fn run(&self) -> Result<()> {
        let (area, tree) = names(&self.source)?;
        ensure!(tree != Name::default(), "{}: which tree?", self.source);
        let device = device(true)?;
        let path = self.write(&area, &tree)?;
        let file = File::open(&path).with_context(|| path.display().to_string())?;
        let added = device.add(area, tree, &file).map_err(|error| match error {
            Errno::NOENT => anyhow::anyhow!("{}: there is no such area", area.text()),
            Errno::NOSPC => anyhow::anyhow!("{}: more pages than it may have", area.text()),
            error => anyhow::anyhow!("{}: {error}", self.source),
        })?;
        println!("{} {}", hex(&added.digest), self.source);
        Ok(())
    }

    /// Writes the tree to a file of its own, which takes the place of one before it when it is
    /// complete: who reads that goes on.
    fn write(&self, area: &Name, tree: &Name) -> Result<PathBuf> {
        let files = scan(&self.path)?;
        let image = read(&self.path, files)?;
        let folder = self.state.join(area.text());
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let path = folder.join(tree.text());
        let new = folder.join(format!("{}.new", tree.text()));
        let shown = || new.display().to_string();
        let mut to = BufWriter::new(File::create(&new).with_context(shown)?);
        let blocks = image.superblock().layout().blocks();
        let bar = bar(u64::from(blocks) * BLOCK as u64, &path)?;
        for block in 0..blocks {
            to.write_all(&image.block(block)?).with_context(shown)?;
            bar.inc(BLOCK as u64);
        }
        bar.finish_and_clear();
        to.into_inner()?.sync_all().with_context(shown)?;
        fs::rename(&new, &path).with_context(shown)?;
        Ok(path)
    }
}

/// Sets who may attach to an area; without rules it tells.
pub(super) fn allow(area: &str, rules: &[String]) -> Result<()> {
    let wanted = name(area)?;
    if rules.is_empty() {
        let rules = device(false)?.rules(wanted);
        print!("{}", rules.map_err(|error| failed(area, error))?);
        return Ok(());
    }
    let allowed = device(true)?.allow(wanted, &rules.join("\n"));
    allowed.map_err(|error| match error {
        Errno::INVAL => anyhow::anyhow!(
            "a rule is allow or deny, then a domain's number, uuid and a UUID, or *"
        ),
        Errno::TOOBIG => anyhow::anyhow!("more than 4 KiB of rules"),
        error => failed(area, error),
    })
}

/// Says whether members may offer pages of their programs.
pub(super) fn offers(area: &str, room: &str) -> Result<()> {
    let room = match room {
        "off" => None,
        mib => {
            let mib = mib
                .parse()
                .ok()
                .with_context(|| format!("{mib}: no size in MiB"))?;
            Some(u64::from(pages(mib)?))
        }
    };
    let set = device(true)?.offers(name(area)?, room);
    set.map_err(|error| match error {
        Errno::RANGE => anyhow::anyhow!("{area}: more than it may have"),
        error => failed(area, error),
    })
}

fn failed(what: &str, error: Errno) -> anyhow::Error {
    match error {
        Errno::NOENT => anyhow::anyhow!("{what}: there is none"),
        Errno::BUSY => anyhow::anyhow!("{what}: somebody has a tree or pages of it"),
        error => anyhow::anyhow!("{what}: {error}"),
    }
}

/// Tells who has not given back what it was asked for.
fn complain(source: &str, holder: Option<u32>) -> Result<()> {
    match holder {
        Some(domain) => bail!("{source}: domain {domain} does not give back what it has"),
        None => Ok(()),
    }
}

/// Has members give back what they have.
pub(super) fn withdraw(source: &str) -> Result<()> {
    let (area, tree) = names(source)?;
    let withdrawn = device(true)?.withdraw(area, tree, false);
    let withdrawn = withdrawn.map_err(|error| failed(source, error))?;
    println!("{}", bytes(withdrawn.freed));
    complain(source, withdrawn.holder)
}

/// Removes a tree, or an area; if it is to be retired, from those who have it as well.
pub(super) fn remove(source: &str, state: &Path, retire: bool) -> Result<()> {
    let (area, tree) = names(source)?;
    let device = device(true)?;
    let mut holder = None;
    if retire {
        let withdrawn = device.withdraw(area, tree, true);
        holder = withdrawn.map_err(|error| failed(source, error))?.holder;
    }
    // What is retired has its name no more.
    if !retire || tree == Name::default() {
        let removed = device.remove(area, tree);
        removed.map_err(|error| failed(source, error))?;
    }
    let path = state.join(source);
    let gone = match tree == Name::default() {
        true => fs::remove_dir_all(&path),
        false => fs::remove_file(&path),
    };
    match gone {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            bail!("{}: {error}", path.display())
        }
        _ => complain(source, holder),
    }
}

pub(super) fn hex(digest: &[u8]) -> String {
    digest
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
