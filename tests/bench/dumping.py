"""Dumps: line protocol by values a second, and JSON against the server's own answer and against
paging through it, as people do who back up by queries."""

import random
import re
import subprocess
import time
from pathlib import Path

from bench.pairs import RUNS, compared, in_turn
from bench.stores import settle
from bench.table import progress
from lib.cuts import INFLUXSNAP
from lib.dumps import rfc3339, whole
from lib.files import files_in, wait_until
from lib.influxd import Influxd, tsm_files
from lib.mount import Mount

SERIES, POINTS, FIELDS = 10, 360_000, 10  # 36 million values
START = 1465603200  # 2016-06-11
ROWS, PAGE = 432_000, 1000
BATCH = 4000


def lines(rng, series, first):
    """Seven floats, as sensors give them, one of them with all its digits, and three integers."""
    for n in range(first, first + BATCH):
        a, b, c, d = (rng.randrange(10_000) for _ in range(4))
        yield (f"m,host=server{series:02d},region=eu-west a={a / 100},b={b / 100},c={c / 100},d={d / 10},e={(a + b) / 100},"
               f"f={(c + d) / 100},g={a * b / 7},h={c % 1000}i,i={5_000_000 + n * 1000 + d}i,j={n % 97}i {(START + n) * 10**9}")


def fill(influxd):
    """Until all is in TSM files, as of a store whose days have passed."""
    rng = random.Random(1)
    influxd.run('CREATE DATABASE db WITH DURATION INF NAME "rp"')
    for series in range(SERIES):
        progress(f"influxd writes {SERIES * POINTS * FIELDS // 10**6} million values: {series * POINTS * FIELDS // 10**6}")
        for first in range(0, POINTS, BATCH):
            influxd.write(list(lines(rng, series, first)), "db", "rp")
    wait_until(lambda: tsm_files(influxd.root) and logged(influxd.root) < 2**20, 60, "a flush")
    settle(influxd)


def logged(root):
    """Bytes in the WAL."""
    return sum(Path(name).stat().st_size for name in files_in(root / "wal"))


def measure(table, disk, _):
    root = disk / "live"
    with Influxd(root, cache_snapshot_write_cold_duration="2s") as influxd:
        fill(influxd)
        measure_lines(table, root)
        measure_json(table, disk, influxd)


def on_one_processor(command):
    """How long it takes, to /dev/null, and the most memory that it had, in MiB."""
    started, most = time.monotonic(), 0
    process = subprocess.Popen(["taskset", "-c", "0", *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    while process.poll() is None:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
        most = max(most, int(found[1]) / 1024 if found else 0)
        time.sleep(0.01)
    if process.returncode:
        raise RuntimeError(f"{command}: exit {process.returncode}")
    return time.monotonic() - started, most


def measure_lines(table, root):
    command = [INFLUXSNAP, "-c", root, "dump", "--format=lp", "db", "rp", "m"]
    taken = []
    for number in range(RUNS + 1):
        progress("line protocol: " + (f"run {number} of {RUNS}" if number else "warming up"))
        taken.append(on_one_processor(command))
    millions = SERIES * POINTS * FIELDS / 10**6
    table.single("values of a dump in line protocol, one processor", [millions / s for s, _ in taken[1:]], "M/s", least=20)
    table.single("memory of it", [most for _, most in taken[1:]], "MiB", 64)


def measure_json(table, disk, influxd):
    rows = f"{ROWS // 1000},000 rows"
    end = START + ROWS // SERIES
    where = f"WHERE time >= '{rfc3339(START * 10**9)}' AND time < '{rfc3339(end * 10**9)}'"
    with Mount(influxd.root, disk / "mnt", foreground=False) as mnt:
        name = mnt / f"dump/json/db/rp/m_2016-06-11-00:00:00_{clock(end)}.json"
        answer = whole(influxd.query(f'SELECT * FROM "rp"."m" {where}', "db"))
        if name.read_bytes() != answer:
            raise RuntimeError("the dump is not what influxd answers")

        def ours():
            return timed(lambda: subprocess.run(["cat", name], check=True, stdout=subprocess.DEVNULL))

        def theirs():
            return timed(lambda: influxd.query(f'SELECT * FROM "rp"."m" {where}', "db"))

        what = f"rate of a dump in JSON / of influxd's answer, {rows}"
        table.pairs(what, faster(in_turn(what, ours, theirs, runs=3)), least=10, unit="s")
        paged = timed(lambda: page(influxd, where))
        dumped = ours()
        table.pairs(f"rate of a dump in JSON / of queries by {PAGE} rows",
                    faster(compared([dumped], [paged])), least=100)
        memory = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{mnt.pid()}/status").read_text())[1]
        table.single("memory of the mount meanwhile", [int(memory) / 1024], "MiB", 64)


def page(influxd, where):
    for offset in range(0, ROWS, PAGE):
        progress(f"paging through influxd: {offset} of {ROWS} rows")
        influxd.query(f'SELECT * FROM "rp"."m" {where} LIMIT {PAGE} OFFSET {offset}', "db")


def timed(action):
    started = time.monotonic()
    action()
    return time.monotonic() - started


def faster(pairs):
    """Their time by ours: how many times our rate is theirs."""
    return pairs._replace(ratio=1 / pairs.ratio, least=1 / pairs.most, most=1 / pairs.least)


def clock(seconds):
    return time.strftime("%Y-%m-%d-%H:%M:%S", time.gmtime(seconds))
