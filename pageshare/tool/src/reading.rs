// SPDX-License-Identifier: GPL-2.0

//! A directory is read, and how far that is is shown.

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use pageshare::{Files, Image, What, pack_with};
use std::path::Path;

/// Reads all files, and shows how far it is.
pub(super) fn read(directory: &Path, files: Files) -> Result<Image> {
    let bytes = files.0.iter().map(|file| match &file.what {
        What::Regular(content) => content.size(),
        _ => 0,
    });
    let bar = ProgressBar::new(bytes.sum()).with_message(directory.display().to_string());
    let form = "{msg} {wide_bar} {binary_bytes} of {binary_total_bytes}";
    bar.set_style(ProgressStyle::with_template(form)?);
    let image = pack_with(files, |size| bar.inc(size));
    bar.finish_and_clear();
    image
}
