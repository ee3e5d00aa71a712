"""Seeded line protocol with everything that makes a store's files differ from what was written:
overwrites, deletes, times out of order, many flushes, and series that share their times."""

import random
import struct

START = 1465603200 * 10**9  # 2016-06-11
HOUR = 3600 * 10**9
SPAN = 6 * HOUR
STRINGS = ("", "plain", "a,b", 'quo"te', "back\\slash", "new\nline", "<b>&amp;</b>", "ünïcode \u2028 \U0001f600",
           " space first", "\ttab", "ctrl\x01\x1f\x7f", "\\.", "x" * 300, b"bad utf-8 \xff\xc3", b"\xed\xa0\x80 surrogate")
FLOATS = (0.0, -0.0, 1.0, 1e21, 1e20, 123456789012345680000.0, 1e-6, 9.999e-7, 1e-7, 5e-324, 2.2250738585072014e-308,
          1.7976931348623157e308, 2.0**-44, 9007199254740993.0, 562949953421312.25, 0.1, 1 / 3, -2.5e-300)
INTEGERS = (0, 1, -1, 2**63 - 1, -2**63, 1000, 10**18)
MEASUREMENTS = ("m", "m2", "odd, name", "both")


def escape(text, which=", ="):
    return "".join("\\" + c if c in which else c for c in text)


def string_value(value):
    data = value if isinstance(value, bytes) else value.encode()
    return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


class Measurements:
    """lines = Measurements(seed); lines.batch() -> bytes; lines.delete() -> InfluxQL."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.fields = {"f": "float", "i": "integer", "b": "boolean", "s": "string", "odd f": "float",
                       "k": "integer", "A": "string"}
        self.changing = ("c",)  # of another type in each hour, which is a shard
        self.step = 10**self.rng.randrange(6, 11)

    def value(self, kind):
        rng = self.rng
        if kind == "float":
            number = rng.choice(FLOATS) if rng.random() < 0.3 else struct.unpack(">d", rng.randbytes(8))[0]
            number = number if number == number and abs(number) != float("inf") else 1.5
            return (repr(number) if rng.random() < 0.6 else f"{rng.randrange(10000) / 100}").encode()
        if kind == "integer":
            number = rng.choice((rng.choice(INTEGERS), rng.randrange(-1000, 1000), rng.randrange(-2**62, 2**62)))
            return f"{number}i".encode()
        if kind == "boolean":
            return rng.choice((b"true", b"false"))
        return string_value(rng.choice(STRINGS))

    def kind_of(self, name, time):
        if name in self.changing:
            return ("integer", "float", "string", "boolean")[time // HOUR % 4]
        return self.fields[name]

    def series(self):
        rng = self.rng
        measurement = rng.choice(MEASUREMENTS)
        tags = {}
        if rng.random() < 0.9:
            tags["host"] = f"h{rng.randrange(4)}"
        if rng.random() < 0.3:
            tags["tag, odd"] = rng.choice(("v=1", "v 2", "ü"))
        if measurement == "both":
            tags["k"] = rng.choice(("1", "2"))  # a field has this name too
        text = escape(measurement, ", ")
        return text + "".join(f",{escape(k)}={escape(v)}" for k, v in sorted(tags.items()))

    def time(self):
        """Mostly on a grid, so that series meet."""
        rng = self.rng
        if rng.random() < 0.8:
            return START + rng.randrange(6) * HOUR + rng.randrange(40) * self.step
        return START + rng.randrange(SPAN)

    def line(self):
        rng = self.rng
        time = self.time()
        names = rng.sample(sorted(self.fields) + list(self.changing), rng.randrange(1, 5))
        values = [escape(name, ', ="').encode() + b"=" + self.value(self.kind_of(name, time)) for name in names]
        return self.series().encode() + b" " + b",".join(values) + f" {time}".encode()

    def batch(self):
        return b"\n".join(self.line() for _ in range(self.rng.randrange(5, 150)))

    def delete(self):
        rng = self.rng
        name = rng.choice(MEASUREMENTS)
        quoted = '"' + name + '"'
        if rng.random() < 0.15:
            return f"DROP SERIES FROM {quoted} WHERE host = 'h{rng.randrange(4)}'"
        start = self.time()
        end = start + rng.choice((0, 3 * self.step, HOUR, 2 * HOUR))
        where = f"time >= {start} AND time <= {end}"
        if rng.random() < 0.5:
            where += f" AND host = 'h{rng.randrange(4)}'"
        return f"DELETE FROM {quoted} WHERE {where}"
