# SPDX-License-Identifier: GPL-2.0
"""stall.py receive PORT | listen PORT | send CID PORT | connect CID PORT

Stays in the midst of a system call with a socket of AF_VSOCK: the memory that the call shall copy to or
from never comes (userfaultfd). To `connect`, whose socket has begun to connect, it comes once there is a file
/tmp/stall-go; then it says with what error its connect() has ended."""

import ctypes
import fcntl
import mmap
import os
import select
import socket
import struct
import sys
import threading
import time

GO = "/tmp/stall-go"
SIZE = 1 << 20
SYS_USERFAULTFD = 323
UFFD_API = 0xAA
UFFDIO_API = 0xC018AA3F
UFFDIO_REGISTER = 0xC020AA00
UFFDIO_REGISTER_MODE_MISSING = 1
UFFDIO_ZEROPAGE = 0xC020AA04
SO_VM_SOCKETS_BUFFER_SIZE = 0
SO_VM_SOCKETS_CONNECT_TIMEOUT = 8
CONNECT_S = 600

libc = ctypes.CDLL(None, use_errno=True)


def memory():
    handler = libc.syscall(SYS_USERFAULTFD, os.O_CLOEXEC)
    if handler < 0:
        raise OSError(ctypes.get_errno(), "userfaultfd")
    fcntl.ioctl(handler, UFFDIO_API, bytearray(struct.pack("QQQ", UFFD_API, 0, 0)))
    pages = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    mode = UFFDIO_REGISTER_MODE_MISSING
    fcntl.ioctl(handler, UFFDIO_REGISTER, bytearray(struct.pack("QQQQ", start, SIZE, mode, 0)))
    return handler, pages, start


def relieve():
    while not os.path.exists(GO):
        time.sleep(0.05)
    os.remove(GO)
    fcntl.ioctl(handler, UFFDIO_ZEROPAGE, bytearray(struct.pack("QQQq", start, SIZE, 0, 0)))


def stall(end):
    libc.setsockopt(end.fileno(), socket.AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, ctypes.c_void_p(start), 8)


what, *address = sys.argv[1], *map(int, sys.argv[2:])
handler, pages, start = memory()
end = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
if what == "connect":
    limit = struct.pack("qq", CONNECT_S, 0)
    libc.setsockopt(end.fileno(), socket.AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, limit, len(limit))
    end.setblocking(False)
    end.connect_ex(tuple(address))
    threading.Thread(target=relieve, daemon=True).start()
    stall(end)
    wait = select.poll()
    wait.register(end, select.POLLOUT)
    wait.poll()
    print(f"error {end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)}.", flush=True)
    sys.exit()
if what == "send":
    end.connect(tuple(address))
    end.send(pages)
else:
    end.bind((socket.VMADDR_CID_ANY, address[0]))
    end.listen()
    print("listens", flush=True)
    if what == "listen":
        stall(end)
    else:
        end.accept()[0].recv_into(pages)
sys.exit("the memory came")
