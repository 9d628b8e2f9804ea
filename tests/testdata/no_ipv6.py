"""Runs a command for which socket(AF_INET6) fails with EAFNOSUPPORT, as on a machine without IPv6 (x86-64 Linux)."""

import ctypes
import errno
import os
import struct
import sys

SYS_SOCKET, AF_INET6, AUDIT_ARCH_X86_64 = 41, 10, 0xC000003E
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000 | errno.EAFNOSUPPORT
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2

steps = [
    (LOAD, 0, 0, 4),  # the architecture
    (JUMP_IF_EQUAL, 0, 4, AUDIT_ARCH_X86_64),
    (LOAD, 0, 0, 0),  # the system call
    (JUMP_IF_EQUAL, 0, 2, SYS_SOCKET),
    (LOAD, 0, 0, 16),  # its first argument
    (JUMP_IF_EQUAL, 1, 0, AF_INET6),
    (RETURN, 0, 0, ALLOW),
    (RETURN, 0, 0, FAIL),
]
code = b"".join(struct.pack("HBBI", *step) for step in steps)
buffer = ctypes.create_string_buffer(code)
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(buffer)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0):
    sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
