// SPDX-License-Identifier: GPL-2.0

//! Disks over files that another domain keeps: `attach`, `detach`.

use crate::areas::{device, name};
use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use pageshare_calls::{File, Name};
use rustix::io::Errno;
use std::path::PathBuf;

/// Bytes of a digest.
const DIGEST: usize = 32;

/// A new disk.
#[derive(Args)]
pub(super) struct Attach {
    /// The domain that has the area.
    #[arg(long, default_value_t = 0)]
    owner: u32,
    /// The tree has that digest, or is not attached.
    #[arg(long, value_name = "HEX", value_parser = digest)]
    digest: Option<[u8; DIGEST]>,
    /// AREA, TREE, and which file of it; without a path it has to have one only.
    #[arg(value_name = "AREA[/TREE[/PATH]]")]
    source: String,
}

/// A disk that is to go.
#[derive(Args)]
pub(super) struct Detach {
    /// Such as /dev/pageshare0.
    disk: PathBuf,
}

/// Reads the digest that hexadecimal digits are.
fn digest(text: &str) -> Result<[u8; DIGEST]> {
    ensure!(
        text.len() == 2 * DIGEST && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "a digest has 64 hexadecimal digits"
    );
    let mut digest = [0; DIGEST];
    for (at, byte) in (0..).step_by(2).zip(&mut digest) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16)?;
    }
    Ok(digest)
}

/// Returns the area, the tree, which may be none, and the path in it, which may be empty.
fn parts(source: &str) -> Result<(Name, Name, &str)> {
    let mut parts = source.splitn(3, '/');
    let area = name(parts.next().unwrap_or_default())?;
    let tree = parts.next().map_or(Ok(Name::default()), name)?;
    Ok((area, tree, parts.next().unwrap_or_default()))
}

impl Attach {
    pub(super) fn run(&self) -> Result<()> {
        let (area, tree, path) = parts(&self.source)?;
        let file = File {
            owner: self.owner,
            area,
            tree,
            digest: self.digest,
            path,
        };
        let disk = device(true)?.attach(&file);
        println!("{}", disk.map_err(|error| self.failed(error))?.path());
        Ok(())
    }

    fn failed(&self, error: Errno) -> anyhow::Error {
        let Self { source, owner, .. } = self;
        match error {
            Errno::NOENT => anyhow!("{source}: domain {owner} has none for this domain"),
            Errno::NOTCONN => anyhow!("domain {owner} does not answer"),
            Errno::STALE => anyhow!("{source}: the tree has another digest"),
            Errno::INVAL => anyhow!(
                "{source}: not the one regular file of its tree, or empty, or domain {owner} cannot be \
                 the owner"
            ),
            error => anyhow!("{source}: {error}"),
        }
    }
}

impl Detach {
    pub(super) fn run(&self) -> Result<()> {
        let shown = self.disk.display();
        let text = self.disk.to_str().unwrap_or_default();
        let digits = text.strip_prefix("/dev/").unwrap_or(text);
        let number = digits.strip_prefix("pageshare");
        let number = number.and_then(|digits| digits.parse().ok());
        let number = number.with_context(|| format!("{shown}: no disk of pageshare's"))?;
        let detached = device(true)?.detach(number);
        detached.map_err(|error| match error {
            Errno::NXIO => anyhow!("{shown}: there is none"),
            Errno::BUSY => anyhow!("{shown}: it is open"),
            error => anyhow!("{shown}: {error}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_have_up_to_three_parts() {
        let text = |source: &'static str| {
            let (area, tree, path) = parts(source).unwrap();
            (area.text(), tree.text(), path)
        };
        let of = |area: &str, tree: &str, path| (area.to_string(), tree.to_string(), path);
        assert_eq!(text("a"), of("a", "", ""));
        assert_eq!(text("a/b"), of("a", "b", ""));
        assert_eq!(text("a/b/c/d"), of("a", "b", "c/d"));
        for wrong in ["", "/a", "a/", "a//b", "-/b"] {
            assert!(parts(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn digests_are_hexadecimal() {
        let right = digest(&"0f".repeat(DIGEST)).unwrap();
        assert_eq!(right, [0x0f; DIGEST]);
        for wrong in ["", "0f", &"x".repeat(64), &"ä".repeat(32)] {
            assert!(digest(wrong).is_err(), "{wrong}");
        }
    }
}
