"""Shards whose WAL and tombstones became TSM files: the real influxd serves them, compacts them, and
would have made files of the same size."""

import math
import random

from lib import fixtures, settling
from lib.case import StoreTest
from lib.files import wait_until
from lib.influxd import Influxd, tsm_files
from lib.points import Served

START = 1465646400 * 10**9
HUGE = 10**9        # bytes: influxd does not flush its cache by itself
CREATE = "CREATE DATABASE db WITH SHARD DURATION 7300d"     # all points are in one shard
QUIET = {"cache_snapshot_write_cold_duration": "24h", "compact_full_write_cold_duration": "24h"}


def lines(seed, points=2500):
    """Floats that walk, integers that count and that jump, booleans and strings, of four series; the
    times of two of them are even."""
    chance = random.Random(seed)
    for host in range(4):
        value, count, time = 20.0, 0, START + seed
        for i in range(points):
            value += chance.gauss(0, 0.3)
            count += chance.randrange(100)
            time += 10 * 10**9 + (chance.randrange(1000) if host % 2 else 0)
            up = "t" if math.sin(i / 50 + host) > 0 else "f"
            yield (f"cpu,host=server{host} value={value:.2f},same=1.5,count={count}i,up={up},"
                   f'level={chance.randrange(-2**62, 2**62)}i,note="state {i % 7} of {host}" {time}')


def write(influxd, rows):
    rows = list(rows)
    for at in range(0, len(rows), 5000):
        influxd.write(rows[at:at + 5000], "db")


class SettledTest(StoreTest):

    def settle(self, store):
        """A store of the files, each of which is whole."""
        settled = settling.settle(store, self.folder / "settled")
        self.assertGreater(sum(settling.check_tsm(path) for path in tsm_files(settled)), 0)
        return settled

    def check_fixture(self, name):
        settled = self.settle(fixtures.unpack(name, self.folder / "store"))
        with Influxd(settled, index=fixtures.index_of(name)) as influxd:
            fixtures.check_answers(name, influxd)

    def write_generations(self, store):
        """Files of several flushes that overlap, deletes in them, and what came after in the WAL."""
        with Influxd(store, cache_snapshot_memory_size=1, **QUIET) as influxd:
            influxd.query(CREATE)
            for generation in range(3):
                write(influxd, lines(generation % 2, points=1200 - 400 * generation))
                wait_until(lambda: len(tsm_files(store)) > generation, 30, "a flush")
        with Influxd(store, cache_snapshot_memory_size=HUGE, **QUIET) as influxd:
            influxd.query("DELETE FROM cpu WHERE host = 'server1' AND time > '2016-06-11T13:00:00Z' "
                          "AND time < '2016-06-11T13:30:00Z'", "db")
            influxd.query("DELETE FROM cpu WHERE host = 'server2'", "db")
            write(influxd, lines(1, points=300))
            influxd.query("DELETE FROM cpu WHERE host = 'server3' AND time < '2016-06-11T12:20:00Z'", "db")
            return Served(influxd).cells

    def test_served_and_compacted(self):
        """Answered alike before and after influxd has made one file of all."""
        served = self.write_generations(self.folder / "source")
        settled = self.settle(self.folder / "source")
        files = tsm_files(settled)
        self.assertGreater(len(files), 1)
        with Influxd(settled, **QUIET) as influxd:
            self.assertEqual(Served(influxd).cells, served)
        with Influxd(settled, compact_full_write_cold_duration="1s") as influxd:
            wait_until(lambda: len(tsm_files(settled)) == 1 and not files & tsm_files(settled), 60, "a full compaction")
            self.assertEqual(Served(influxd).cells, served)

    def test_times_far_apart(self):
        """Gaps of more than 2^60 ns, which are stored as they are."""
        times = -9 * 10**18, -9 * 10**18 + 1, 0, 1, START, 9 * 10**18
        with Influxd(self.folder / "source", **QUIET) as influxd:
            influxd.query(CREATE.replace("7300d", "100000d"))
            influxd.write([f"cpu value={i},n={i}i {time}" for i, time in enumerate(times)], "db")
            served = Served(influxd).cells
        self.assertEqual(len(served), 2 * len(times))
        with Influxd(self.settle(self.folder / "source"), **QUIET) as influxd:
            self.assertEqual(Served(influxd).cells, served)

    def test_as_large_as_influxds_own(self):
        """The same points left in the WAL and settled, and flushed by influxd."""
        for name in "source", "flushed":
            with Influxd(self.folder / name, cache_snapshot_memory_size=HUGE, **QUIET) as influxd:
                influxd.query(CREATE)
                write(influxd, lines(7))
        with Influxd(self.folder / "flushed", cache_snapshot_memory_size=1, **QUIET):
            wait_until(lambda: tsm_files(self.folder / "flushed"), 60, "a flush")
        theirs, ours = tsm_files(self.folder / "flushed"), tsm_files(self.settle(self.folder / "source"))
        self.assertEqual((len(theirs), len(ours)), (1, 1))
        for one, other in zip(theirs, ours):
            self.assertAlmostEqual(settling.size(other) / settling.size(one), 1, delta=0.05)


def add_test(name):
    method = f"test_fixture_{name}".replace(".", "_").replace("-", "_")
    setattr(SettledTest, method, lambda self: self.check_fixture(name))


for fixture in fixtures.NAMES:
    add_test(fixture)
