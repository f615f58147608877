#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# dom0.sh IMAGE: an ext4 image of IMAGE.tar, with 256 MiB to spare
set -eu
image=$1
rm -f "$image"
truncate -s $(($(stat -c %s "$image.tar") * 5 / 4 + 268435456)) "$image"
mke2fs -q -F -t ext4 -m 0 -L dom0 -O ^has_journal -d "$image.tar" "$image"
rm "$image.tar"
