# SPDX-License-Identifier: GPL-2.0
"""buffers.py listen PORT | fill CID PORT SIZE

`fill` says how many bytes of a stream go that nobody reads, with SO_VM_SOCKETS_BUFFER_SIZE set before it connects,
then with it set after that, and at last with the default."""

import socket
import sys
import time

SO_VM_SOCKETS_BUFFER_SIZE = 0
CHUNK = bytes(1000)


def fill(address, size, when):
    end = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    total = 0
    for now in ("before", "after"):
        if when == now:
            end.setsockopt(socket.AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, size)
        if now == "before":
            end.connect(address)
    end.setblocking(False)
    quiet = 0
    # A ring that may grow takes a moment.
    while quiet < 10:
        try:
            total += end.send(CHUNK)
            quiet = 0
        except BlockingIOError:
            quiet += 1
            time.sleep(0.1)
    return total


what, *numbers = sys.argv[1], *map(int, sys.argv[2:])
if what == "listen":
    end = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    end.bind((socket.VMADDR_CID_ANY, numbers[0]))
    end.listen()
    print("listens", flush=True)
    time.sleep(3600)
cid, port, size = numbers
print(*(fill((cid, port), size, when) for when in ("before", "after", "never")))
