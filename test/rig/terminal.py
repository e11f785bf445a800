"""Runs a command on a pseudo terminal: `terminal.py COLUMNS COMMAND...`.

What it prints goes to stdout, stdin is what is typed. Ends with the command's exit status.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios

ROWS = 24


def main() -> int:
    columns, command = int(sys.argv[1]), sys.argv[2:]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    sources = [terminal, sys.stdin.fileno()]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if sys.stdin.fileno() in ready:
            typed = os.read(sys.stdin.fileno(), 1024)
            if typed:
                os.write(terminal, typed)
            else:
                sources = [terminal]
        if terminal in ready:
            try:
                printed = os.read(terminal, 65536)
            except OSError:  # EIO: the other side is closed
                break
            os.write(sys.stdout.fileno(), printed)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
