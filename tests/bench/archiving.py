"""The nightly jobs against what they take the place of: a store to a real Swift on loopback, and back."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from bench.pairs import in_turn
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
        return timed(jobs.command("archive", live.root), jobs, peaks)

    def theirs():
        empty(swift)
        started = time.monotonic()
        upload_backup(live, swift, disk / "backup")
        return time.monotonic() - started

    peaks = []
    name = "influxfs-archive / influxd backup and swift upload, 2 GB"
    table.pairs(name, in_turn(name, ours, theirs), most=0.5)
    table.single("most memory of influxfs-archive", peaks, "MiB", most=MOST_MEMORY)


def compare_fetch(table, disk, live, swift, jobs):
    """Each of what its own way has archived, into a store that is empty."""
    def ours():
        put_archive()
        return timed(jobs.command("fetch", emptied(disk / "target")), jobs, peaks)

    def theirs():
        put_backup()
        target = emptied(disk / "target")
        started = time.monotonic()
        swift.client("download", DAY, "-p", f"{SHARDS}/", "--remove-prefix", "-D", disk / "backup")
        restore_legacy(target, disk / "backup", DATABASE)
        shutil.rmtree(disk / "backup")
        return time.monotonic() - started

    def put_archive():
        empty(swift)
        jobs.run("archive", live.root)
        os.sync()

    def put_backup():
        empty(swift)
        upload_backup(live, swift, disk / "backup")
        os.sync()

    peaks = []
    name = "influxfs-fetch / swift download and influxd restore, 2 GB"
    table.pairs(name, in_turn(name, ours, theirs), most=0.5)
    table.single("most memory of influxfs-fetch", peaks, "MiB", most=MOST_MEMORY)


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


def timed(command, jobs, peaks):
    """How long it takes; the most memory that it had, in MiB, is added to the peaks."""
    started, most = time.monotonic(), 0
    process = subprocess.Popen([*command, "--quiet"], env=jobs.environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)
    while process.poll() is None:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
        most = max(most, int(found[1]) / 1024 if found else 0)
        time.sleep(0.005)
    taken = time.monotonic() - started
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}")
    peaks.append(most)
    return taken
