// SPDX-License-Identifier: GPL-2.0

//! Trees of files on a disk.

mod common;

use common::assert_same;
use pageshare::area::format::{ROOT, TARGET_MAX};
use pageshare::area::tree::Tree;
use pageshare::{check, pack, scan};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;

#[test]
fn a_directory_of_this_machine() {
    let found = ["/usr/share/zoneinfo", "/usr/share/perl", "/usr/share/doc"];
    let Some(root) = found.iter().map(Path::new).find(|root| root.is_dir()) else {
        return;
    };
    let image = pack(scan(root).unwrap()).unwrap();
    assert_same(&scan(root).unwrap(), &image);
    let summary = check(&image, image.digest()).unwrap();
    println!(
        "{}: {} files, {} blocks of content, {} of them unique, {} blocks that describe them",
        root.display(),
        summary.regular,
        summary.referenced,
        summary.unique,
        summary.metadata
    );
}

#[test]
fn files_as_they_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("folder")).unwrap();
    fs::write(path("folder/file"), vec![7; 10_000]).unwrap();
    fs::set_permissions(path("folder/file"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::hard_link(path("folder/file"), path("same")).unwrap();
    symlink("folder/file", path("link")).unwrap();
    fs::write(path("empty"), "").unwrap();
    let sparse = File::create(path("sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    sparse.write_all_at(b"far away", (1 << 39) + 1).unwrap();
    sparse.write_all_at(b"end", (1 << 40) - 3).unwrap();

    let image = pack(scan(folder.path()).unwrap()).unwrap();
    assert_same(&scan(folder.path()).unwrap(), &image);
    check(&image, image.digest()).unwrap();

    let tree = Tree::open(&image).unwrap();
    let root = tree.inode(ROOT).unwrap().unwrap();
    let find = |name: &[u8]| tree.lookup(ROOT, &root, name).unwrap().unwrap().1;
    assert_eq!([root.links, find(b"same").links], [3, 2]);
    assert_eq!(find(b"same").mode, 0o100640);
    assert_eq!(find(b"sparse").blocks, 2);
    let mut target = [0; TARGET_MAX];
    assert_eq!(tree.target(&find(b"link"), &mut target).unwrap(), Some(11));

    // What changes after it was read is noticed.
    fs::write(path("same"), vec![8; 10_000]).unwrap();
    let error = check(&image, image.digest()).unwrap_err().to_string();
    assert!(error.contains("has changed"), "{error}");
    fs::write(path("same"), "short").unwrap();
    let error = check(&image, image.digest()).unwrap_err().to_string();
    assert!(error.contains("was cut"), "{error}");
}

#[test]
fn a_file_is_a_tree_by_itself() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let made = file.as_file_mut();
    made.write_all_at(&[7; 4096], 3 << 20).unwrap();
    made.set_len((5 << 20) + 1).unwrap();
    let image = pack(scan(file.path()).unwrap()).unwrap();
    check(&image, image.digest()).unwrap();
    let tree = Tree::open(&image).unwrap();
    let root = tree.inode(ROOT).unwrap().unwrap();
    assert_eq!([root.count, root.links, root.mode.into()], [1, 2, 0o040755]);
    let (_, only) = tree.lookup(ROOT, &root, b"image").unwrap().unwrap();
    assert_eq!([only.size, only.blocks], [(5 << 20) + 1, 1]);
}

#[test]
fn other_files_are_no_trees() {
    let error = scan(Path::new("/dev/null")).err().unwrap().to_string();
    assert!(error.ends_with("nor a regular file"), "{error}");
    assert!(scan(Path::new("/nowhere")).is_err());
}
