"""What every test of the tree starts from: a folder of its own, cleaned up whatever happens."""

import shutil
import tempfile
import unittest
from pathlib import Path

from lib.files import run
from lib.influxd import Influxd
from lib.mount import Mount


class StoreTest(unittest.TestCase):
    timeout = 180  # seconds that are plenty for one test on a quiet machine

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="influxfs-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def mount(self, store, name="mnt", **how):
        """Mounted until the end of the test."""
        return self.enterContext(self.mounted(store, name, **how))

    def mounted(self, store, name="mnt", **how):
        """For a with statement: mounted until its end."""
        return Mount(store, self.folder / name, **how)

    def influxd(self, root, **how):
        """Running until the end of the test."""
        return self.enterContext(Influxd(root, **how))

    def open_to_all(self):
        """Lets other users walk through to the test's folder."""
        for above in (self.folder, *self.folder.parents):
            if above.stat().st_mode & 0o777 == 0o700 and str(above).startswith(tempfile.gettempdir()):
                above.chmod(0o755)

    def restore(self, snapshot, folder):
        """The snapshot, copied into restore/ of a store that is still empty."""
        folder.mkdir(parents=True)
        with Mount(folder, self.folder / f"mnt-{folder.name}") as mnt:
            run("cp", snapshot, mnt / "restore/")
        return folder
