"""influxsnap rollback: a retained cut takes the place of the store, by links, and stays as it was."""

import errno
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP, accounts, chain, snap, snap_code
from lib.dumps import answer, dump
from lib.files import run, wait_until
from lib.forge import Forgery
from lib.mount import Mount
from lib.restores import drop
from lib.stores import HandmadeStore, tombstone, tsm, wal_entry
from lib.trees import difference, litter, owned_by, store_tree, tree, whole_tree

DONE, FAILED, USAGE, IN_USE, CORRUPT, INCOMPLETE, OMISSIONS = range(7)
FIRST = "000000001-000000001"
LINKED = (".tsm", ".tombstone")


class RollbackTest(StoreTest):
    """self.store has the cuts base, 0 and 1, of which self.was knows the trees; and has changed since."""

    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"
        self.state = self.store / "influxfs"
        self.made = HandmadeStore(self.store)
        for number in range(3):
            self.made.shard(tsm={f"{FIRST}.tsm": tsm(b"%d" % number * 900), f"{FIRST}.tombstone": tombstone(str(number))},
                            wal={"_00001.wal": wal_entry(number)})
        self.made.shard("second")
        self.made.write_meta()
        self.was = {}
        for number in (-1, 0, 1):
            self.change(number)
            snap(self.store, "cut", "--guard=off")
            self.was[number] = store_tree(self.store, times=False)
        self.change(2)

    def shard(self, number, root="data"):
        return self.store / root / f"db/autogen/{number}"

    def change(self, step):
        """A flush, a compaction, a delete, a write, and a new shard."""
        (self.shard(1) / f"{step + 5:09}-000000001.tsm").write_bytes(tsm(b"%d" % step * 500))
        (self.shard(1) / f"{step + 4:09}-000000001.tsm").unlink(missing_ok=True)
        stone = self.shard(2) / f"{FIRST}.tombstone"
        stone.with_suffix(".tmp").write_bytes(stone.read_bytes() + tombstone(str(step))[4:])
        stone.with_suffix(".tmp").rename(stone)
        with (self.shard(3, "wal") / "_00001.wal").open("ab") as segment:
            segment.write(wal_entry(step + 9))
        self.made.shard(f"new{step + 1}", tsm={f"{FIRST}.tsm": tsm(b"new")})
        self.made.write_meta()

    def call(self, *words, code=DONE, store=None, **options):
        """(stdout, stderr) of a run that is to end with this code."""
        done = subprocess.run([INFLUXSNAP, "-c", str(store or self.store), *map(str, words)], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, **options)
        self.assertEqual(done.returncode, code, f"{words}\n{done.stdout}\n{done.stderr}")
        return done.stdout, done.stderr

    def rollback(self, which, *words, **how):
        return json.loads(self.call("rollback", "--json", *words, which, **how)[0])

    def same(self, wanted, got):
        self.assertTrue(wanted == got, difference(wanted, got))

    def check(self, number):
        self.same(self.was[number], store_tree(self.store, times=False))
        self.assertEqual(litter(self.store), [])

    def pool(self):
        """The retained files, to the last byte; by inode too: which names they have elsewhere does not matter."""
        files = self.state / "cuts/files"
        return {name: (what, (files / name).stat().st_ino) for name, what in tree(files).items() if what[0][0] == "-"}


class WhereToTest(RollbackTest):
    def test_back_and_forward(self):
        pool = self.pool()
        for which, number in (("base", -1), ("latest", 1), ("0", 0), ("1", 1), ("base", -1)):
            told = self.rollback(which)
            self.check(number)
            self.assertEqual((told["restored"], told["number"]), (True, None if number < 0 else number))
            for path in (path for root in ("meta", "data", "wal") for path in (self.store / root).rglob("*") if path.is_file()):
                shared = path.stat().st_ino in {inode for _, inode in pool.values()}
                self.assertEqual(shared, path.suffix in LINKED, path)
        self.assertEqual(self.pool(), pool)
        self.assertEqual([cut.number for cut in chain(self.state)], [-1, 0, 1])
        self.call("verify")

    def test_times(self):
        for cut in json.loads(snap(self.store, "list", "--json"))["cuts"]:
            self.assertEqual(self.rollback(cut["time"])["number"], cut["number"])
            self.check(-1 if cut["number"] is None else cut["number"])
        soon = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + 60))
        self.assertEqual(self.rollback(soon)["number"], 1)
        self.assertIn("no such cut", self.call("rollback", "2001-01-01T00:00:00Z", code=FAILED)[1])

    def test_what_it_says(self):
        out, said = self.call("rollback", "0")
        self.assertRegex(out, r"(?m)^rolled back to cut 0 of \S+Z in ")
        self.assertRegex(out, r"(?m)^files back: 1 \(.*\); changed: 3; gone: 3 \(.*\); linked: 9; copied: 4 ")
        self.assertIn("is kept as *.before-restore", out)
        for name in ("new2", "new3"):
            self.assertIn(f"warning: database {name} is not in cut 0", said)
        self.assertIn("putting back data/db/autogen/1/", said)
        log = (self.state / "restore.log").read_text()
        for word in ("restoring cut 0: snapshot", "linking data/db/autogen/1/", "copying meta/meta.db", "restored cut 0 into"):
            self.assertIn(word, log)
        last = json.loads(snap(self.store, "status", "--json"))["history"]["restores"]["last"][0]
        self.assertEqual((last["what"], last["result"]), ("cut 0", "done"))
        self.assertEqual(self.call("--quiet", "rollback", "1")[1], "")

    def test_dry_run(self):
        before = whole_tree(self.store)
        out, said = self.call("rollback", "--dry-run", "base")
        told = self.rollback("base", "--dry-run")
        self.same(before, whole_tree(self.store))
        self.assertIn("would roll back to cut base", out)
        self.assertIn("warning: database new1 is not in cut base: it would be", said)
        self.assertFalse(told["restored"])
        done = self.rollback("base")
        for key in done.keys() - {"restored", "warnings"}:
            self.assertEqual(told[key], done[key], key)

    def test_kept(self):
        """Several cuts are tried, one after the other: what is kept is the store that no cut has."""
        before = store_tree(self.store, times=False)

        def kept():
            return {name.replace(".before-restore", "", 1): what for root in ("meta", "data", "wal")
                    for name, what in store_tree_of(self.store, f"{root}.before-restore").items()}

        self.assertFalse(self.rollback("1")["replaces_cut"])
        self.same(before, kept())
        for number in ("0", "base"):
            self.assertTrue(self.rollback(number, "--dry-run")["replaces_cut"])
            self.assertTrue(self.rollback(number)["replaces_cut"])
            self.same(before, kept())
        with (self.shard(3, "wal") / "_00001.wal").open("ab") as segment:
            segment.write(wal_entry(77))
        moved_on = store_tree(self.store, times=False)
        self.assertFalse(self.rollback("1")["replaces_cut"])
        self.same(moved_on, kept())
        self.write_over(self.shard(3, "wal") / "_00001.wal")
        written_over = store_tree(self.store, times=False)
        self.assertFalse(self.rollback("0", "--dry-run")["replaces_cut"])
        self.assertFalse(self.rollback("0")["replaces_cut"])
        self.same(written_over, kept())

    def write_over(self, path):
        """Other bytes, of the same size and time."""
        before = path.stat()
        with path.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"\xaa")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def store_tree_of(store, folder):
    return {f"{folder}/{name}": what for name, what in tree(Path(store) / folder, times=False).items()}


class RefusedTest(RollbackTest):
    def refused(self, *words, code, says):
        before = whole_tree(self.store)
        _, said = self.call("rollback", *words, code=code)
        self.assertIn(says, said)
        after = whole_tree(self.store)
        for found in before, after:  # what it says is remembered
            for name in ("influxfs/history.json", "influxfs/restore.log", "influxfs"):
                found.pop(name, None)
        self.same(before, after)

    def test_arguments(self):
        self.refused("soon", code=USAGE, says="neither a number")
        self.refused("7", code=FAILED, says="no such cut")
        self.refused(code=USAGE, says="usage")
        self.refused("1", "2", code=USAGE, says="usage")

    def test_no_cuts(self):
        shutil.rmtree(self.state)
        self.call("rollback", "latest", code=FAILED)
        self.assertFalse(self.state.exists())

    def test_damaged(self):
        """A retained file that is not whole, or not there; a cut whose list is damaged."""
        retained = self.state / "cuts/files" / chain(self.state)[0].files[f"data/db/autogen/3/{FIRST}.tsm"][7]
        content = retained.read_bytes()
        retained.unlink()
        retained.write_bytes(content[:-1])
        for words in (("0",), ("--dry-run", "0")):
            self.refused(*words, code=CORRUPT, says=f"cuts/files/{retained.parent.name}/{retained.name} has ")
        retained.unlink()
        self.refused("0", code=CORRUPT, says=f"{retained.parent.name}/{retained.name}")
        with (self.state / "cuts/0").open("r+b") as cut:
            cut.write(b"x")
        self.refused("0", code=INCOMPLETE, says="damaged")
        for which in ("1", "latest", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))):
            self.refused(which, code=INCOMPLETE, says="manifest of cut 0 is damaged")
        retained.write_bytes(content)  # another file with these bytes, of which the store gets a copy
        self.assertIsNone(self.rollback("base")["number"])
        self.check(-1)

    def test_stranger_as_fence(self):
        (self.store / "meta/raft.db").write_bytes(b"whose?")
        self.refused("0", code=FAILED, says="raft.db")

    def test_mount_below(self):
        if os.geteuid():
            self.skipTest("only root can mount file systems")
        run("mount", "-t", "tmpfs", "tmpfs", self.shard(2))
        self.addCleanup(run, "umount", self.shard(2))
        self.refused("0", code=FAILED, says="is a mount point")


class PlacesTest(RollbackTest):
    """Where not everything can be linked, or renamed."""

    def setUp(self):
        super().setUp()
        if os.geteuid():
            self.skipTest("only root can mount file systems and give files away")

    def disk(self, folder, size="32m"):
        folder.mkdir(exist_ok=True, parents=True)
        run("mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", folder)
        self.addCleanup(run, "umount", folder)

    def test_owner(self):
        """Files for somebody else are copies: those of the cut stay as they are."""
        pool = self.pool()
        told = self.rollback("0", "--owner=1234:4321")
        self.same(owned_by((1234, 4321), self.was[0]), store_tree(self.store, times=False))
        self.assertEqual((told["linked"], told["copied"]), (0, 13))
        self.assertEqual(self.pool(), pool)
        self.assertIn("another owner", self.call("rollback", "0", "--owner=1:1")[1])
        self.assertEqual(self.rollback("0", "--owner=0:0")["linked"], 9)
        self.check(0)

    def test_lost_folders(self):
        """With the folders their owner has gone; the cut knows both."""
        for path in (self.store, *self.store.rglob("*")):
            if self.state not in (path, *path.parents):
                os.chown(path, 1234, 4321)
        snap(self.store, "cut", "--guard=off")
        wanted = store_tree(self.store, times=False)
        for lost in (("data",), ("meta", "data", "wal")):
            for folder in lost:
                shutil.rmtree(self.store / folder)
            out, _ = self.call("rollback", "latest")
            self.same(wanted, store_tree(self.store, times=False))
            self.assertIn("; linked: 11; copied: 4 ", out)
        self.assertIn("there was no store before", out)

    def test_state_on_another_disk(self):
        state = self.folder / "state"
        self.disk(state)
        own = f"--state={state}"
        self.call(own, "cut")
        wanted = store_tree(self.store, times=False)
        self.change(3)
        told = self.rollback("base", own)
        self.assertEqual(told["linked"], 0)
        self.same(wanted, store_tree(self.store, times=False))
        self.assertIn("more is copied", self.call(own, "rollback", "base")[1])

    def test_state_moved_to_another_disk(self):
        """Files that were links once cannot be any more: that is said once."""
        state = self.folder / "state"
        self.disk(state)
        run("cp", "-aT", self.state, state)
        _, said = self.call(f"--state={state}", "rollback", "0")
        self.check(0)
        self.assertEqual(said.count("cross-device"), 1, said)

    def test_data_is_a_mount_point(self):
        store = self.folder / "mounted"
        self.disk(store / "data")
        for folder in ("meta", "data", "wal"):
            run("cp", "-aT", self.store / folder, store / folder)
        own = f"--state={store}/state"
        self.call(own, "cut", store=store)
        wanted = store_tree(store, times=False)
        (store / "data/db/autogen/2" / f"{FIRST}.tsm").unlink()
        self.rollback("base", own, store=store)
        found = {name: what for name, what in store_tree(store, times=False).items() if ".influxfs" not in name}
        self.same(wanted, found)

    def test_full_disk(self):
        """It is refused before anything is done where all must be copied and does not fit."""
        store = self.folder / "small"
        self.disk(store, "3m")
        made = HandmadeStore(store)
        made.shard(tsm={f"{FIRST}.tsm": tsm(os.urandom(2 << 20))}, wal={"_00001.wal": wal_entry(1)})
        made.write_meta()
        own = f"--state={self.folder}/state"
        self.call(own, "cut", "--reserve=0", store=store)
        (store / f"data/db/autogen/1/{FIRST}.tsm").write_bytes(tsm(os.urandom(2 << 20)))
        before = whole_tree(store)
        for words in ((), ("--owner=1:1",)):
            self.assertIn("no room", self.call(own, "rollback", "base", *words, store=store, code=FAILED)[1])
        self.same(before, whole_tree(store))
        own = f"--state={store}/state"  # linked, it fits
        self.call(own, "cut", "--reserve=0", store=store)
        wanted = store_tree(store, times=False)
        (store / f"data/db/autogen/1/{FIRST}.tsm").unlink()
        self.rollback("base", own, store=store)
        self.same(wanted, store_tree(store, times=False))

    def test_symbolic_links(self):
        """A shard that lies elsewhere comes back as a folder, and that is said; what it led to stays."""
        elsewhere = self.folder / "elsewhere"
        self.shard(2).rename(elsewhere)
        self.shard(2).symlink_to(elsewhere)
        snap(self.store, "cut", "--guard=off")
        kept = tree(elsewhere)
        _, said = self.call("rollback", "latest")
        self.assertIn(" -> ", said)
        self.assertFalse(self.shard(2).is_symlink())
        self.same(kept, tree(elsewhere))
        self.same({name: what for name, what in kept.items()}, tree(self.shard(2)))


class AfterwardsTest(RollbackTest):
    """Cuts, chains and mirrors go on."""

    def test_next_cut(self):
        """It has the next number and builds on the last, and what came back is in it."""
        self.rollback("0")
        self.assertIn("cut 2", snap(self.store, "cut", "--guard=off"))
        self.assertEqual([cut.number for cut in chain(self.state)], [-1, 0, 1, 2])
        self.assertEqual(accounts(self.state), (set(), set()))
        self.rollback("1")
        self.check(1)
        self.rollback("2")
        self.check(0)
        self.change(7)
        wanted = store_tree(self.store, times=False)
        snap(self.store, "cut", "--guard=off")
        self.call("verify")
        snap(self.store, "prune", "--keep=1")
        self.assertEqual(accounts(self.state), (set(), set()))
        self.call("verify")
        self.rollback("base")
        self.check(0)
        self.rollback("latest")
        self.same(wanted, store_tree(self.store, times=False))

    def test_nothing_written_since(self):
        """The copies that a rollback makes are no change; a byte in one of them is."""
        self.rollback("latest")
        snap(self.store, "cut", "--guard=off")
        self.assertEqual([cut.number for cut in chain(self.state)], [-1, 0, 1])
        segment = self.shard(3, "wal") / "_00001.wal"
        when = segment.stat()
        data = bytearray(segment.read_bytes())
        data[20] ^= 1
        segment.write_bytes(data)
        os.utime(segment, ns=(when.st_atime_ns, when.st_mtime_ns))
        self.assertIn("cut 2", snap(self.store, "cut", "--guard=off"))

    def test_held_twice(self):
        """What only the cuts still hold counts, although two of them have it."""
        self.rollback("0")
        snap(self.store, "cut", "--guard=off")
        shutil.rmtree(self.store / "data/db")
        for old in self.store.glob("*.before-restore"):
            shutil.rmtree(old)
        files = {path.stat().st_ino: path.stat().st_blocks * 512 for path in (self.state / "cuts/files").rglob("*")
                 if path.is_file() and not any(path.samefile(other) for other in self.store.glob("data/*/*/*/*"))}
        self.assertTrue(any(path.stat().st_nlink == 2 for path in (self.state / "cuts/files").rglob("*") if path.is_file()))
        self.assertEqual(json.loads(snap(self.store, "status", "--json"))["cuts"]["only_ours"], sum(files.values()))

    def test_mirror(self):
        """A mirror of the numbers, restored elsewhere, leads to the same."""
        self.rollback("0")
        self.change(9)
        snap(self.store, "cut", "--guard=off")
        mirror = self.folder / "mirror"
        mirror.mkdir()
        with Mount(self.store, self.folder / "mnt") as mnt:
            run("cp", *sorted((mnt / "snapshots").glob("[b0-9]*.tar")), mirror)
            run("cp", mnt / "at/0.tar", mnt / "at/2.tar", self.folder)
            self.assertEqual(tree(mnt / "at/0/data", times=False).keys(),
                             {name.removeprefix("data/") for name in self.was[0] if name.startswith("data/")})
        other = self.folder / "other"
        other.mkdir()
        self.call("restore", mirror, store=other)
        self.same(store_tree(self.store, times=False), store_tree(other, times=False))

    def test_numbers_follow(self):
        """The numbers after the one that was rolled back to can be dropped in, as after a restore."""
        with Mount(self.store, self.folder / "mnt") as mnt:
            run("cp", mnt / "snapshots/1.tar", self.folder)
        self.rollback("0")
        self.call("restore", self.folder / "1.tar")
        self.check(1)

    def test_backup_chain(self):
        path = self.folder / "db.tar"
        snap(self.store, "backup", path)
        before = store_tree(self.store, times=False)
        self.rollback("base")
        snap(self.store, "backup", path, "--guard=off")
        self.rollback("1")
        snap(self.store, "backup", path, "--guard=off")
        other = self.folder / "other"
        for names, wanted in (([path], before), ([path, f"{path}.0"], self.was[-1]), ([path, f"{path}.0", f"{path}.1"], self.was[1])):
            shutil.rmtree(other, ignore_errors=True)
            other.mkdir()
            if names == [path]:
                with path.open("rb") as file:
                    run_with(file, INFLUXSNAP, "-c", other, "restore", "-")
            else:
                self.call("restore", *names, store=other)
            self.same(wanted, store_tree(other, times=False))

    def test_under_a_mount(self):
        """A mount that was there before shows the store as it is then."""
        mnt = self.mount(self.store)
        run("cp", mnt / "snapshots/now.tar", self.folder / "before.tar")
        self.rollback("0")
        run("cp", mnt / "snapshots/now.tar", self.folder / "after.tar")
        other = self.folder / "other"
        other.mkdir()
        self.call("restore", self.folder / "after.tar", store=other)
        self.same(self.was[0], store_tree(other, times=False))

    def test_excluded(self):
        """A cut that leaves a database out is one without it, and that is said."""
        snap(self.store, "cut", "--exclude=new1", "--guard=off")
        _, said = self.call("rollback", "latest")
        self.assertIn("warning: database new1 is not in cut 2: it is now only in what is kept", said)
        self.assertFalse((self.store / "data/new1").exists())
        self.assertTrue((self.store / "data.before-restore/new1").exists())


def run_with(file, *command):
    done = subprocess.run([str(word) for word in command], stdin=file, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise AssertionError(done.stdout)


class DropTest(RollbackTest):
    """A snapshot of a cut that is retained arrives as a tar: what is here as it comes is linked, not written."""
    BIG = 300_000  # bytes: more than one piece of a comparison

    def setUp(self):
        super().setUp()
        self.big = self.shard(1) / "000000099-000000001.tsm"
        self.big.write_bytes(tsm(os.urandom(self.BIG)))
        snap(self.store, "cut", "--guard=off")
        self.was[2] = store_tree(self.store, times=False)
        self.tar = self.folder / "2.tar"
        with Mount(self.store, self.folder / "mnt") as mnt:
            run("cp", mnt / "at/2.tar", self.tar)

    def linked(self):
        """How many files of the store are retained ones."""
        inodes = {inode for _, inode in self.pool().values()}
        return sum(path.stat().st_ino in inodes for path in (self.store / "data").rglob("*.t*"))

    def all_linked(self):
        return sum(name.endswith(LINKED) for name in self.was[2])

    def drop(self, content, options=""):
        """The last lines of the log."""
        self.change(3)
        with Mount(self.store, self.folder / "mnt", options) as mnt:
            (self.folder / "dropped.tar").write_bytes(content)
            run("cp", self.folder / "dropped.tar", mnt / "restore/")
            return (mnt / "restore/log").read_text()

    def test_by_its_own_mount(self):
        self.change(3)
        for tool in (("cp",), ("dd", "bs=1k"), ("rsync",)):
            with self.subTest(tool=tool), Mount(self.store, self.folder / "mnt") as mnt:
                shutil.rmtree(self.shard(1))
                source, target = mnt / "at/2.tar", mnt / "restore/2.tar"
                run(*tool, *((f"if={source}", f"of={target}", "conv=fsync") if tool[0] == "dd" else (source, target)))
                self.assertIn(f"2.tar is a cut that is retained here: {self.all_linked()} files are linked",
                              (mnt / "restore/log").read_text())
                self.check(2)
                self.assertEqual(self.linked(), self.all_linked())

    def test_by_influxsnap(self):
        self.change(3)
        pool = self.pool()
        self.call("restore", self.tar)
        self.check(2)
        self.assertEqual(self.linked(), self.all_linked())
        self.assertEqual(self.pool(), pool)

    def test_written_to_disk(self):
        """Nothing but what grows, and what the restore itself notes."""
        size = 16 << 20
        self.big.with_name("000000100-000000001.tsm").write_bytes(tsm(os.urandom(size)))
        snap(self.store, "cut")
        with Mount(self.store, self.folder / "mnt") as mnt:
            counted = Path(f"/proc/{mnt.process.pid}/io")
            before = int(dict(line.split(": ") for line in counted.read_text().splitlines())["write_bytes"])
            run("cp", mnt / "at/3.tar", mnt / "restore/")
            after = int(dict(line.split(": ") for line in counted.read_text().splitlines())["write_bytes"])
        self.assertLess(after - before, size // 4)

    def test_other_bytes(self):
        """The bytes that arrive are those that are restored, whatever the snapshot's id says they are."""
        for at in (7, self.BIG // 2, self.BIG):
            with self.subTest(at=at):
                forged = Forgery(self.tar.read_bytes())
                entry = forged.find("1/000000099-000000001.tsm")
                entry[1] = entry[1][:at] + bytes([entry[1][at] ^ 1]) + entry[1][at + 1:]
                self.drop(forged.bytes())
                self.assertEqual(self.big.read_bytes(), entry[1])
                self.assertEqual(self.linked(), self.all_linked() - 1)

    def test_damaged_bytes(self):
        """They are refused, although the right ones are here."""
        content = bytearray(self.tar.read_bytes())
        content[content.index(self.big.read_bytes()) + self.BIG // 2] ^= 1
        self.change(3)
        before = store_tree(self.store)
        with Mount(self.store, self.folder / "mnt") as mnt:
            self.assertEqual(drop(mnt / "restore/bad.tar", bytes(content)), errno.EBADMSG)
        self.same(before, store_tree(self.store))

    def test_retained_bytes_damaged(self):
        """What the disk has spoilt is not used, and comes back right."""
        place = chain(self.state)[-1].files["data/db/autogen/1/000000099-000000001.tsm"][7]
        with (self.state / "cuts/files" / place).open("r+b") as file:
            file.seek(self.BIG // 2)
            file.write(b"spoilt")
        self.drop(self.tar.read_bytes())
        self.check(2)
        self.assertEqual(self.linked(), self.all_linked() - 1)

    def test_other_attributes(self):
        """Links would have the wrong owner; and a file of another time or mode is another file."""
        if os.geteuid() == 0:
            self.drop(self.tar.read_bytes(), "owner=1234:4321")
            self.same(owned_by((1234, 4321), self.was[2]), store_tree(self.store, times=False))
            self.assertEqual(self.linked(), 0)
            self.drop(self.tar.read_bytes(), "owner=0:0")
            self.check(2)
        forged = Forgery(self.tar.read_bytes())
        forged.find("1/000000099-000000001.tsm")[0].mode = 0o600
        forged.mtimes[f"data/db/autogen/3/{FIRST}.tsm"]["mtime_ns"] += 10**9
        forged.find(f"3/{FIRST}.tsm")[0].mtime += 1
        self.drop(forged.bytes())
        self.assertEqual(self.big.stat().st_mode & 0o777, 0o600)
        self.assertEqual((self.shard(3) / f"{FIRST}.tsm").stat().st_mtime_ns, self.was[2][f"data/db/autogen/3/{FIRST}.tsm"][2] + 10**9)
        self.assertEqual(self.linked(), self.all_linked() - 2)

    def test_no_room_needed(self):
        if os.geteuid():
            self.skipTest("only root can mount file systems")
        store = self.folder / "small"
        store.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=3m,mode=755", "tmpfs", store)
        self.addCleanup(run, "umount", store)
        made = HandmadeStore(store)
        made.shard(tsm={f"{FIRST}.tsm": tsm(os.urandom(2 << 20))}, wal={"_00001.wal": wal_entry(1)})
        made.write_meta()
        for number in range(2):  # at/ has no base
            (store / "wal/db/autogen/1/_00002.wal").write_bytes(wal_entry(number))
            snap(store, "cut", "--reserve=0")
        wanted = store_tree(store, times=False)
        with Mount(store, self.folder / "mnt") as mnt:
            run("cp", mnt / "at/0.tar", mnt / "restore/")
        self.same(wanted, store_tree(store, times=False))


class SizeTest(StoreTest):
    """1,000 files of a terabyte: sparse, as far as they are never read."""
    FILES, BYTES = 1000, 1 << 30

    def written(self, *words):
        """The bytes that a run of influxsnap wrote, into files of any kind."""
        process = subprocess.Popen([INFLUXSNAP, "--quiet", "-c", self.store, *words], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        counted = dict(line.split(": ") for line in Path(f"/proc/{process.pid}/io").read_text().splitlines())
        self.assertEqual(process.wait(), 0)
        return int(counted["wchar"]), int(counted["rchar"])

    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"
        made = HandmadeStore(self.store)
        for _ in range(10):
            made.shard(wal={"_00001.wal": wal_entry(1)})
        made.write_meta()
        content = tsm(b"")
        for number in range(self.FILES):
            path = self.store / f"data/db/autogen/{number % 10 + 1}/{number + 1:09}-000000001.tsm"
            with path.open("wb") as file:
                file.write(content[:5])
                file.truncate(self.BYTES - len(content))
                file.seek(0, os.SEEK_END)
                file.write(content[5:-8])
                file.write((file.tell() - len(content) + 13 + content[5:-8].__len__() * 0).to_bytes(8, "big"))
        snap(self.store, "cut", "--quiet")

    def test_a_terabyte(self):
        wanted = {path: path.stat().st_ino for path in self.store.glob("data/*/*/*/*.tsm")}
        for path in list(wanted)[::2]:
            path.unlink()
        wrote, read = self.written("rollback", "base")
        self.assertEqual({path: path.stat().st_ino for path in self.store.glob("data/*/*/*/*.tsm")}, wanted)
        self.assertLess(wrote, 4 << 20)
        self.assertLess(read, 64 << 20)

    def test_a_clone_of_it(self):
        if os.geteuid():
            self.skipTest("only root can mount an overlay")
        clone = self.folder / "clone"
        wrote, _ = self.written("clone", "base", clone)
        self.addCleanup(snap, self.store, "clone", "--remove", clone)
        self.assertEqual(len(list(clone.glob("data/*/*/*/*.tsm"))), self.FILES)
        self.assertLess(wrote, 1 << 20)


class InfluxdTest(StoreTest):
    """A real server before and after."""
    timeout = 300
    MEASUREMENTS = "m", "other"

    def points(self, influxd, series, start, value):
        influxd.write([f'{name},host=h{number} v={value + number},s="{"x" * 60}" {start + number}'
                       for name in self.MEASUREMENTS for number in range(series)], "db")

    def flushed(self, count):
        wait_until(lambda: len(list((self.store / "data/db").rglob("*.tsm"))) >= count, 60, "a flush")

    def answers(self, influxd):
        return [answer(influxd, form, "db", "autogen", name) for form in ("json", "csv") for name in self.MEASUREMENTS]

    def dumps(self):
        return [dump(self.store, form, "db", "autogen", name) for form in ("json", "csv", "lp") for name in self.MEASUREMENTS]

    def pool(self):
        return tree(self.store / "influxfs/cuts/files", times=False)

    def check_index(self, index):
        self.store = self.folder / "store"
        influxd = self.influxd(self.store, index=index, cache_snapshot_memory_size=1000,
                               cache_snapshot_write_cold_duration="1s", compact_full_write_cold_duration="1s")
        influxd.run("CREATE DATABASE db")
        self.points(influxd, 40, 1, 0)
        self.flushed(1)
        influxd.run("DELETE FROM m WHERE host = 'h3'", "db")   # a tombstone is in the cut
        self.points(influxd, 40, 1000, 1)
        wanted, cut = [], []
        for step in range(2):
            snap(self.store, "cut", "--guard=off")
            wanted.append(self.answers(influxd))
            self.points(influxd, 50, 2000 * (step + 1), step)
            influxd.run(f"DELETE FROM m WHERE host = 'h{step + 5}'", "db")
        influxd.run("DROP MEASUREMENT other", "db")
        influxd.run("DROP SERIES FROM m WHERE host = 'h7'", "db")
        code, said = snap_code(self.store, "rollback", "base")
        self.assertEqual(code, IN_USE, said)
        influxd.stop()
        pool = self.pool()
        snap(self.store, "rollback", "base")
        text = self.dumps()
        influxd.start()
        self.assertEqual(self.answers(influxd), wanted[0])
        self.assertEqual(text[:4], wanted[0][:2] + wanted[0][2:])
        self.live_on(influxd)
        self.assertEqual({name: what for name, what in self.pool().items() if name in pool}, pool)
        snap(self.store, "verify")
        snap(self.store, "cut", "--guard=off")
        moved_on = self.answers(influxd)
        influxd.stop()
        for which, answers in (("0", wanted[1]), ("latest", moved_on), ("base", wanted[0])):
            snap(self.store, "rollback", which)
            influxd.start()
            self.assertEqual(self.answers(influxd), answers, which)
            influxd.kill()
        snap(self.store, "verify")
        self.assertEqual({name: what for name, what in self.pool().items() if name in pool}, pool)

    def live_on(self, influxd):
        """What changes and removes files: writes, deletes that add to tombstones, a compaction of all."""
        before = set((self.store / "data/db").rglob("*.tsm"))
        influxd.run("DELETE FROM m WHERE host = 'h9'", "db")
        influxd.run("DELETE FROM other WHERE time < 10", "db")
        for step in range(4):
            self.points(influxd, 30, 5000 + 100 * step, step)
            self.flushed(2)
        wait_until(lambda: not before & set((self.store / "data/db").rglob("*.tsm")), 120, "a compaction of all that came back")
        influxd.run("DELETE FROM m WHERE host = 'h11'", "db")
        self.points(influxd, 10, 9000, 7)

    def test_inmem(self):
        self.check_index("inmem")

    def test_tsi1(self):
        self.check_index("tsi1")
