# SPDX-License-Identifier: GPL-2.0
"""edge.py short|again|pour KIND PORT | talk|drain KIND CID PORT

The first three serve one connection, and are told of edges only (EPOLLET): after each `short` receives until it
gets less than it has asked for, `again` until there is nothing, and both send that back; `pour` sends until no more
goes. `talk` and `drain` are at the other end."""

import select
import socket
import sys
import time

KINDS = {"stream": socket.SOCK_STREAM, "seqpacket": socket.SOCK_SEQPACKET}
MESSAGE = b"x" * 100
TIMES = 20
CHUNK = 8000
TOTAL = 256 * CHUNK
LIMIT = 60


def answer(end, again):
    """After an edge; false at the end."""
    while True:
        try:
            data = end.recv(CHUNK)
        except BlockingIOError:
            return True
        if not data:
            return False
        end.send(data)
        if not again and len(data) < CHUNK:
            return True


def pour(end, left):
    """After an edge; answers how much is left."""
    while left:
        try:
            sent = end.send(bytes(min(left, CHUNK)))
        except BlockingIOError:
            break
        left -= sent
        if sent < CHUNK:
            break
    return left


def serve(end, what):
    end.setblocking(False)
    with select.epoll() as edges:
        edges.register(end, select.EPOLLET | (select.EPOLLOUT if what == "pour" else select.EPOLLIN))
        left = TOTAL
        while edges.poll():
            if what != "pour":
                if not answer(end, what == "again"):
                    return
            elif not (left := pour(end, left)):
                end.shutdown(socket.SHUT_WR)
                end.setblocking(True)
                end.recv(1)
                return


def talk(end):
    for _ in range(TIMES):
        end.sendall(MESSAGE)
        left = len(MESSAGE)
        while left:
            left -= len(end.recv(left))
        # The other end has nothing to do any more.
        time.sleep(0.02)


def drain(end):
    # The ring is full by then.
    time.sleep(1)
    total = 0
    while data := end.recv(CHUNK):
        total += len(data)
    assert total == TOTAL, total


what, kind, *address = sys.argv[1], KINDS[sys.argv[2]], *map(int, sys.argv[3:])
end = socket.socket(socket.AF_VSOCK, kind)
if what in ("talk", "drain"):
    end.settimeout(LIMIT)
    end.connect(tuple(address))
    talk(end) if what == "talk" else drain(end)
    print("all is well")
else:
    end.bind((socket.VMADDR_CID_ANY, address[0]))
    end.listen()
    print("listens", flush=True)
    serve(end.accept()[0], what)
