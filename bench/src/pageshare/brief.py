# SPDX-License-Identifier: GPL-2.0
"""A process that lives for a second: imports a little, and maps and touches files that nobody has read yet."""
import mmap, os, re, time

sum = 0
views = []
for folder in "/usr/share/i18n/locales", "/usr/share/i18n/charmaps":
    for name in sorted(os.listdir(folder))[:40]:
        with open(os.path.join(folder, name), "rb") as file:
            if os.fstat(file.fileno()).st_size:
                view = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
                sum += view[:: mmap.PAGESIZE].count(0)
                views.append(view)
time.sleep(1)
os.system(f"/tmp/touched {os.getpid()}")
