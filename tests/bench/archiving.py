"""The nightly jobs against what they take the place of: a store to a real Swift on loopback, and back.

Swift's servers are on the same processors, work as long for both ways, and are often what binds. So
beside the time that an operator waits stands what is the host's own: the processor's time of the job with
its rclone, or of `influxd backup`, the server that it asks, and the swift client; and what either
writes to the disk."""

import os
import re
import resource
import shutil
import statistics
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from bench.pairs import compared, found_in_turn
from bench.stores import fill, warm
from lib.files import STORE_FOLDERS
from lib.influxbackup import backup, restore_legacy
from lib.influxd import Influxd
from lib.nights import DAY, Jobs
from lib.objectstore import Swift

MEGABYTES = 2048
DATABASE = "filled"
SHARDS = f"{DAY}/shards"
MOST_MEMORY = 64  # MiB, of the job without its rclone
TICKS = os.sysconf("SC_CLK_TCK")
BLOCK = 512  # of getrusage(2)


class Cost(NamedTuple):
    """What one way takes, by the same clock."""
    seconds: float
    processor: float  # seconds of the host's own programs
    swift: float      # and of Swift's servers
    written: int      # bytes, to the disk, by the host's own programs
    waited: float     # of the seconds: neither working nor waiting for a processor
    memory: float     # MiB, the most that the job had


class Meter:
    """with Meter(servers, swift) as meter: …; meter.cost(). Servers: those of the host that are asked."""

    def __init__(self, swift, *servers):
        self.servers, self.swift = servers, swift.processes.values()
        self.memory = self.waited = 0

    def __enter__(self):
        self.begin = self._state()
        return self

    def __exit__(self, *_):
        self.end = self._state()

    def _state(self):
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (time.monotonic(), used.ru_utime + used.ru_stime + sum(map(processor_time, self.servers)),
                sum(map(processor_time, self.swift)),
                used.ru_oublock * BLOCK + sum(map(bytes_written, self.servers)))

    def run(self, command, environment):
        """As a child that is watched while it runs."""
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        started = time.monotonic()
        while process.poll() is None:
            self._watch(process.pid, started)
            time.sleep(0.02)
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}")

    def _watch(self, pid, started):
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        self.memory = max(self.memory, int(found[1]) / 1024 if found else 0)
        ran, queued = map(int, Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[:2])
        self.waited = time.monotonic() - started - (ran + queued) / 10**9

    def cost(self):
        taken, processor, swift, written = (after - before for before, after in zip(self.begin, self.end))
        return Cost(taken, processor, swift, written, self.waited, self.memory)


def processor_time(pid):
    """Of a server and its threads, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def bytes_written(pid):
    return int(re.search(r"^write_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.M)[1])


def measure(table, disk, _):
    with Influxd(disk / "live") as live, Swift(disk / "swift") as swift:
        fill(live, MEGABYTES, DATABASE)
        warm(live.root)
        jobs = Jobs(swift.rclone_config(), "swift:")
        compare_archive(table, disk, live, swift, jobs)
        compare_fetch(table, disk, live, swift, jobs)


def compare_archive(table, disk, live, swift, jobs):
    """What a run uploads is removed before the next, so that each finds the same disk."""
    def ours():
        empty(swift)
        with Meter(swift) as meter:
            meter.run([*jobs.command("archive", live.root), "--quiet"], jobs.environment)
        return meter.cost()

    def theirs():
        empty(swift)
        with Meter(swift, live.pid) as meter:
            upload_backup(live, swift, disk / "backup")
        return meter.cost()

    compare(table, "influxfs-archive", "influxd backup and swift upload", ours, theirs)


def compare_fetch(table, disk, live, swift, jobs):
    """Each of what its own way has archived, into a store that is empty."""
    def ours():
        empty(swift)
        jobs.run("archive", live.root)
        target = emptied(disk / "target")
        with Meter(swift) as meter:
            meter.run([*jobs.command("fetch", target), "--quiet"], jobs.environment)
        return meter.cost()

    def theirs():
        empty(swift)
        upload_backup(live, swift, disk / "backup")
        target = emptied(disk / "target")
        with Meter(swift) as meter:
            swift.client("download", DAY, "-p", f"{SHARDS}/", "--remove-prefix", "-D", disk / "backup")
            restore_legacy(target, disk / "backup", DATABASE)
            shutil.rmtree(disk / "backup")
        return meter.cost()

    compare(table, "influxfs-fetch", "swift download and influxd restore", ours, theirs)


def compare(table, our_name, their_name, ours, theirs):
    """Runs both in turn: a row for the time, and rows that explain it."""
    name = f"{our_name} / {their_name}, {MEGABYTES // 1024} GB"
    sides = found_in_turn(name, ours, theirs)

    def row(words, field, **limit):
        table.pairs(words, compared(*([getattr(cost, field) for cost in side] for side in sides)), **limit)

    def middle(side, field):
        return statistics.median(getattr(cost, field) for cost in side)

    row(name, "seconds", most=0.5)
    row("  of these, processor's time of the host's own programs", "processor")
    row("  of these, processor's time of Swift's servers", "swift")
    table.single(f"most memory of {our_name}", [cost.memory for cost in sides[0]], "MiB", most=MOST_MEMORY)
    written = [f"{middle(side, 'written') / 2**20:.0f} MiB" for side in sides]
    table.note(f"{our_name} waited for the remote or the disk in {middle(sides[0], 'waited') / middle(sides[0], 'seconds'):.0%}"
               f" of its time; written by the host's own programs: {written[0]}, theirs {written[1]}")


def upload_backup(live, swift, folder):
    """As the operator's page has it: the copy on the disk is deleted at the end."""
    backup(live, folder, "-database", DATABASE)
    swift.client("upload", DAY, folder, "--object-name", SHARDS)
    shutil.rmtree(folder)


def empty(swift):
    """No container is left, and the disk has nothing to do."""
    for container in swift.containers():
        swift.client("delete", container)
    os.sync()


def emptied(target):
    """A store that is still empty."""
    shutil.rmtree(target, ignore_errors=True)
    for name in STORE_FOLDERS:
        (target / name).mkdir(parents=True)
    os.sync()
    return target
