"""Dumps of as many series as there may be: their text, and the memory that they take."""

import gzip
import json
import random
import re
import struct
import subprocess
from pathlib import Path

from lib import fixtures
from lib.case import StoreTest
from lib.cost import memory_of
from lib.crowd import DB, END, MEASUREMENT, RP, SETTINGS, Crowd, Traffic, read_by_four, wrong_texts
from lib.cuts import INFLUXSNAP
from lib.dumps import answer, difference
from lib.files import FIXTURES, HANG, sizes_in
from lib.influxd import tsm_files
from lib.measurements import START
from lib.stores import DAY, HandmadeStore, many_series, points_each, snappy

MILLION = 1_000_000
PIECE = 2**20


def measured(*command):
    """(output, the most memory that it had until its last words, in MiB)"""
    output, most = bytearray(), 0
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        while piece := process.stdout.read1(PIECE):
            output += piece
            found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
            most = max(most, int(found[1]) if found else 0)
    if process.returncode:
        raise AssertionError(f"{command}: exit {process.returncode}")
    return bytes(output), most / 2**10


def wal_key(host):
    return b"m,host=%08d#!~#v" % host


def wal_framed(kind, payload):
    packed = snappy(payload)
    return bytes([kind]) + struct.pack(">I", len(packed)) + packed


def wal_written(hosts, number, time):
    """An entry that writes an integer to each."""
    value = struct.pack(">Iqq", 1, time, number)
    return wal_framed(1, b"".join(b"\x02" + struct.pack(">H", len(key)) + key + value for key in map(wal_key, hosts)))


class ManySeriesTest(StoreTest):
    timeout = HANG

    def test_a_million(self):
        """The first dump of the store, which also finds the fields, and one with hardly any memory."""
        store = self.folder / "store"
        wanted = many_series(store, MILLION)
        for words, most in (((), 64), (("--memory=1M",), 16)):
            text, memory = measured(INFLUXSNAP, "-q", "-c", store, "dump", "--no-ddl", *words, "db", "autogen", "m")
            self.assertEqual(len(text), len(wanted))
            self.assertTrue(text == wanted, words)
            self.assertLess(memory, most, words)


class LargeWalTest(StoreTest):
    timeout = HANG

    def test_bounded(self):
        """A WAL of many keys in no order, each written twice; of every tenth one a delete leaves the second time."""
        count, time = 300_000, DAY
        hosts = random.Random(1).sample(range(count), count)
        written = b"".join(b"".join((wal_written(hosts[at:at + 5000], number, time + number) for number in (1, 2)))
                           for at in range(0, count, 5000))
        gone = b"".join(struct.pack(">I", len(key)) + key for key in map(wal_key, range(0, count, 10)))
        store = HandmadeStore(self.folder / "store")
        store.shard(wal={"_00001.wal": written,
                         "_00002.wal": wal_framed(3, struct.pack(">qq", time + 1, time + 1) + gone)})
        store.write_meta()
        wanted = b"".join(b"m,host=%08d v=%di %d\n" % (host, number, time + number) for host in range(count)
                          for number in (1, 2) if number == 2 or host % 10)
        for words, most in (((), 64), (("--memory=8M",), 32)):
            text, memory = measured(INFLUXSNAP, "-q", "-c", store.root, "dump", "--no-ddl", *words, "db", "autogen", "m")
            self.assertTrue(text == wanted, words)
            self.assertLess(memory, most, words)


class ManyShardsTest(StoreTest):
    timeout = HANG

    def test_a_thousand(self):
        """The shards of a range share the budget: line protocol has all of them open at once."""
        shards, series = 1000, 20
        store = HandmadeStore(self.folder / "store")
        keys = [b"m,host=%08d#!~#v" % number for number in range(series)]
        for number in range(1, shards + 1):
            store.shard(tsm={"000000001-000000001.tsm": points_each(keys, [(number * DAY, number)])})
        store.write_meta()
        wanted = b"".join(b"m,host=%08d v=%di %d\n" % (host, number, number * DAY)
                          for host in range(series) for number in range(1, shards + 1))
        for words, most in (((), 64), (("--memory=1M",), 48)):
            text, memory = measured(INFLUXSNAP, "-q", "-c", store.root, "dump", "--no-ddl", *words, "db", "autogen", "m")
            self.assertTrue(text == wanted, words)
            self.assertLess(memory, most, words)


class FixturesTest(StoreTest):
    timeout = HANG

    def test_little_memory(self):
        """The smallest budget changes no byte of any fixture."""
        for name in fixtures.NAMES:
            store = fixtures.unpack(name, self.folder / name)
            answers = json.loads(gzip.decompress((FIXTURES / name / "answers.json.gz").read_bytes()))
            for database in sorted({answer["db"] for answer in answers}):
                texts = [self.lines(store, database, *words) for words in ((), ("--memory=1M",))]
                self.assertIn(b" ", texts[0])
                self.assertTrue(texts[0] == texts[1], (name, database))

    def lines(self, store, database, *words):
        done = subprocess.run([INFLUXSNAP, "-q", "-c", store, "dump", *words, "--", database], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=HANG)
        self.assertIn(done.returncode, (0, 6))  # 6: something in it cannot be line protocol
        return done.stdout


class BusyTest(StoreTest):
    """As a million series in make bench, where influxd cannot be asked for all of them."""
    timeout = HANG

    SERIES, BUDGET, MORE = 30_000, 1, 64  # MiB that a dump may take, and the daemon beyond it

    def test_four_readers(self):
        crowd = Crowd(self.SERIES)
        influxd = self.influxd(self.folder / "store", cache_snapshot_memory_size=500_000, **SETTINGS)
        crowd.fill(influxd)
        self.assertTrue(tsm_files(influxd.root))
        self.assertGreater(sum(sizes_in(influxd.root / "wal")), 10_000)
        with self.mounted(influxd.root, options=f"memory={self.BUDGET}M") as mnt, Traffic(influxd, self.SERIES) as traffic:
            copies = read_by_four(mnt, self.folder)
            self.assertLess(memory_of(mnt.pid()), self.BUDGET + self.MORE)
        self.assertGreater(traffic.written, 0)
        self.assertEqual(wrong_texts(crowd, influxd, copies), [])
        for form in ("json", "csv"):
            wanted = answer(influxd, form, DB, RP, MEASUREMENT, START, END)
            self.assertIsNone(difference(wanted, copies[form].read_bytes()), form)
