"""Writers that keep influxd busy, and an oracle that knows what must be in a snapshot.

Each writer owns a database and does one thing after the other: what influxd did to a point
is the order in which its writer asked for it. A snapshot whose copy began at time T may show
for each point what the last operation acknowledged before T left, or what a later one did."""

import math
import random
import threading
import time

from lib.files import HANG, PATIENCE, within
from lib.influxd import InfluxError

FLUSH_BYTES = 2000  # a shard with more in its cache is flushed within a second
MEASUREMENTS = ("cpu", "disk", "odd name")
HOSTS = ("h0", "h1", "h2")
DAYS = tuple(1465600000 // 86400 * 86400 * 10**9 + day * 86400 * 10**9 for day in range(3))
SECONDS = 120  # points of a series in a day's shard
BULK = 1500    # incompressible points in a database, so that a snapshot is not tiny
DELETED = None

# influxd answers DELETE and DROP SERIES so while another database is being dropped: it asks the
# shards of all databases for the measurement's name, and those of that one are closed already.
REFUSED = "engine is closed"


class Writer(threading.Thread):
    """Writes, overwrites, deletes and drops in one database until it is told to stop."""

    def __init__(self, influxd, database, seed, pause):
        super().__init__(name=database, daemon=True)
        self.influxd, self.database, self.pause = influxd, database, pause
        self.random = random.Random(seed)
        self.removals = 0   # acknowledged ones that took points away
        self.refusals = 0   # those that influxd refused
        self.number = 0     # the next value to write: no value is written twice
        self.history = {}   # (measurement, host, time) -> [[start, acknowledged, value], …]
        self.error = None
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.create()
        self.fill()

    def run(self):
        try:
            while not self.stopping.wait(self.pause):
                if self.random.random() < 0.99:
                    self.overwrite()
                elif self.flushed():
                    for kind in self.random.choices(REMOVALS, REMOVAL_WEIGHTS, k=6):
                        kind(self)
        except Exception as error:  # is raised again in the test's own thread
            self.error = error

    def flushed(self):
        """Waits until influxd moves none of our points from its cache to a file: points that it
        moves while they are deleted come back in influxd itself, snapshot or not. It looks
        once a second for caches above the threshold, and these count until they are flushed.
        On a busy machine that can take long: then nothing is deleted this time."""
        def idle():
            return self.stopping.is_set() or all(
                dict(zip(cache["columns"], cache["values"][0]))["memBytes"] <= FLUSH_BYTES
                for cache in self.influxd.run("SHOW STATS FOR 'tsm1_cache'")
                if cache["tags"]["database"] == self.database)
        return within(idle, 2 * PATIENCE, step=0.05) and not self.stopping.is_set()

    def create(self):
        self.influxd.run(f'CREATE DATABASE "{self.database}" WITH DURATION INF SHARD DURATION 1d')

    def fill(self):
        """Points that are never touched again, but by a drop of the database."""
        points = {("bulk", "h0", DAYS[i % len(DAYS)] + i): self.random.randbytes(700).hex() for i in range(BULK)}
        self.write(points)

    def act(self, points, action):
        """Does it, and remembers for each point when it was begun and when acknowledged.
        What fails is never acknowledged: it may have been done or not."""
        started = time.monotonic()
        events = []
        with self.lock:
            for key, value in points.items():
                events.append([started, math.inf, value])
                self.history.setdefault(key, []).append(events[-1])
        action()
        acknowledged = time.monotonic()
        with self.lock:
            for event in events:
                event[1] = acknowledged

    def write(self, points):
        lines = []
        for (measurement, host, when), value in points.items():
            field = f's="{value}"' if isinstance(value, str) else f"v={value}i"
            name = measurement.replace(" ", "\\ ")
            lines.append(f"{name},host={host} {field} {when}")
        self.act(points, lambda: self.influxd.write(lines, self.database))

    def series(self):
        return self.random.choice(MEASUREMENTS), self.random.choice(HOSTS)

    def overwrite(self):
        points = {}
        for _ in range(self.random.randint(1, 40)):
            self.number += 1
            when = self.random.choice(DAYS) + self.random.randrange(SECONDS) * 10**9
            points[*self.series(), when] = self.number
        self.write(points)

    def remove(self, which, query):
        """Deletes or drops the points that have ever been written and for which which(key) holds.
        influxd may refuse it: then it is not acknowledged, and the next thing is done."""
        points = {key: DELETED for key in self.history if which(key)}
        there = any(self.history[key][-1][2] is not DELETED for key in points)
        try:
            self.act(points, lambda: self.influxd.run(query, self.database))
        except InfluxError as error:
            if not str(error).endswith(REFUSED):
                raise
            self.refusals += 1
        else:
            self.removals += there

    def delete(self):
        measurement, host = self.series()
        first = self.random.choice(DAYS) + self.random.randrange(SECONDS) * 10**9
        last = first + 20 * 10**9
        self.remove(lambda key: key[:2] == (measurement, host) and first <= key[2] < last,
                    f'DELETE FROM "{measurement}" WHERE host = \'{host}\' AND time >= {first} AND time < {last}')

    def drop_series(self):
        measurement, host = self.series()
        self.remove(lambda key: key[:2] == (measurement, host),
                    f'DROP SERIES FROM "{measurement}" WHERE host = \'{host}\'')

    def drop_measurement(self):
        measurement, _ = self.series()
        self.remove(lambda key: key[0] == measurement, f'DROP MEASUREMENT "{measurement}"')

    def drop_database(self):
        self.remove(lambda key: True, f'DROP DATABASE "{self.database}"')
        self.create()
        self.fill()

    def wrong_points(self, influxd, began, ended):
        """What a restored influxd holds and may not, or holds not and must."""
        found = stored_points(influxd, self.database)
        wrong = []
        with self.lock:
            for key, events in self.history.items():
                last = max((i for i, event in enumerate(events) if event[1] < began), default=None)
                allowed = {DELETED if last is None else events[last][2]}
                later = [value for start, _, value in events[0 if last is None else last + 1:] if start < ended]
                allowed.update(later)
                if DELETED in later:
                    # influxd deletes file by file: half way through, what a newer file hid can show.
                    allowed.update(value for start, _, value in events if start < ended)
                value = found.pop(key, DELETED)
                if value not in allowed:
                    wrong.append(f"{self.database} {key}: {str(value)[:40]}, expected one of "
                                 f"{sorted(str(v)[:40] for v in allowed)}")
        wrong += [f"{self.database} {key}: {str(value)[:40]} was never sent" for key, value in found.items()]
        return wrong


REMOVALS = (Writer.delete, Writer.drop_series, Writer.drop_measurement, Writer.drop_database)
REMOVAL_WEIGHTS = (70, 20, 7, 3)


def stored_points(influxd, database):
    """(measurement, host, time) -> value, of all points that influxd answers with."""
    points = {}
    try:
        answer = influxd.run('SELECT * FROM /.*/', database, epoch="ns")
    except InfluxError as error:
        if "database not found" in str(error):
            return points
        raise
    for series in answer:
        column = {name: number for number, name in enumerate(series["columns"])}
        for row in series["values"]:
            values = [row[column[name]] for name in ("v", "s") if name in column and row[column[name]] is not None]
            points[series["name"], row[column["host"]], row[column["time"]]] = values[0]
    return points


class Load:
    """with Load(influxd): … two writers at work, gently: influxd and the test share the machine."""

    def __init__(self, influxd, databases=("first", "second db"), seed=1, pause=0.01):
        self.writers = [Writer(influxd, database, f"{seed} {database}", pause) for database in databases]

    def __enter__(self):
        for writer in self.writers:
            writer.start()
        return self

    def __exit__(self, *_):
        for writer in self.writers:
            writer.stopping.set()
        for writer in self.writers:
            writer.join(HANG)

    def check(self):
        """A writer's own failure is one of the test."""
        for writer in self.writers:
            if writer.error:
                raise AssertionError(f"the writer of {writer.database} failed") from writer.error

    def wrong_points(self, influxd, began, ended):
        """Of all databases."""
        self.check()
        return [wrong for writer in self.writers for wrong in writer.wrong_points(influxd, began, ended)]
