"""What a cut is used for takes no more memory for many files than for few: its manifest is read, and not held."""

import shutil

from lib.case import StoreTest
from lib.cost import cost_of
from lib.cuts import INFLUXSNAP
from lib.stores import giant_store, tsm
from lib.trees import difference, store_tree

FILES, SHARDS, DATABASES = 20_000, 200, 20
SMALL = len(tsm(b"x" * 95))
MORE = 4  # MiB, while what is known of a file takes some hundred bytes


class BoundedTest(StoreTest):
    timeout = 240

    def setUp(self):
        super().setUp()
        self.store = giant_store(self.folder / "store", SMALL * FILES, FILES, SHARDS, DATABASES)
        self.cost("cut")
        self.least = self.cost("list").memory  # of a command that looks at no file

    def cost(self, *words):
        return cost_of([INFLUXSNAP, "-c", self.store, "--quiet", *words])

    def bounded(self, *words):
        cost = self.cost(*words)
        self.assertLess(cost.memory, self.least + MORE, f"{words}: {cost}")
        return cost

    def test_cut(self):
        was = store_tree(self.store, times=False)
        self.check_clone()
        self.bounded("verify")
        self.bounded("verify")  # the sums are known now
        shutil.rmtree(self.store / "data/db0007")
        self.bounded("rollback", "--dry-run", "base")
        self.bounded("rollback", "base")
        again = self.bounded("rollback", "base")  # of a store that is as the record of the first one says
        self.assertEqual(difference(was, store_tree(self.store, times=False)), "")
        self.assertLess(again.reads, FILES, again)  # of a link, nothing is read

    def check_clone(self):
        clone = self.folder / "clone"
        self.bounded("clone", "latest", clone)
        try:
            self.assertEqual(difference(store_tree(self.store), store_tree(clone)), "")
        finally:
            self.bounded("clone", "--remove", clone)
