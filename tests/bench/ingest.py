"""How many points influxd takes in while now.tar is read again and again, and while it is not."""

import os
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import time

from bench.pairs import RUNS, compared
from bench.stores import fill, warm
from bench.table import progress
from lib.influxd import Influxd
from lib.mount import Mount

MEGABYTES = 300
CONNECTIONS = 6
WINDOW = 15     # seconds at least; while there is a reader, until a snapshot has been read whole
LONGEST = 90    # seconds, after which that is not waited for
SETTLE = 0.5    # after a change, before the next window
READERS = {"cat": "cat {now} | wc -c", "cp": "cp {now} {target} && stat -c %s {target}; rm -f {target}"}


class Load:
    """Connections that write as fast as influxd acknowledges, in a process of its own, and in a
    session of its own as all that is measured here: Linux shares its processors by session.
    What they wrote is dropped in the end, so that the next begins with the same store."""

    def __init__(self, influxd, counters):
        influxd.run("CREATE DATABASE load")
        self.influxd, self.counters = influxd, counters
        counters.write_bytes(bytes(8 * CONNECTIONS))
        self.process = subprocess.Popen([sys.executable, os.path.join(os.path.dirname(__file__), "load.py"),
                                         influxd.address, "load", counters, str(CONNECTIONS)],
                                        start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.influxd.run("DROP DATABASE load")

    def points(self):
        if self.process.poll() is not None:
            raise RuntimeError("the load generator has ended")
        return sum(struct.unpack(f"<{CONNECTIONS}q", self.counters.read_bytes()))

    def rate(self, reading=None):
        """Points a second in the next window."""
        time.sleep(SETTLE)
        first, started = self.points(), time.monotonic()
        time.sleep(WINDOW)
        while reading and not reading.sizes() and time.monotonic() - started < LONGEST:
            time.sleep(0.1)
        return (self.points() - first) / (time.monotonic() - started)


class Reading:
    """A shell that reads now.tar in a loop; each read is a process's own, so a new snapshot."""

    def __init__(self, command, log):
        self.command, self.log = command, log

    def __enter__(self):
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(["sh", "-c", f"while :; do {self.command}; done"],
                                            stdout=log, stdin=subprocess.DEVNULL, start_new_session=True)
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def sizes(self):
        """Of the snapshots that have been read whole."""
        return list(map(int, self.log.read_text().split()))


def measure(table, disk, memory):
    # In memory influxd is limited by the processors alone, and the load is even: the harder case.
    with_store_in(memory, "in memory", ("cat", "cp"), table, disk, memory)
    with_store_in(disk, "on disk", ("cat",), table, disk, memory)


def with_store_in(place, where, readers, table, disk, memory):
    with Influxd(place / "live") as live:
        fill(live, MEGABYTES)
        warm(live.root)
        # As users run it: a daemon, in a session of its own.
        with Mount(live.root, disk / "mnt", foreground=False) as mnt:
            for name in readers:
                with Load(live, memory / "points") as load:
                    measure_one(table, name, where, mnt, load, memory, live)
    shutil.rmtree(live.root)


def measure_one(table, name, where, mnt, load, memory, live):
    log, target = memory / f"{name}.log", memory / "now.tar"
    command = READERS[name].format(now=shlex.quote(str(mnt / "snapshots/now.tar")), target=shlex.quote(str(target)))
    ours, alone, sizes, elapsed = [], [], [], 0
    pids = {"influxd": live.pid, "influxfs": mnt.pid(), "the load": load.process.pid}
    used = dict.fromkeys(pids, 0)
    for number in range(RUNS + 1):
        progress(f"influxd's ingest, {name}, {where}: " + (f"run {number} of {RUNS}" if number else "warming up"))
        alone.append(load.rate())
        before = {who: cpu_seconds(pid) for who, pid in pids.items()}
        started = time.monotonic()
        with Reading(command, log) as reading:
            ours.append(load.rate(reading))
            elapsed += time.monotonic() - started
            sizes += reading.sizes()
        used = {who: used[who] + cpu_seconds(pid) - before[who] for who, pid in pids.items()}
        target.unlink(missing_ok=True)
    pairs = compared([rate / 1000 for rate in ours[1:]], [rate / 1000 for rate in alone[1:]])
    table.pairs(f"points into influxd {where}, {name} now.tar in a loop / alone", pairs, least=0.95, unit="k/s")
    table.note(f"meanwhile {len(sizes)} snapshots were read whole, {sum(sizes) / elapsed / 2**20:.0f} MB/s; "
               "processors used: " + ", ".join(f"{who} {seconds / elapsed:.2f}" for who, seconds in used.items()))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        words = file.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
