// SPDX-License-Identifier: GPL-2.0
//! Plugins of QEMU's (`tests/xen/emulator/`), compiled when they are needed. They count under TCG only.

use anyhow::{Context, Result};
use bed::place;
use std::path::PathBuf;

/// A plugin, and the file that it writes to.
pub struct Plugin {
    library: PathBuf,
    /// The file.
    pub out: PathBuf,
}

impl Plugin {
    /// Compiles the plugin of that name.
    pub fn prepare(name: &str) -> Result<Self> {
        let folder = place::clone_path("build/client");
        std::fs::create_dir_all(&folder)?;
        let library = folder.join(format!("{name}.so"));
        let source = place::clone_path(&format!("tests/xen/emulator/{name}.c"));
        let flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"];
        let mut words: Vec<String> = flags.map(String::from).into();
        words.extend(["-fvisibility=hidden".into(), "-o".into()]);
        words.extend([&library, &source].map(|path| path.display().to_string()));
        duct::cmd("gcc", words)
            .run()
            .with_context(|| format!("compile {}", source.display()))?;
        let out = folder.join(format!("{name}.out"));
        Ok(Self { library, out })
    }

    /// For QEMU's command line.
    pub fn words(&self) -> Vec<String> {
        let (library, out) = (self.library.display(), self.out.display());
        vec!["-plugin".into(), format!("{library},out={out}")]
    }
}
