"""Line protocol of as many series as there may be: its text, and the memory that it takes."""

import gzip
import json
import re
import subprocess
from pathlib import Path

from lib import fixtures
from lib.case import StoreTest
from lib.cuts import INFLUXSNAP
from lib.files import FIXTURES, HANG
from lib.stores import many_series

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
