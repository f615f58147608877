// SPDX-License-Identifier: GPL-2.0
//! A header for programs: the same layout for 32-bit and 64-bit ones, without padding.

use std::process::Command;

/// Compiles what says how the header's types lie in memory; both paths are relative to the clone.
pub fn has_layout(headers: &str, layout: &str) {
    let clone = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");
    for bits in ["-m64", "-m32"] {
        let output = Command::new("gcc")
            .args([bits, "-std=c11", "-ffreestanding", "-fsyntax-only"])
            .args(["-Wall", "-Wextra", "-Wpadded", "-Wpedantic", "-Werror"])
            // Without it gcc looks for another architecture's <asm/types.h> with -m32.
            .args(["-isystem", "/usr/include/x86_64-linux-gnu"])
            .args(["-I", &format!("{clone}/{headers}")])
            .arg(format!("{clone}/{layout}"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{bits}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
