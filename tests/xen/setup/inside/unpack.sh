#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# unpack.sh FOLDER: unpacks FOLDER/debs: the source without what is never built here (two thirds of
# it), the image's files below image/, and from the headers what the source lacks.
set -eu
cd "$1"
mkdir source image headers
for deb in debs/linux-source-*.deb; do
	dpkg-deb --fsys-tarfile "$deb" | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | xz -dc |
		tar -x -C source --strip-components=1 --no-same-owner --wildcards --wildcards-match-slash \
			--exclude='*/Documentation/*.rst' --exclude='*/Documentation/*.yaml' --exclude='*/Documentation/*.txt' \
			--exclude='*/arch/[!x]*/*.[chS]' --exclude='*/arch/[!x]*/*.dts*' \
			--exclude='*/drivers/gpu/*.[ch]' --exclude='*/drivers/media/*.[ch]' --exclude='*/drivers/accel/*.[ch]' \
			--exclude='*/drivers/net/ethernet/*.[ch]' --exclude='*/drivers/net/wireless/*.[ch]' \
			--exclude='*/drivers/scsi/*.[ch]' --exclude='*/drivers/infiniband/*.[ch]' --exclude='linux-source-*/sound/*.[ch]' \
			--exclude='*/tools/perf/*'
	rm "$deb"
done
for deb in debs/*.deb; do
	case $deb in
	*/linux-headers-*) dpkg-deb -x "$deb" headers ;;
	*) dpkg-deb -x "$deb" image ;;
	esac
done
cp headers/usr/src/linux-headers-*/.config config
cp headers/usr/src/linux-headers-*/Module.symvers .
rm -rf debs headers
