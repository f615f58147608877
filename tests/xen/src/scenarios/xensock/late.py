# SPDX-License-Identifier: GPL-2.0
"""late.py answer PORT LENGTH | read CID PORT GO

`answer` sends so much to who connects, closes, and says so. `read` begins to receive once there is a file GO, and
says how much has come or with what error it ended."""

import os
import socket
import sys
import time

end = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
if sys.argv[1] == "answer":
    end.bind((socket.VMADDR_CID_ANY, int(sys.argv[2])))
    end.listen()
    print("listens", flush=True)
    peer = end.accept()[0]
    peer.sendall(bytes(int(sys.argv[3])))
    peer.close()
    print("closed", flush=True)
    time.sleep(3600)
end.connect((int(sys.argv[2]), int(sys.argv[3])))
print("connected", flush=True)
while not os.path.exists(sys.argv[4]):
    time.sleep(0.05)
os.remove(sys.argv[4])
total = 0
try:
    while data := end.recv(1000):
        total += len(data)
    print(f"{total} bytes.", flush=True)
except OSError as error:
    print(f"errno {error.errno} after {total} bytes.", flush=True)
