#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# tools.sh FOLDER: makes FOLDER/image and FOLDER/sdk of FOLDER/tree
set -eu
cd "$1"
lib=usr/lib/x86_64-linux-gnu
mkdir -p sdk/include sdk/lib work/tools/testing
for header in tree/usr/include/*xen* tree/usr/include/liburing*; do
	mv "$header" sdk/include
done
for archive in "tree/$lib"/libxen*.a "tree/$lib/liburing.a"; do
	mv "$archive" sdk/lib
done

# The kernel tree's tests look for headers beside themselves.
source=/linux/7.2/source
ln -s $source/tools/include work/tools/include
cp -r $source/tools/testing/vsock work/tools/testing
# Ten seconds are little where a processor is emulated: while one end reads all of /proc/kallsyms the
# other's time runs out.
sed -i 's/TIMEOUT = 10 /TIMEOUT = 60 /' work/tools/testing/vsock/timeout.h
make -s -C work/tools/testing/vsock CC="gcc -I$PWD/sdk/include -L$PWD/sdk/lib" all
for program in vsock_test vsock_diag_test vsock_perf vsock_uring_test; do
	cp work/tools/testing/vsock/$program tree/usr/bin
done

rm -rf work tree/usr/include tree/$lib/*.a tree/var/cache/apt tree/var/lib/apt
mkdir -p tree/run/sshd
truncate -s $(($(du -s -B1 tree | cut -f1) * 6 / 5 + 33554432)) image
mke2fs -q -F -t ext4 -m 0 -L tools -O ^has_journal -d tree image
rm -rf tree
