"""The first and the last day there are, which 64 bits of nanoseconds do not hold whole."""

import os

from lib.case import StoreTest
from lib.dumptree import DAY, compact, day_name, day_path, file_name, policy
from tree.test_dump_mount import FORMS, read


class EndsOfTimeTest(StoreTest):
    timeout = 300

    def test_days(self):
        influxd = self.influxd(self.folder / "store")
        influxd.run("CREATE DATABASE db")
        ends = (-2**63 + 2, 2**63 - 2)
        times = sorted({*ends, ends[0] + 1000, -106751 * DAY, -1, 106751 * DAY})
        influxd.write([f"m v={i} {when}" for i, when in enumerate(times)], "db")
        mnt = self.mount(influxd.root)
        days = sorted({when // DAY for when in times})
        self.assertEqual((day_name(days[0]), day_name(days[-1])), ("1677-09-21", "2262-04-11"))
        for form in FORMS:
            top = policy(mnt, form, "db", "autogen")
            self.assertEqual(sorted(os.listdir(top)), sorted(day_name(day).encode() for day in days))
            for day in days:
                name = file_name(form, "m", day * DAY, (day + 1) * DAY)
                folder = top + b"/" + day_name(day).encode()
                self.assertEqual(os.listdir(folder), [name])
                for other in (top + b"/" + name, top + b"/" + compact(name), folder + b"/" + compact(name)):
                    self.assertEqual(read(other), read(folder + b"/" + name))
        csv = b"".join(read(day_path(mnt, "csv", "db", "autogen", "m", day)).partition(b"\n")[2] for day in days)
        self.assertEqual(csv, b"".join(b"m,,%d,%d\n" % (when, i) for i, when in enumerate(times)))
