"""Runs a command on a pseudo-terminal, its stderr being ours, and shows what it shows; closes the terminal at the end of
stdin. Its exit code is ours."""

import os
import pty
import select
import signal
import sys

stderr = os.dup(2)
pid, terminal = pty.fork()
if pid == 0:
    os.dup2(stderr, 2)
    os.execvp(sys.argv[1], sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGKILL))

while True:
    ready = select.select([terminal, 0], [], [])[0]
    if 0 in ready and not os.read(0, 65536):
        break
    if terminal in ready:
        try:
            os.write(1, os.read(terminal, 65536))
        except OSError:  # the command has ended before
            break
os.close(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
