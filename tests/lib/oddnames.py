"""Seeded points with names that line protocol finds hard to say, as a WAL holds them."""

import random
import re
import struct

from lib.stores import DAY, HandmadeStore, snappy, varint

NASTY = ("#", "\n", "\\", "\\", " ", ",", "=", '"', "\t", "\0", "a", "b", "ü", "\r", "'", "%", ":", "\x7f")
RARE = ("time", "#x", "# x", " x", "x ", "\tx", "x\\", "a\nb", "\\", '"', "''", "x,y=1 z=2", "\\n", "\\\\,", "=")
TEXT = 'x\ny \\ "quo,ted" = # z'  # a value that is cut off where a reader loses count


def name(rng):
    if rng.random() < 0.25:
        return rng.choice(RARE)
    if rng.random() < 0.3:
        return rng.choice(("m", "plain", "tag", "f1"))
    return "".join(rng.choice(NASTY) for _ in range(rng.randrange(1, 6)))


def escape(text, which):
    return "".join("\\" + c if c in which else c for c in text)


def series_key(measurement, tags):
    """As influxd stores it."""
    return escape(measurement, ", ") + "".join(f",{escape(k, ',= ')}={escape(v, ',= ')}" for k, v in sorted(tags.items()))


class OddPoints:
    """points = OddPoints(seed, n); points.store(root); each point has a time and a series of its own, and one
    to three fields of strings, of which one may have a simple name."""

    def __init__(self, seed, count):
        rng = random.Random(seed)
        self.points = []  # (series key, {field: text}, time)
        for i in range(count):
            tags = {name(rng): name(rng) for _ in range(rng.choice((0, 0, 1, 2)))}
            tags.pop("n", None)
            if rng.random() < 0.5:
                tags["n"] = str(i)
            fields = {name(rng): TEXT + str(i) for _ in range(rng.choice((1, 1, 2, 3)))}
            self.points.append((series_key(name(rng), tags), fields, DAY + i))

    def segment(self):
        payload = b""
        for key, fields, when in self.points:
            for field, text in fields.items():
                composite, value = f"{key}#!~#{field}".encode(), text.encode()
                payload += (b"\x04" + struct.pack(">H", len(composite)) + composite +
                            struct.pack(">IqI", 1, when, len(value)) + value)
        packed = snappy(payload)
        return b"\x01" + struct.pack(">I", len(packed)) + packed

    def store(self, root):
        store = HandmadeStore(root)
        store.shard("db", "rp", wal={"_00001.wal": self.segment()})
        return store.write_meta()


def line(key, fields, when):
    """The line that would say a point, if line protocol could."""
    def value(text):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    pairs = (escape(name, '," =') + "=" + value(text) for name, text in fields.items())
    return f"{key} {','.join(pairs)} {when}".encode()


def decoded(key):
    """Measurement and tags of a stored key, as influxd reads it back: what has a backslash before it is no end."""
    parts, start = [], 0
    for i in range(1, len(key) + 1):
        if i == len(key) or (key[i] == "," and key[i - 1] != "\\"):
            parts.append(key[start:i])
            start = i + 1
    tags = (re.split(r"(?<!\\)=", part, maxsplit=1) for part in parts[1:])
    return (re.sub(r"\\([, ])", r"\1", parts[0]),
            tuple(sorted(tuple(re.sub(r"\\([, =])", r"\1", text) for text in pair) for pair in tags)))


def shown(name):
    """As influxsnap writes names in words."""
    return "".join("%%%02X" % ord(c) if ord(c) < 0x20 or c == "\x7f" else c for c in name)


def answers(influxd, db="db"):
    """{(measurement, tags, field, time): value} of everything there is."""
    found = {}
    for series in influxd.run("SELECT * FROM /.*/ GROUP BY *", db, epoch="ns"):
        tags = tuple(sorted((k, v) for k, v in series.get("tags", {}).items() if v))
        for when, *row in series["values"]:
            for column, value in zip(series["columns"][1:], row):
                if value is not None:
                    found[series["name"], tags, column, when] = value
    return found
