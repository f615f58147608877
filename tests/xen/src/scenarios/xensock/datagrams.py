# SPDX-License-Identifier: GPL-2.0
# Datagrams: `echo PORT` sends back what comes, `deaf PORT` has the port and reads nothing, and
# `talk CID PORT DEAF NOBODY` does all that a client can.
import errno
import os
import socket
import sys
import time

LONGEST = 8192
ANY = socket.VMADDR_PORT_ANY
CID_HYPERVISOR = 0


def bound(port):
    sock = socket.socket(socket.AF_VSOCK, socket.SOCK_DGRAM)
    sock.bind((socket.VMADDR_CID_ANY, port))
    return sock


def fails(number, act):
    try:
        act()
    except OSError as error:
        assert error.errno == number, error
        return
    raise AssertionError(f"no {errno.errorcode[number]}")


def send(sock, data, there):
    """Sends, as soon as there is room."""
    while True:
        try:
            return sock.sendto(data, there)
        except OSError as error:
            assert error.errno == errno.ENOBUFS, error
            time.sleep(0.01)


def exchange(there):
    sock = bound(ANY)
    sock.settimeout(60)
    for turn in range(4):
        for size in (0, 1, 7, 64, 4095, 4096, LONGEST):
            data = os.urandom(size)
            send(sock, data, there)
            back, whose = sock.recvfrom(LONGEST + 1)
            assert back == data, (turn, size, len(back))
            assert whose == there, whose
    sock.connect(there)
    sock.send(b"to whom it is connected")
    assert sock.recv(100) == b"to whom it is connected"
    send(sock, b"cut short", there)
    assert sock.recv(3) == b"cut"


def refuse(there):
    sock = bound(ANY)
    fails(errno.EMSGSIZE, lambda: sock.sendto(bytes(LONGEST + 1), there))
    taken = sock.getsockname()[1]
    fails(errno.EADDRINUSE, lambda: bound(taken))
    fails(errno.EINVAL, lambda: sock.sendto(b"x", (CID_HYPERVISOR, 1)))
    sock.close()
    bound(taken).close()
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        fails(errno.EACCES, lambda: bound(1000))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def flood(deaf, nobody):
    sock = bound(ANY)
    for _ in range(1000):
        send(sock, bytes(LONGEST), deaf)
    for _ in range(10):
        send(sock, b"for nobody", nobody)


def main():
    what, numbers = sys.argv[1], [int(word) for word in sys.argv[2:]]
    if what == "talk":
        cid, port, deaf, nobody = numbers
        exchange((cid, port))
        refuse((cid, port))
        flood((cid, deaf), (cid, nobody))
        exchange((cid, port))
        print("all is well")
        return
    sock = bound(numbers[0])
    print("bound", flush=True)
    while True:
        if what == "deaf":
            time.sleep(1000)
        data, whose = sock.recvfrom(LONGEST + 1)
        sock.sendto(data, whose)


main()
