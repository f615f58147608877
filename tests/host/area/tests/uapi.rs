// SPDX-License-Identifier: GPL-2.0
//! The header for programs.

#[path = "../../uapi.rs"]
mod uapi;

#[test]
fn layout_is_what_was_promised() {
    uapi::has_layout("pageshare/uapi", "tests/host/area/tests/uapi.c");
}
