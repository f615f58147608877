// SPDX-License-Identifier: GPL-2.0

//! How far it is with what takes long.

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use pageshare::{Files, Image, What, pack_with};
use std::path::Path;

/// Returns a bar for so many bytes of `what`. It is seen on terminals only.
pub(super) fn bar(bytes: u64, what: &Path) -> Result<ProgressBar> {
    let form = "{msg} {wide_bar} {binary_bytes} of {binary_total_bytes}";
    let style = ProgressStyle::with_template(form)?;
    let bar = ProgressBar::new(bytes).with_style(style);
    Ok(bar.with_message(what.display().to_string()))
}

/// Reads all files, and shows how far it is.
pub(super) fn read(directory: &Path, files: Files) -> Result<Image> {
    let bytes = files.0.iter().map(|file| match &file.what {
        What::Regular(content) => content.size(),
        _ => 0,
    });
    let bar = bar(bytes.sum(), directory)?;
    let image = pack_with(files, |size| bar.inc(size));
    bar.finish_and_clear();
    image
}
