// SPDX-License-Identifier: GPL-2.0

//! Makes a copy of the engine for each mutant, with what the table says changed.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

#[path = "src/mutants/table.rs"]
mod table;

/// Where the engine is, from here.
const ENGINE: &str = "../../../balloon/engine";
const FILES: [&str; 3] = ["mod.rs", "goal.rs", "policy.rs"];

fn main() {
    let home = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    let engine = Path::new(&home).join(ENGINE);
    let mut modules = String::new();
    println!("cargo::rerun-if-changed=src/mutants/table.rs");

    for file in FILES {
        println!("cargo::rerun-if-changed={ENGINE}/{file}");
    }
    for mutant in &table::MUTANTS {
        println!("{}: {} ({})", mutant.name, mutant.wrong, mutant.law);
        let folder = Path::new(&out).join(mutant.name);
        fs::create_dir_all(&folder).expect("make a folder");
        for file in FILES {
            let text = fs::read_to_string(engine.join(file)).expect("read the engine");
            fs::write(folder.join(file), mutate(mutant, file, text)).expect("write a mutant");
        }
        let path = folder.join("mod.rs");
        writeln!(
            modules,
            "#[allow(unused, clippy::all, reason = \"a mutant may leave things unused\")]\n\
             #[path = {path:?}]\npub mod {};\nadapt!(self::{});",
            mutant.name, mutant.name,
        )
        .expect("a string takes all");
    }
    fs::write(Path::new(&out).join("mutants.rs"), modules).expect("write the modules");
}

/// Returns `text`, the engine's `file`, with the mutant's changes to it.
fn mutate(mutant: &table::Mutant, file: &str, mut text: String) -> String {
    for &(changed, old, new) in mutant.edits {
        if changed == file {
            let found = text.matches(old).count();
            assert!(
                found == 1,
                "{}: {found} times in {file}: {old}",
                mutant.name
            );
            text = text.replace(old, new);
        } else {
            assert!(FILES.contains(&changed), "{}: no {changed}", mutant.name);
        }
    }
    text
}
