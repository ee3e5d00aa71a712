"""A clock for daemons that a test sets forward, instead of waiting for what takes a minute."""

import os
import struct
import time
import unittest
from pathlib import Path

from lib.mount import INFLUXFS

PRELOAD = Path(INFLUXFS).parent / "tests/preload_clock.so"


class Clock:
    """clock = Clock(folder / "clock"); Mount(store, point, environment=clock.environment); clock.forward(60)

    Between two of these it goes as any clock, so a test that wants to see what is there before a
    time is over asks now() as well: the machine may have been slow."""

    def __init__(self, path):
        if not PRELOAD.exists():
            raise unittest.SkipTest(f"{PRELOAD} is not built: make units")
        self.path, self.ahead = Path(path), 0
        self.path.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(PRELOAD), "CLOCK_AHEAD": str(path),
                            "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def forward(self, seconds):
        self.ahead += seconds
        with open(self.path, "r+b", buffering=0) as file:
            os.pwrite(file.fileno(), struct.pack("=q", round(self.ahead * 10**9)), 0)

    def now(self):
        """As the daemon sees it, in seconds."""
        return time.monotonic() + self.ahead
