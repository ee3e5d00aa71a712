"""Dumps of a measurement of more and more series, beside influx_inspect export and the server's own answer."""

import os
import shutil
import time
from pathlib import Path

from bench.table import progress
from lib.cost import cost_of, memory_of
from lib.cuts import INFLUXSNAP
from lib.dumps import answer
from lib.influxd import Influxd
from lib.stores import many_series

SIZES = (1_000, 10_000, 100_000, 300_000, 1_000_000)
SERVED_MOST = 300_000  # influxd takes gigabytes for more
FORMATS = ("lp", "json", "csv")
MOST_MEMORY = 64
RUNS = 3
TIMES, MEMORY = "seconds of a dump, by series", "MiB of memory of it, by series"


def measure(table, disk, _):
    inspect = find_inspect(table)
    for count in SIZES:
        if table.beyond(count, f"dumps of {count} series"):
            continue
        progress(f"a store of {count} series")
        store = disk / f"{count}"
        many_series(store, count)
        theirs = {"lp": exported(store, inspect)} if inspect else {}
        if count <= SERVED_MOST:
            theirs |= served(store)
        for form in FORMATS:
            compare(table, store, count, form, theirs.get(form))
        shutil.rmtree(store)


def find_inspect(table):
    found = os.environ.get("INFLUX_INSPECT") or shutil.which("influx_inspect")
    if not found:
        table.note("influx_inspect: not found on PATH, and INFLUX_INSPECT= names none")
    return found


def compare(table, store, count, form, theirs):
    costs = []
    for number in range(RUNS):
        progress(f"{form} of {count} series: run {number + 1} of {RUNS}")
        costs.append(cost_of([INFLUXSNAP, "-c", store, "--quiet", "dump", "--no-ddl", f"--format={form}", "db", "autogen", "m"]))
    seconds, memory = sorted(cost.seconds for cost in costs), max(cost.memory for cost in costs)
    table.growth(TIMES, form, count, seconds[RUNS // 2])
    table.growth(MEMORY, form, count, memory)
    table.single(f"{form} of {count} series", seconds, "s")
    table.single("memory of it", [memory], "MiB", most=MOST_MEMORY)
    if theirs:
        who, their_seconds, their_memory = theirs
        table.growth(TIMES, who, count, their_seconds)
        table.growth(MEMORY, who, count, their_memory)
        behind = " (we are behind)" if seconds[RUNS // 2] > their_seconds or memory > their_memory else ""
        table.note(f"{who}: {their_seconds:.2f} s, {their_memory:.0f} MiB{behind}")


def exported(store, inspect):
    """(who, seconds, MiB) of line protocol, without a file. It writes points that two files have twice, a tenth more."""
    costs = [cost_of(export_command(inspect, store, "db")) for _ in range(RUNS)]
    return "influx_inspect", sorted(cost.seconds for cost in costs)[RUNS // 2], max(cost.memory for cost in costs)


def export_command(inspect, store, database):
    return [inspect, "export", "-datadir", store / "data", "-waldir", store / "wal", "-database", database,
            "-out", "/dev/null"]


def served(store):
    """format -> (who, seconds, MiB) of a server that has just been started; each has a server of its own."""
    found = {}
    for form in ("json", "csv"):
        copy = Path(f"{store}-served")
        shutil.copytree(store, copy, ignore=lambda _, names: [name for name in names if name == "influxfs"])
        with Influxd(copy) as influxd:
            progress(f"influxd answers in {form}")
            seconds, most = timed_answer(influxd, form, "db", "autogen", "m")
            found[form] = (f"influxd, {form}", seconds, most)
        shutil.rmtree(copy)
    return found


def timed_answer(influxd, form, *measurement):
    """The seconds that an answer with all of it takes, and the most MiB that influxd has had until then."""
    started = time.monotonic()
    answer(influxd, form, *measurement)
    return time.monotonic() - started, memory_of(influxd.pid)
