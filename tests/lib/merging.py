"""Two stores written at random, and a server that was given the points of both."""

import json
import subprocess
import time

from lib.cuts import INFLUXSNAP
from lib.dumps import answer, dump
from lib.files import HANG, sizes_in
from lib.influxd import InfluxError, Influxd
from lib.measurements import HOUR, MEASUREMENTS, Measurements

KINDS = ("integer", "float", "string", "boolean")
YEAR_1 = -62135596800 * 10**9


def group_of(time, hours):
    """The number of its shard group: influxd counts them from the year 1."""
    return (time - YEAR_1) // (hours * HOUR)


class Side(Measurements):
    """The points of one of the two: shards of so many hours, from an hour on; the type of the field c changes from shard
    to shard, and not as in the other one."""

    def __init__(self, seed, hours, first=0, shift=0):
        super().__init__(seed)
        self.hours = hours
        self.first = first
        self.shift = shift
        self.step = 10**9  # the same for both, so that points meet

    def kind_of(self, name, time):
        if name in self.changing:
            return KINDS[(group_of(time, self.hours) + self.shift) % 4]
        return self.fields[name]

    def time(self):
        return super().time() + self.first * HOUR


def create(db, hours, rp="rp", duration="INF"):
    return f'CREATE DATABASE "{db}" WITH DURATION {duration} SHARD DURATION {hours}h NAME "{rp}"'


def history(influxd, side, db, rp="", rounds=2):
    """Writes, overwrites and deletes; flushes between the rounds, and a WAL at the end."""
    for _ in range(rounds):
        for _ in range(side.rng.randrange(2, 5)):
            influxd.write(side.batch(), db, rp)
            if side.rng.random() < 0.4:
                influxd.run(side.delete(), db)
        time.sleep(1.1)  # it looks at its caches every second
    influxd.run(side.delete(), db)
    influxd.write(side.batch(), db, rp)


def server(root, index):
    return Influxd(root, index=index, cache_snapshot_memory_size=3000)


def is_flushed(root):
    """Whether its WAL is empty."""
    return not any(sizes_in(root / "wal"))


def cells_of_row(text, at):
    """(key, [field=value, …], time, where the next row begins) of line protocol."""
    key, at = until(text, at, b" ")
    fields, stop = [], b","
    while stop == b",":
        begin = at
        at = until(text, at, b"=")[1]
        while text[at:at + 1] not in (b",", b" "):
            at = end_of_string(text, at) if text[at:at + 1] == b'"' else at + 1
        fields.append(text[begin:at])
        stop = text[at:at + 1]
        at += 1
    end = text.index(b"\n", at)
    return key, fields, text[at:end], end + 1


def until(text, at, stop):
    """(what is before the next such byte without a backslash, the place after it)"""
    begin = at
    while text[at:at + 1] != stop:
        at += 2 if text[at:at + 1] == b"\\" else 1
    return text[begin:at], at + 1


def end_of_string(text, at):
    at += 1
    while text[at:at + 1] != b'"':
        at += 2 if text[at:at + 1] == b"\\" else 1
    return at + 1


def cells(store, db, rp, measurement):
    """time -> lines of one field each. influxd refuses a whole row for one field of another type."""
    text, at, found = dump(store, "lp", db, rp, measurement), 0, {}
    while at < len(text):
        key, fields, moment, at = cells_of_row(text, at)
        found.setdefault(int(moment), []).extend(b"%s %s %s" % (key, field, moment) for field in fields)
    return found


def write_all(influxd, store, db, rp, hours, our_db=None):
    """Writes what a store holds, shard by shard: what another one's types refuse is refused here too."""
    for measurement in MEASUREMENTS:
        shards = {}
        for moment, lines in cells(store, db, rp, measurement).items():
            shards.setdefault(group_of(moment, hours), []).extend(lines)
        for _, lines in sorted(shards.items()):
            try:
                influxd.write(b"\n".join(lines), our_db or db, rp)
            except InfluxError as error:
                if "field type conflict" not in str(error):
                    raise


def rows(text):
    """The rows of an answer in an order of ours, without what is null."""
    series = json.loads(text)["results"][0].get("series", [])
    return sorted(json.dumps([pair for pair in zip(series[0]["columns"], row) if pair[1] is not None])
                  for one in series for row in one["values"])


def all_rows(influxd, db, rp):
    return {measurement: rows(answer(influxd, "json", db, rp, measurement)) for measurement in MEASUREMENTS}


def merge(store, mode, tar, *words, codes=(0,)):
    """What influxsnap says. codes: which exit codes are right."""
    done = subprocess.run([INFLUXSNAP, "-c", store, "restore", f"--merge={mode}", *words, tar], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=HANG)
    if done.returncode not in codes:
        raise AssertionError(f"merge {mode}: exit {done.returncode}, not of {codes}\n{done.stdout}")
    return done.stdout
