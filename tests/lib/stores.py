"""Stores composed by hand: what influxd would take long to write, or would never write."""

import random
import struct
import zlib
from pathlib import Path

TSM_HEADER = bytes.fromhex("16d116d101")
DAY = 86400 * 10**9


def varint(number):
    number &= 2**64 - 1
    out = bytearray()
    while number > 0x7f:
        out.append(number & 0x7f | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def message(*fields):
    """protobuf: (number, int | str | bytes) one after the other."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def snappy(payload):
    """Without compression: literals, whose lengths stand in two bytes."""
    pieces = (payload[at:at + 60000] for at in range(0, len(payload), 60000))
    return varint(len(payload)) + b"".join(bytes([61 << 2]) + struct.pack("<H", len(p) - 1) + p for p in pieces)


def wal_entry(number=1, size=0):
    """A complete entry of a WAL segment: one integer, or one string of that many bytes."""
    key = b"m,host=a#!~#v"
    value = struct.pack(">q", number) if size == 0 else struct.pack(">I", size) + random.Random(number).randbytes(size)
    payload = (bytes([4 if size else 2]) + struct.pack(">H", len(key)) + key +
               struct.pack(">Iq", 1, number) + value)
    packed = snappy(payload)
    return b"\x01" + struct.pack(">I", len(packed)) + packed


def tsm(content, key=b"m,host=a#!~#v"):
    """A TSM file that is whole, with one block whose data are these bytes behind a type."""
    data = b"\x03" + content
    block = struct.pack(">I", zlib.crc32(data)) + data
    entry = struct.pack(">qqQI", 1, 2, len(TSM_HEADER), len(block))
    index = struct.pack(">H", len(key)) + key + b"\x03" + struct.pack(">H", 1) + entry
    return TSM_HEADER + block + index + struct.pack(">Q", len(TSM_HEADER) + len(block))


def tsm_of(size, seed=1):
    """One of that many bytes, which do not compress."""
    return tsm(random.Random(seed).randbytes(size - len(tsm(b""))))


class Hollow:
    """tsm() of any size that takes two blocks of the disk: between its block and its index is a hole."""

    def __init__(self, size):
        whole = tsm(b"x" * 95)
        index = int.from_bytes(whole[-8:], "big")
        self.size, self.head = size, whole[:index]
        self.tail = whole[index:-8] + struct.pack(">Q", size - (len(whole) - index))

    def write(self, path):
        with open(path, "wb") as file:
            file.write(self.head)
            file.seek(self.size - len(self.tail))
            file.write(self.tail)


class HandmadeStore:
    """store = HandmadeStore(root); store.shard("db", tsm={…}, wal={…}); store.write_meta()

    Databases and retention policies come into being with their shards. The TSM files hold
    whatever bytes they are given: for capturing a store that is enough."""

    def __init__(self, root):
        self.root = Path(root)
        self.databases = {}  # name -> policy -> shard ids
        self.last_id = 0
        for folder in ("meta", "data", "wal"):
            (self.root / folder).mkdir(parents=True)

    def database(self, name, policy="autogen"):
        """One that meta.db lists, with or without shards."""
        return self.databases.setdefault(name, {}).setdefault(policy, [])

    def shard(self, database="db", policy="autogen", tsm=(), wal=(), listed=True, index=False):
        """tsm and wal: file name -> bytes, or a Hollow. Returns the shard's id; its folders: data_of, wal_of."""
        self.last_id += 1
        place = f"{database}/{policy}/{self.last_id}"
        for root, files in (("data", dict(tsm)), ("wal", dict(wal))):
            folder = self.root / root / place
            folder.mkdir(parents=True)
            for name, content in files.items():
                if isinstance(content, Hollow):
                    content.write(folder / name)
                else:
                    (folder / name).write_bytes(content)
        if index:
            (self.root / "data" / place / "index").mkdir()
        if listed:
            self.database(database, policy).append(self.last_id)
        return self.last_id

    def write_meta(self):
        databases = [(5, message((1, name), (2, next(iter(policies))), *(
            (3, message((1, policy), (2, 0), (3, DAY), (4, 1), *(
                (5, message((1, number), (2, number * DAY), (3, (number + 1) * DAY), (4, 0),
                            (5, message((1, number)))))
                for number in ids)))
            for policy, ids in policies.items()))) for name, policies in self.databases.items()]
        data = message((1, 1), (2, 1), (3, 1), *databases, (7, 0), (8, self.last_id), (9, self.last_id))
        (self.root / "meta/meta.db").write_bytes(data)
        return self.root


def points_each(keys, points):
    """A TSM file in which each of the keys, which ascend, has these integers, as (time, number) by time; numbers
    do not descend."""
    steps = [(time - before, number - last) for (time, number), (before, last) in zip(points, [(0, 0), *points])]
    times = b"\x00" + b"".join(struct.pack(">q", time) for time, _ in steps)
    data = b"\x01" + varint(len(times)) + times + b"\x00" + b"".join(struct.pack(">q", number << 1) for _, number in steps)
    block = struct.pack(">I", zlib.crc32(data)) + data
    entry, at, size = struct.Struct(">BHqqQI"), len(TSM_HEADER), len(block)
    index = b"".join(struct.pack(">H", len(key)) + key + entry.pack(1, 1, points[0][0], points[-1][0], at + i * size, size)
                     for i, key in enumerate(keys))
    return TSM_HEADER + block * len(keys) + index + struct.pack(">Q", at + len(keys) * size)


def many_rows(root, series, rows):
    """So many series of m, each with a point a second, in one TSM file. Returns them as csv."""
    store, times = HandmadeStore(root), [DAY + number * 10**9 for number in range(rows)]
    store.shard(tsm={"000000001-000000001.tsm": points_each([b"m,host=%08d#!~#v" % number for number in range(series)],
                                                            [(time, number) for number, time in enumerate(times)])})
    store.write_meta()
    return b"name,tags,time,host,v\n" + b"".join(b"m,,%d,%08d,%d\n" % (time, one, number)
                                                 for number, time in enumerate(times) for one in range(series))


def many_series(root, count):
    """One point for each of so many series of m, in two TSM files by turns; of every tenth series both
    files have it, and the second counts. Returns its points as line protocol."""
    store, time = HandmadeStore(root), DAY
    keys = [b"m,host=%08d#!~#v" % number for number in range(count)]
    store.shard(tsm={f"00000000{file}-000000001.tsm":
                     points_each([key for number, key in enumerate(keys) if number % 2 == file - 1 or number % 10 == 0],
                                 [(time, file)]) for file in (1, 2)})
    store.write_meta()
    return b"".join(b"m,host=%08d v=%di %d\n" % (number, 2 if number % 2 or number % 10 == 0 else 1, time)
                    for number in range(count))


def tombstone(tag):
    """That of a series which no TSM file here has."""
    key = f"m,t={tag}#!~#v".encode()
    return struct.pack(">II", 0x1502, len(key)) + key + struct.pack(">qq", 1, 2)


def some_store(root, megabytes=6):
    """A small store with files of all kinds, whose bytes do not compress."""
    store = HandmadeStore(root)
    content = random.Random(1)
    for database in ("first", "second db"):
        for number in range(3):
            size = megabytes * 2**20 // 6 + number
            store.shard(database, index=number == 1,
                        tsm={"000000001-000000001.tsm": tsm(content.randbytes(size)),
                             "000000001-000000001.tombstone": tombstone(content.randbytes(32).hex())},
                        wal={"_00001.wal": wal_entry(1) + wal_entry(2, 3000), "_00002.wal": wal_entry(3)})
    return store.write_meta()


def giant_store(root, size, files, shards, databases, part=None):
    """Of that many bytes in so many files, in as many blocks of the disk as a small one. part: bytes, no holes,
    of one file more, in a database of this name."""
    store = HandmadeStore(root)
    content = Hollow(size // files)
    for shard in range(shards):
        count = files // shards + (shard < files % shards)
        store.shard(f"db{shard * databases // shards:04}", wal={"_00001.wal": wal_entry(shard + 1)},
                    tsm={f"{number + 1:09}-000000001.tsm": content for number in range(count)})
    if part:
        store.shard("part", tsm={"000000001-000000001.tsm": tsm_of(part)})
    return store.write_meta()


def big_file(root, which=0):
    """The path of one of the TSM files of some_store."""
    return sorted(Path(root).glob("data/*/*/*/*.tsm"))[which]
