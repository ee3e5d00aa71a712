"""Stores that real servers of three versions left, through a snapshot and back."""

from lib import fixtures
from lib.case import StoreTest
from lib.files import run
from lib.influxd import Influxd


class FixtureTest(StoreTest):

    def snapshot(self, name):
        """now.tar of the fixture, copied."""
        store = fixtures.unpack(name, self.folder / "store")
        run("cp", self.mount(store) / "snapshots/now.tar", self.folder)
        return self.folder / "now.tar"

    def check(self, name, store):
        with Influxd(store, index=fixtures.index_of(name)) as influxd:
            fixtures.check_answers(name, influxd)

    def by_copy(self, name):
        self.check(name, self.restore(self.snapshot(name), self.folder / "restored"))

    def by_tar(self, name):
        store = self.folder / "untarred"
        store.mkdir()
        run("tar", "-xf", self.snapshot(name), "-C", store)
        self.check(name, store)


def add_test(way, name):
    method = f"test_{way.__name__}_{name}".replace(".", "_").replace("-", "_")
    setattr(FixtureTest, method, lambda self: way(self, name))


for fixture in fixtures.NAMES:
    add_test(FixtureTest.by_copy, fixture)
    add_test(FixtureTest.by_tar, fixture)
