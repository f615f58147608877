// SPDX-License-Identifier: GPL-2.0
//! The tree that guests read: Python with its libraries as Debian packages them, the C library with its locales
//! and character sets, and a file of random bytes, as an image of a disk.

use anyhow::{Context, Result, ensure};
use bed::place;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Whose files it has; the build root has these packages.
const PACKAGES: &str = "python3-minimal python3.13-minimal libpython3.13-minimal libpython3.13-stdlib \
    libc6 libc-bin zlib1g libexpat1 libssl3t64 libffi8 libbz2-1.0 liblzma5 libsqlite3-0 libuuid1 \
    libzstd1 libdb5.3t64";
/// The size of the file for reads and faults that are counted.
const WARM: u64 = 1 << 20;
/// On top of what files take.
const SLACK_KIB: u64 = 16 << 10;

/// The tree.
pub struct Tree {
    /// As ext4.
    pub image: PathBuf,
}

impl Tree {
    /// Makes it below `build/bench/`, with so large a file of random bytes.
    pub fn make(data_mib: u32) -> Result<Self> {
        let place = place::clone_path("build/bench");
        let (folder, image) = (place.join("tree"), place.join("tree.ext4"));
        if folder.exists() {
            fs::remove_dir_all(&folder).context("remove the last tree")?;
        }
        fs::create_dir_all(folder.join("data"))?;
        copy_packages(&folder)?;
        random(&folder.join("data/data"), u64::from(data_mib) << 20)?;
        random(&folder.join("data/warm"), WARM)?;
        let told = duct::cmd!("du", "-s", "-k", &folder).read()?;
        let kib: u64 = told
            .split_whitespace()
            .next()
            .context("du says nothing")?
            .parse()?;
        let size = format!("{}k", kib * 21 / 20 + SLACK_KIB);
        if image.exists() {
            fs::remove_file(&image)?;
        }
        let features = "^has_journal";
        duct::cmd!(
            "mke2fs", "-q", "-t", "ext4", "-m", "0", "-O", features, "-d", &folder, &image, size
        )
        .stdout_null()
        .run()
        .context("make the disk with the tree")?;
        Ok(Self { image })
    }
}

/// Copies files of Debian's packages, without manuals, and what Python has compiled of its library.
fn copy_packages(folder: &Path) -> Result<()> {
    let line = format!(
        r#"set -e
        cd "$1"
        mkdir -p usr/bin usr/sbin usr/lib usr/lib64 dev proc sys run tmp
        for name in bin sbin lib lib64; do ln -s usr/$name $name; done
        {{
            dpkg -L {PACKAGES} | grep ^/usr/ | grep -Ev '^/usr/share/(doc|man|lintian)'
            find /usr/lib/python3.13 -path '*/__pycache__/*.pyc'
        }} | sort -u | while read -r name; do
            if [ -L "$name" ] || [ -f "$name" ]; then echo "${{name#/}}"; fi
        done | tar -C / -cf - --no-recursion -T - | tar -xf -"#
    );
    duct::cmd!("sh", "-c", line, "sh", folder)
        .run()
        .context("copy files of packages")?;
    let python = folder.join("usr/bin/python3.13");
    ensure!(python.exists(), "the build root has no Python");
    Ok(())
}

fn random(path: &Path, bytes: u64) -> Result<()> {
    let mut source = fs::File::open("/dev/urandom")?.take(bytes);
    let mut file = fs::File::create(path)?;
    std::io::copy(&mut source, &mut file)?;
    Ok(())
}
