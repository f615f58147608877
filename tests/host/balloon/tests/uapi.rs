// SPDX-License-Identifier: GPL-2.0
//! The header for programs: the same layout for 32-bit and 64-bit ones, without padding.

use std::process::Command;

const HEADERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../balloon/uapi");
const LAYOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/uapi.c");

fn compiles(bits: &str) {
    let output = Command::new("gcc")
        .args([bits, "-std=c11", "-ffreestanding", "-fsyntax-only"])
        .args(["-Wall", "-Wextra", "-Wpadded", "-Wpedantic", "-Werror"])
        // Without it gcc looks for another architecture's <asm/types.h> with -m32.
        .args(["-isystem", "/usr/include/x86_64-linux-gnu"])
        .args(["-I", HEADERS, LAYOUT])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn layout_for_64_bits() {
    compiles("-m64");
}

#[test]
fn layout_for_32_bits() {
    compiles("-m32");
}
