"""What a shell does with a job, on the terminal that it has: runs the command in a process group of its own in the
foreground; when it stops, says so and whether the terminal is as it was, and brings it back at a line of input."""

import os
import signal
import sys
import termios


def foreground(group):
    os.tcsetpgrp(0, group)


def report(what):
    foreground(os.getpgrp())
    modes = "as before" if termios.tcgetattr(0) == before else "changed"
    print(f"{what}, terminal {modes}", flush=True)


signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # it takes the terminal back from the background
before = termios.tcgetattr(0)
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    foreground(os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execvp(sys.argv[1], sys.argv[1:])
while True:
    status = os.waitpid(job, os.WUNTRACED)[1]
    if not os.WIFSTOPPED(status):
        break
    report(f"stopped by signal {os.WSTOPSIG(status)}")
    sys.stdin.readline()
    foreground(job)
    os.killpg(job, signal.SIGCONT)
report(f"ended with {os.waitstatus_to_exitcode(status)}")
