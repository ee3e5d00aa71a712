"""Files that never change can be mapped, though their data bypass the page cache."""

import mmap
import os
import platform
import unittest

from lib.case import StoreTest
from lib.files import CHECKOUT, run
from lib.stores import some_store

MAPS = tuple(map(int, platform.release().split(".")[:2])) >= (6, 6)


class MappedTest(StoreTest):

    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store", 1)
        self.mnt = self.mount(self.store)

    @unittest.skipUnless(MAPS, "the kernel is older than 6.6")
    def test_mapped(self):
        run(CHECKOUT / "build/influxsnap", "--config", self.store, "cut")
        files = ("snapshots/now.tar", "snapshots/now/one.tar", "snapshots/base.tar", "at/latest.tar")
        for name in files:
            self.check_mapped(self.mnt / name)

    @unittest.skipUnless(MAPS, "the kernel is older than 6.6")
    def test_mapped_dumps(self):
        store = self.folder / "fixture"
        store.mkdir()
        run("tar", "xzf", CHECKOUT / "tests/fixtures/1.6.7-inmem/store.tar.gz", "-C", store)
        mnt = self.mount(store, "mnt-fixture")
        for form in ("json", "csv", "lp"):
            day = mnt / f"dump/{form}/sensu_db/default/2016-06-11"
            for path in sorted(day.iterdir())[:2]:
                self.check_mapped(path)

    def check_mapped(self, path):
        for how in (mmap.MAP_SHARED, mmap.MAP_PRIVATE):
            with path.open("rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                with mmap.mmap(file.fileno(), size, flags=how, prot=mmap.PROT_READ) as mapped:
                    pages = [mapped[at:at + 4096] for at in reversed(range(0, size, 4096))]
                    self.assertTrue(b"".join(reversed(pages)) == path.read_bytes(), path)
