"""Stores whose shards are TSM files alone, and whether such files are whole."""

import os
import shutil
import struct
import zlib
from pathlib import Path

from lib.cuts import snap
from lib.files import run

HEADER = bytes.fromhex("16d116d101")


def settle(store, out):
    """A store of its meta.db and of the TSM files that a portable set of it has."""
    for folder in "data", "wal", "meta":
        (out / folder).mkdir(parents=True)
    shutil.copy(store / "meta/meta.db", out / "meta")
    snap(store, "backup", "--format=portable", out / "set")
    for archive in sorted((out / "set").glob("*.tar.gz")):
        run("tar", "-xf", archive, "-C", out / "data")
    for index in store.glob("data/*/*/*/index"):
        shard = out / index.relative_to(store)
        if shard.parent.exists():
            shard.mkdir()   # influxd fills it
    return out


def check_tsm(path):
    """Every byte of the file belongs to a block, an entry of the index or the frame; keys ascend, times
    do not go back, and each block has its CRC. Returns the number of blocks."""
    data = Path(path).read_bytes()
    index, at, end, blocks, before = int.from_bytes(data[-8:], "big"), len(HEADER), len(data) - 8, 0, b""
    assert data.startswith(HEADER) and at < index < end, path
    place = index
    while place < end:
        n = int.from_bytes(data[place:place + 2], "big")
        key = data[place + 2:place + 2 + n]
        kind, count = struct.unpack_from(">BH", data, place + 2 + n)
        place += 5 + n
        assert key > before and count > 0, (path, key)
        last, before = -2**63, key
        for first, until, offset, size in struct.iter_unpack(">qqQI", data[place:place + 28 * count]):
            block = data[offset + 4:offset + size]
            assert last <= first <= until and offset == at, (path, key, first)
            assert int.from_bytes(data[offset:offset + 4], "big") == zlib.crc32(block) and block[0] == kind, (path, key)
            last, at, blocks = until, offset + size, blocks + 1
        place += 28 * count
    assert place == end and at == index, path
    return blocks


def size(path):
    return os.stat(path).st_size
