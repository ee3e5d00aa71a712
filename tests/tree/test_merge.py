"""A snapshot merged into a store: the real influxd answers as one that was given the points of both."""

import shutil

from lib.case import StoreTest
from lib.cuts import snap
from lib.files import files_in
from lib.influxd import Influxd
from lib.measurements import HOUR, START
from lib.merging import Side, all_rows, create, history, merge, server, write_all
from lib.trees import litter


class MergeTest(StoreTest):
    timeout = 300

    def sides(self, index, our_hours, their_hours, **how):
        """Stores at self.ours and self.theirs, as a SIGKILL leaves them, with shards of so many hours."""
        self.hours = our_hours, their_hours
        self.index = index
        for name, hours, seed in (("ours", our_hours, 1), ("theirs", their_hours, 2)):
            with server(self.folder / name, index) as influxd:
                influxd.run(create("db", hours))
                history(influxd, Side(seed + hours, hours, shift=seed, **how.get(name, {})), "db")
        self.tar = self.folder / "theirs.tar"
        snap(self.folder / "theirs", "--quiet", "backup", self.tar)

    def copy(self, name):
        """Our store, stopped, to be merged into."""
        root = self.folder / name
        shutil.copytree(self.folder / "ours", root, ignore=lambda *_: ["influxfs", "influxdb.conf", "influxd.log"])
        return root

    def wanted(self, *order):
        """What a server answers that was given the points of these stores, in this order."""
        with Influxd(self.folder / "-".join(("wanted", *order)), index=self.index) as influxd:
            influxd.run(create("db", self.hours[0]))
            for name in order:
                write_all(influxd, self.folder / name, "db", "rp", self.hours[name == "theirs"])
            return all_rows(influxd, "db", "rp")

    def check(self, mode, root, wanted):
        self.assertEqual(litter(root), [])
        with Influxd(root, index=self.index) as influxd:
            got = all_rows(influxd, "db", "rp")
        for measurement, rows in wanted.items():
            self.assertEqual(rows, got[measurement], f"{mode}: {measurement}")
        self.assertTrue(any(wanted.values()))

    def check_both(self):
        # The store's types count in either case: it is there first.
        for mode, order in (("ours", ("ours", "theirs", "ours")), ("theirs", ("ours", "theirs"))):
            with self.subTest(mode):
                wanted = self.wanted(*order)
                root = self.copy(f"merged-{mode}")
                merge(root, mode, self.tar)
                self.check(mode, root, wanted)
                merge(root, mode, self.tar)
                self.check(f"{mode} again", root, wanted)

    def test_same_groups_inmem(self):
        self.sides("inmem", 1, 1)
        self.check_both()

    def test_same_groups_tsi1(self):
        self.sides("tsi1", 1, 1, theirs={"first": 3})
        self.check_both()

    def test_longer_groups(self):
        self.sides("tsi1", 4, 1)
        self.check_both()

    def test_shorter_groups(self):
        self.sides("inmem", 1, 4)
        self.check_both()
