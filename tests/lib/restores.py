"""What every test of restore/ starts from: a store, and the snapshot of another one."""

import errno
import json
import os
import shutil
import subprocess

from lib.case import StoreTest
from lib.files import run, wait_until
from lib.mount import Mount
from lib.stores import HandmadeStore, some_store, tsm, wal_entry
from lib.trees import difference, litter, owned_by, store_tree, whole_tree


def tiny_store(root):
    """A few files of a few bytes."""
    store = HandmadeStore(root)
    for number in range(2):
        store.shard("old db", tsm={"000000007-000000002.tsm": tsm(b"old" * 50 * number)},
                    wal={"_00009.wal": wal_entry(7)})
    return store.write_meta()


def drop(path, content, piece=65536):
    """Writes it as a program would. Returns the errno of the first call that failed, or 0."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        return error.errno
    result = 0
    try:
        for start in range(0, len(content), piece):
            os.write(fd, content[start:start + piece])
    except OSError as error:
        result = error.errno
    try:
        os.close(fd)
    except OSError as error:
        result = result or error.errno
    return result


def errno_name(number):
    return errno.errorcode.get(number, str(number))


class RestoreTest(StoreTest):
    """self.store is to be restored into; self.tar is the snapshot of self.source."""

    def setUp(self):
        super().setUp()
        self.source = self.make_source(self.folder / "source")
        self.tar = self.snapshot(self.source)
        self.store = tiny_store(self.folder / "store")

    def make_source(self, root):
        return some_store(root, 1)

    def snapshot(self, store, name="now.tar"):
        with Mount(store, self.folder / "mnt-snapshot") as mnt:
            run("cp", mnt / "snapshots/now.tar", self.folder / name)
        shutil.rmtree(store / "influxfs", ignore_errors=True)
        return self.folder / name

    def log(self, mnt):
        return (mnt / "restore/log").read_text().splitlines()

    def restore_status(self, mnt):
        return json.loads((mnt / "restore/status.json").read_text())

    def check_restored(self, store=None, source=None, owners=True, owner=None):
        """The store is what the snapshot holds, and nothing lies about. owner: whose it is now, if
        not the source's."""
        store = store or self.store
        expected = store_tree(source or self.source, times=False, owners=owners)
        if owner:
            expected = owned_by(owner, expected)
        got = store_tree(store, times=False, owners=owners)
        self.assertTrue(expected == got, difference(expected, got))
        self.assertEqual(litter(store), [])

    def check_untouched(self, before, what="", store=None):
        """At last: the kernel tells of the last close, upon which staging folders go, a little later."""
        store = store or self.store
        try:
            wait_until(lambda: whole_tree(store) == before, 30, "the store to be as it was")
        except TimeoutError:
            self.fail(f"{what}: the store was changed\n{difference(before, whole_tree(store))}")

    def check_refused(self, mnt, content, *numbers, name="bad.tar", words=None):
        """Dropped, it is refused with one of these errors, for a reason that the log tells."""
        before = whole_tree(self.store)
        lines = len(self.log(mnt))
        got = drop(mnt / "restore" / name, content)
        self.assertIn(errno_name(got), [errno_name(number) for number in numbers], self.log(mnt)[-1])
        log = self.log(mnt)
        self.assertGreater(len(log), lines)
        self.assertRegex(log[-1], r"^\S+Z refused")
        if words:
            self.assertIn(words, log[-1])
        self.check_untouched(before)
        os.unlink(mnt / "restore" / name)
        return log[-1]

    def shell(self, command, **words):
        """Runs it with its words in capitals replaced. Returns (exit code, what it said)."""
        for word, value in words.items():
            command = command.replace(word, str(value))
        done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], stdin=subprocess.DEVNULL, cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        return done.returncode, f"{command}\n{done.stdout}"
