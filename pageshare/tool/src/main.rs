// SPDX-License-Identifier: GPL-2.0

//! The command `pageshare`.

mod areas;
mod disks;
mod estimate;
mod figures;
mod list;
mod reading;
mod tables;
mod verify;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Identical pages once per host.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create an area, without trees, to which nobody may attach.
    Create(areas::Create),
    /// Add a directory or a file to an area as a tree, or as a new version of one.
    Add(areas::Add),
    /// Say who may attach to an area: the first rule that fits decides. Without rules, tell.
    Allow {
        /// The area.
        area: String,
        /// Rules, such as "allow 5", "deny uuid 3b5d1a7e-52a4-4e2e-9f0a-6f4be2f0f7ad", "allow *".
        rules: Vec<String>,
    },
    /// Say whether members may offer pages of their programs to an area.
    Offers {
        /// The area.
        area: String,
        /// How many MiB it may have that no tree has, or "off".
        #[arg(value_name = "MIB|off")]
        room: String,
    },
    /// Show areas and trees.
    Ls {
        /// For scripts: only areas, one a line, sizes in pages, with tabs between.
        #[arg(long)]
        raw: bool,
    },
    /// Remove a tree, so that nobody can mount it any more, or an area that nobody has mounted.
    Rm {
        /// AREA or AREA/TREE.
        #[arg(value_name = "AREA[/TREE]")]
        source: String,
        /// Where trees are kept.
        #[arg(long, default_value = areas::STATE)]
        state: PathBuf,
        /// Take it from those who have it mounted as well.
        #[arg(long)]
        retire: bool,
    },
    /// Have members give back what they have mapped, and free the memory. They get it again when they
    /// read it.
    Withdraw {
        /// AREA or AREA/TREE.
        #[arg(value_name = "AREA[/TREE]")]
        source: String,
    },
    /// Make a disk of a file that another domain keeps, and tell its name.
    Attach(disks::Attach),
    /// Remove a disk that nobody has open.
    Detach(disks::Detach),
    /// Read the files that trees are kept in, and tell whether they have what they should.
    Verify(verify::Verify),
    /// Tell what members have of areas or trees, and what that saves; or what directories would take as
    /// trees of one area, of which nothing is kept.
    Stat {
        /// Areas and trees; or directories, with all that is below them in the same file system. What is an
        /// area is not taken for a directory, but with "./" before it.
        #[arg(required = true, value_name = "AREA[/TREE]|DIRECTORY")]
        sources: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pageshare: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    match arguments.command {
        Command::Create(create) => create.run(),
        Command::Add(add) => add.run(),
        Command::Allow { area, rules } => areas::allow(&area, &rules),
        Command::Offers { area, room } => areas::offers(&area, &room),
        Command::Ls { raw: false } => list::run(),
        Command::Ls { raw: true } => list::raw(),
        Command::Rm {
            source,
            state,
            retire,
        } => areas::remove(&source, &state, retire),
        Command::Withdraw { source } => areas::withdraw(&source),
        Command::Verify(verify) => verify.run(),
        Command::Attach(attach) => attach.run(),
        Command::Detach(detach) => detach.run(),
        Command::Stat { sources } => stat(&sources),
    }
}

/// Tells what there is, or would be, of areas and trees, or directories.
fn stat(sources: &[String]) -> Result<()> {
    let known: Vec<_> = sources
        .iter()
        .filter_map(|source| figures::find(source))
        .collect();
    if known.len() == sources.len() {
        return figures::run(&known);
    }
    for source in sources {
        ensure!(
            Path::new(source).is_dir(),
            "{source}: there is no such area, tree or directory"
        );
    }
    estimate::run(sources)
}
