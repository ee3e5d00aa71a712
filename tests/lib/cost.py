"""What a program costs: counts of the kernel's, which a busy machine does not change, beside its time."""

import os
import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

STEP = 0.005  # seconds from one look at its memory to the next


class Cost(NamedTuple):
    seconds: float
    processor: float    # seconds of it
    memory: float       # MiB that it had at most
    read: int           # bytes and calls of read(2), write(2) and their kind, files and pipes alike
    written: int
    reads: int
    writes: int
    stored: int         # bytes that go to the disk

    def __sub__(self, before):
        """Between two looks at one process; its memory is what it had at most until the later one."""
        return Cost(*(a - b for a, b in zip(self, before)))._replace(memory=self.memory)


def cost_of(command, **options):
    """Of a command that must succeed, and the programs that it waits for count as well, save their memory.
    Its output goes nowhere, unless the options say so."""
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                               **{"stdout": subprocess.DEVNULL} | options)
    started, most = time.monotonic(), 0
    while not os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
        most = max(most, memory_of(process.pid))
        time.sleep(STEP)
    seconds = time.monotonic() - started
    spent = cost_so_far(process.pid)
    if process.wait():
        raise AssertionError(f"{' '.join(map(str, command))}: exit {process.returncode}")
    return spent._replace(seconds=seconds, memory=most)


def cost_so_far(pid):
    """Of a process that runs, or has ended and was not waited for."""
    io = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    times = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[11:15]
    return Cost(time.monotonic(), sum(map(int, times)) / os.sysconf("SC_CLK_TCK"), memory_of(pid),
                *(int(io[word]) for word in ("rchar", "wchar", "syscr", "syscw", "write_bytes")))


def memory_of(pid, name="VmHWM"):
    """MiB that it had at most, or has now (VmRSS); 0 of one that has ended."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0
