"""snapshots/now/NAME.tar: one instant for all who use the name."""

import errno
import json
import os
import subprocess
import threading

from lib.archive import Archive
from lib.case import StoreTest
from lib.files import run
from lib.mount import held_files
from lib.stores import TSM_HEADER, big_file, some_store

NAMED_MAX = 64


class NamedTest(StoreTest):
    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store", 1)
        self.mnt = self.mount(self.store)
        self.folder_of_names = self.mnt / "snapshots/now"

    def grow(self, number):
        (self.store / f"data/first/autogen/1/{number + 2:09}-000000001.tsm").write_bytes(TSM_HEADER + bytes([number]))

    def size_by_another(self, path):
        return int(run("stat", "-c", "%s", path))

    def test_one_instant_for_every_process(self):
        job = self.folder_of_names / "job.tar"
        size = self.size_by_another(job)
        inode = run("stat", "-c", "%i", job)
        self.grow(1)
        self.assertEqual(self.size_by_another(job), size)
        self.assertNotEqual(self.size_by_another(self.folder_of_names / "later.tar"), size)
        self.assertNotEqual(self.size_by_another(self.mnt / "snapshots/now.tar"), size)
        run("cp", job, self.folder / "copy.tar")
        self.grow(2)
        run("cmp", self.folder / "copy.tar", job)
        Archive(self.folder / "copy.tar")
        self.assertEqual(run("stat", "-c", "%i", job), inode)

    def test_in_pieces_while_the_store_changes(self):
        """The field's job: a size by one process, then pieces by others, at once and one by one."""
        job = self.folder_of_names / "pieces.tar"
        block = 65536
        size, step = self.size_by_another(job), 0
        pieces = []
        for start in range(0, size, block):
            if start % (block * 4) == 0:
                step += 1
                self.grow(step % 200)
            pieces.append(subprocess.run(["dd", f"if={job}", f"bs={block}", f"skip={start // block}", "count=1",
                                          "iflag=fullblock", "status=none"], check=True, capture_output=True).stdout)
        (self.folder / "pieces.tar").write_bytes(b"".join(pieces))
        self.assertEqual((self.folder / "pieces.tar").stat().st_size, size)
        Archive(self.folder / "pieces.tar")

    def test_first_looks_at_once_agree(self):
        job = self.folder_of_names / "race.tar"
        stop = threading.Event()

        def keep_growing():
            number = 0
            while not stop.wait(0.005):
                number += 1
                self.grow(number % 200)

        grower = threading.Thread(target=keep_growing)
        grower.start()
        try:
            readers = [subprocess.Popen(["sha256sum", job], stdout=subprocess.PIPE, text=True) for _ in range(8)]
            sums = {reader.communicate()[0].split()[0] for reader in readers}
        finally:
            stop.set()
            grower.join()
        self.assertEqual(len(sums), 1)

    def test_lists_what_is_held_only(self):
        self.assertEqual(os.listdir(self.folder_of_names), [])
        self.assertNotIn("now", os.listdir(self.mnt / "snapshots"))
        os.stat(self.folder_of_names / "a.tar")
        os.stat(self.folder_of_names / "b.tar")
        self.assertEqual(sorted(os.listdir(self.folder_of_names)), ["a.tar", "b.tar"])
        for name in ("a", "a.tar.gz", ".a.tar", ".tar"):
            self.assertRaises(FileNotFoundError, os.stat, self.folder_of_names / name)
        with self.assertRaises(OSError) as refused:
            open(self.folder_of_names / "c", "xb").close()
        self.assertEqual(refused.exception.errno, errno.EROFS)

    def test_length_of_names(self):
        os.stat(self.folder_of_names / ("a" * 251 + ".tar"))
        with self.assertRaises(OSError) as refused:
            os.stat(self.folder_of_names / ("a" * 252 + ".tar"))
        self.assertEqual(refused.exception.errno, errno.ENAMETOOLONG)

    def test_too_many_names_are_refused(self):
        for number in range(NAMED_MAX):
            os.stat(self.folder_of_names / f"{number}.tar")
        with self.assertRaises(OSError) as refused:
            os.stat(self.folder_of_names / "more.tar")
        self.assertEqual(refused.exception.errno, errno.EAGAIN)
        status = json.loads((self.mnt / "status.json").read_text())
        self.assertIn("too many names", status["last_error"]["text"])
        os.stat(self.folder_of_names / "0.tar")
        # They share the capture of a store that does not change.
        (self.store / "data/first/autogen/1/000000009-000000001.tsm").write_bytes(TSM_HEADER)
        held = held_files(self.mnt, self.store / "data")
        self.assertEqual(len(held), len(set(held)))

    def test_unmount_lets_everything_go(self):
        os.stat(self.folder_of_names / "a.tar")
        big_file(self.store).unlink()
        self.mnt.unmount()
        self.mnt.start()
        self.assertEqual(os.listdir(self.folder_of_names), [])
        self.assertEqual(held_files(self.mnt, self.store / "data"), [])
