# SPDX-License-Identifier: GPL-2.0
"""packets.py send PORT GO LENGTH | hold CID PORT

`send` waits on each connection until the file GO is there, sends a packet, for as long as it may, and says how that
went and how many milliseconds of a processor it took. `hold` is at the other end, and does nothing."""

import ctypes
import os
import socket
import struct
import sys
import time

LIMIT_S = 5

libc = ctypes.CDLL(None)
end = socket.socket(socket.AF_VSOCK, socket.SOCK_SEQPACKET)
if sys.argv[1] == "hold":
    end.connect((int(sys.argv[2]), int(sys.argv[3])))
    print("connected", flush=True)
    time.sleep(3600)

port, go, length = int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
end.bind((socket.VMADDR_CID_ANY, port))
end.listen()
print("listens", flush=True)
while True:
    peer = end.accept()[0]
    limit = struct.pack("ll", LIMIT_S, 0)
    # That of `socket` takes nothing but integers for AF_VSOCK.
    libc.setsockopt(peer.fileno(), socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit, len(limit))
    while not os.path.exists(go):
        time.sleep(0.05)
    os.remove(go)
    start = time.process_time()
    try:
        said = f"sent {peer.send(bytes(length))}"
    except OSError as error:
        said = f"errno {error.errno}"
    print(f"{said} cpu_ms={int(1000 * (time.process_time() - start))}.", flush=True)
