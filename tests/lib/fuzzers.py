"""The fuzz targets in tests/fuzz, built by `make FUZZ=1 fuzzers`."""

import re
import subprocess
import time
from typing import NamedTuple

from lib.files import CHECKOUT

SOURCES = CHECKOUT / "tests/fuzz"
BUILD = CHECKOUT / "build-fuzz"
TARGETS = sorted(source.stem.removeprefix("fuzz_") for source in SOURCES.glob("fuzz_*.c"))

# No input of a few kilobytes may make a decoder allocate this at once, or work this long.
LIMITS = ("-malloc_limit_mb=64", "-timeout=25")
# A few bytes can stand for 65,536 points: without this, most of the time goes into such blocks.
SPEED = ("-entropic_scale_per_exec_time=1",)


class Ran(NamedTuple):
    ok: bool
    inputs: int         # that were tried
    edges: int          # of the program's that they reached
    seconds: float
    output: str


def program(target):
    return BUILD / f"tests/fuzz_{target}"


def corpus(target):
    return SOURCES / "corpus" / target


def fuzz(target, *options, found=BUILD / "found"):
    """Runs a target; an input that it fails with is kept in found/."""
    found.mkdir(parents=True, exist_ok=True)
    command = [program(target), *LIMITS, *SPEED, "-print_final_stats=1", f"-artifact_prefix={found}/{target}-", *options]
    started = time.monotonic()
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    return Ran(done.returncode == 0, last_number(r"^stat::number_of_executed_units: +(\d+)", done.stdout),
               last_number(r"^#\d+\s.* cov: (\d+)", done.stdout), time.monotonic() - started, done.stdout)


def last_number(pattern, text):
    found = re.findall(pattern, text, re.M)
    return int(found[-1]) if found else 0
