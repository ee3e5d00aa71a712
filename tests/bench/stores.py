"""The stores that are measured: composed by hand, where contents do not matter, or written by influxd."""

import base64
import random

from bench.table import progress
from lib.files import files_in, wait_until
from lib.influxd import tsm_files
from lib.stores import DAY, HandmadeStore, tsm, wal_entry

NOON = 1465646400 * 10**9  # 2016-06-11T12:00:00Z


def store_of_size(root, megabytes, file_megabytes=32):
    """Few files of a size that is common in stores that have been compacted."""
    store = HandmadeStore(root)
    content = tsm(random.Random(1).randbytes(file_megabytes * 2**20))
    files = megabytes // file_megabytes
    for number in range(0, files, 2):
        progress(f"writing a store of {megabytes} MB: {number * file_megabytes}")
        store.shard(tsm={f"{n:09d}-000000002.tsm": content for n in (1, 2)[:files - number]},
                    wal={"_00001.wal": wal_entry(number)})
    return store.write_meta()


def store_of_files(root, count, shards=100, content=b"x" * 95):
    """Many tiny files: for what costs time or memory by the file."""
    store = HandmadeStore(root)
    files = {f"{number + 1:09d}-000000001.tsm": tsm(content) for number in range(count // shards)}
    for number in range(shards):
        progress(f"writing a store of {count} files: {number * len(files)}")
        store.shard(tsm=files, wal={"_00001.wal": wal_entry(number)})
    return store.write_meta()


def fill(influxd, megabytes, database="filled", days=8, batch=2**20, size=1000):
    """Strings that do not compress, so that the store becomes as large as what is written.
    Returns when influxd has moved them to files and compacted these."""
    influxd.run(f"CREATE DATABASE {database} WITH DURATION INF SHARD DURATION 1d")
    content = random.Random(1)
    for number in range(megabytes * 2**20 // batch):
        progress(f"influxd writes a store of {megabytes} MB: {number * batch // 2**20}")
        first = NOON + number % days * DAY + number * 10**6
        text = base64.b64encode(content.randbytes(batch)).decode()
        influxd.write([f'events,host=h{i % 10} text="{text[i * size:(i + 1) * size]}" {first + i}'
                       for i in range(batch // size)], database)
    settle(influxd)


def settle(influxd, quiet=3, timeout=60):
    """Waits until influxd has not touched its TSM files for a few seconds."""
    seen = [None, 0]

    def same():
        now = tsm_files(influxd.root)
        seen[:] = (now, seen[1] + 1) if now == seen[0] else (now, 0)
        return seen[1] >= quiet
    try:
        wait_until(same, timeout, "influxd to settle", step=1)
    except TimeoutError:
        pass  # it may always have something to compact


def warm(*folders):
    """Reads all files, so that they are in the page cache. Returns how many bytes they have."""
    total = 0
    for path in files_in(*folders):
        try:
            file = open(path, "rb", buffering=0)
        except FileNotFoundError:
            continue  # influxd compacts as it likes
        with file:
            while data := file.read(2**20):
                total += len(data)
    return total
