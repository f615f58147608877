// SPDX-License-Identifier: GPL-2.0

//! What may stand for a file, an area or a tree.

use shared_area::area::names::{is_file, is_label, is_xattr, Source};

#[test]
fn names_of_files() {
    for name in [&b"a"[..], b"...", b".a", b" ", b"\n", b"\xff", &[b'a'; 255]] {
        assert!(is_file(name), "{name:?}");
    }
    for name in [&b""[..], b".", b"..", b"a/b", b"/", b"a\0", &[b'a'; 256]] {
        assert!(!is_file(name), "{name:?}");
    }
}

#[test]
fn names_of_attributes() {
    assert!(is_xattr(b"user.a/b") && is_xattr(&[b'a'; 255]));
    assert!(!is_xattr(b"") && !is_xattr(b"user.\0") && !is_xattr(&[b'a'; 256]));
}

#[test]
fn names_of_areas_and_trees() {
    for name in ["a", "0", "debian-13", "A_b.c-", &"a".repeat(63)] {
        assert!(is_label(name.as_bytes()), "{name}");
    }
    for name in [
        "",
        ".a",
        "-a",
        "_a",
        "a b",
        "a/b",
        "\u{e4}",
        &"a".repeat(64),
    ] {
        assert!(!is_label(name.as_bytes()), "{name}");
    }
}

#[test]
fn what_is_mounted() {
    let parse = |text: &'static str| Source::parse(text.as_bytes());
    let (area, tree) = (&b"area"[..], Some(&b"tree"[..]));
    assert_eq!(parse("area"), Some(Source { area, tree: None }));
    assert_eq!(parse("area/tree"), Some(Source { area, tree }));
    for text in [
        "",
        "/",
        "area/",
        "/tree",
        "area/tree/",
        "a/b/c",
        "area/.",
        " area",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}
