"""Sets that the real `influxd backup` wrote, copied into restore/: folders and tars, by the tools people use."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from lib.case import StoreTest
from lib.files import HANG, run, wait_until
from lib.influxbackup import backup
from lib.influxd import Influxd
from lib.restores import RestoreTest, drop, tiny_store
from lib.trees import difference, litter, whole_tree
from tree.test_full import DiskTest
from tree.test_restore_tools import RCLONE, SSH

POINTS = [f"m,t={tag} v={tag * 100 + at} {at}000000000" for tag in range(4) for at in range(200)]
MORE = ["m,t=0 v=-1 5000000000", "m,t=9 v=9 1900000000000000000", "n v=1 1"]
LAST = ["m,t=1 v=-2 6000000000"]

# Each copies the folder IN, with one set, to DIR/NAME.
COPIES = {
    "cp": "cp -r IN DIR/NAME",
    "cp_a": "cp -a IN DIR/NAME",
    "rsync": "rsync -r IN/ DIR/NAME/",
    "rsync_a": "rsync -a IN/ DIR/NAME/",
    "rsync_delayed": "rsync -a --delay-updates IN/ DIR/NAME/",
    "rsync_partial": "rsync -a --partial-dir=.rsync-partial IN/ DIR/NAME/",
    "rsync_inplace": "rsync -a --inplace IN/ DIR/NAME/",
    "rclone": f"{RCLONE} copy IN DIR/NAME",
    "rclone_streams": f"{RCLONE} copy --multi-thread-streams 4 --multi-thread-cutoff 1k --transfers 1 IN DIR/NAME",
    "tar": "mkdir DIR/NAME && tar -cf - -C IN . | tar -xf - -C DIR/NAME",
    "scp": "scp -q -r -S FOLDER/ssh IN host:DIR/NAME",
    "scp_old": "scp -q -O -r -S FOLDER/ssh IN host:DIR/NAME",
    "install": "mkdir DIR/NAME && install -m 600 IN/* DIR/NAME/",
    "mv": "cp -r IN FOLDER/moved && mv FOLDER/moved DIR/NAME",
    "dd": 'mkdir DIR/NAME && for f in IN/*; do dd status=none bs=1000 if="$f" of=DIR/NAME/"${f##*/}" || exit; done',
    "backwards": 'mkdir DIR/NAME && for f in $(ls -r IN); do cp IN/"$f" DIR/NAME/ || exit; done',
}
DONE = ("touch FILE", ": > FILE", "cp /dev/null FILE", "install -m 600 /dev/null FILE", "echo done > FILE", "dd status=none if=/dev/null of=FILE")


class SetTest(RestoreTest):
    """self.portable and self.legacy hold what self.answer tells."""

    def setUp(self):
        StoreTest.setUp(self)
        ssh = self.folder / "ssh"
        ssh.write_text(SSH)
        ssh.chmod(0o700)
        with Influxd(self.folder / "source") as influxd:
            self.make_sets(influxd)
            self.answer = self.ask(influxd)
        self.store = tiny_store(self.folder / "store")
        self.mnt = self.mount(self.store)
        self.inside = self.mnt / "restore"

    def make_sets(self, influxd):
        influxd.run("CREATE DATABASE db")
        influxd.run('CREATE DATABASE "other db"')
        influxd.write(POINTS, "db")
        influxd.write(["x v=1 1"], "other db")
        self.portable = self.folder / "portable"
        backup(influxd, self.portable, "-portable")
        self.legacy = self.folder / "legacy"
        backup(influxd, self.legacy, "-database", "db")
        backup(influxd, self.legacy, "-database", "other db")

    def ask(self, influxd):
        return [influxd.query("SELECT * FROM /.*/", db) for db in ("db", "other db")]

    def check_answer(self, store=None):
        self.mnt.unmount()
        with Influxd(store or self.store) as influxd:
            self.assertEqual(self.ask(influxd), self.answer)

    def restores(self):
        return self.restore_status(self.mnt)["restores"]

    def copied(self, command, source=None, name="set"):
        return self.shell(command, IN=source or self.portable, DIR=self.inside, FOLDER=self.folder, NAME=name)

    def check_waits(self, command, source, name):
        """Exit 0, and nothing has happened yet."""
        before, restores = whole_tree(self.store), self.restores()
        code, said = self.copied(command, source, name)
        self.assertEqual(code, 0, said)
        self.assertEqual(self.restores(), restores)
        self.assertEqual(self.restore_status(self.mnt)["state"], "receiving")
        self.assertTrue(before == whole_tree(self.store), difference(before, whole_tree(self.store)))

    def check_log(self, words):
        self.assertRegex(self.log(self.mnt)[-1], words)

    def fails(self, number, words, action):
        before = whole_tree(self.store)
        with self.assertRaises(OSError) as caught:
            action()
        self.assertEqual(caught.exception.errno, number, f"{caught.exception}\n{self.log(self.mnt)[-1]}")
        self.check_log(words)
        self.check_untouched(before)

    def make_done(self, name):
        os.close(os.open(self.inside / name / ".done", os.O_WRONLY | os.O_CREAT, 0o600))

    def archives(self):
        return sorted(file.name for file in self.portable.glob("*.tar.gz"))


class ToolsTest(SetTest):
    """The exit code of each tool is the verdict."""

    def test_portable(self):
        for name, command in COPIES.items():
            with self.subTest(tool=name):
                before = self.restores()
                code, said = self.copied(command, name=name)
                self.assertEqual(code, 0, f"{said}{self.log(self.mnt)[-1]}")
                self.assertEqual(self.restores(), before + 1, said)
                self.check_log(f"Z restored {name} into ")
                self.assertEqual(litter(self.store), [])
        self.check_answer()

    def test_damaged(self):
        """And then good, as the same people do."""
        good = self.folder / "good"
        shutil.copytree(self.portable, good)
        file = self.portable / self.archives()[0]
        for name, command in COPIES.items():
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 0x10
            file.write_bytes(content)
            with self.subTest(tool=name):
                before, restores = whole_tree(self.store), self.restores()
                code, said = self.copied(command, name=name)
                self.assertNotEqual(code, 0, said)
                self.assertEqual(self.restores(), restores)
                self.check_log(f"Z refused {name}: .*{file.name}")
                self.check_untouched(before)
                shutil.copy2(good / file.name, file)
                self.shell("rm -r FOLDER/moved; [ -d DIR/NAME ] && rm -r DIR/NAME", DIR=self.inside, NAME=name, FOLDER=self.folder)
                code, said = self.copied(command, name=name)
                self.assertEqual(code, 0, said)
                self.assertEqual(self.restores(), restores + 1)

    def test_again_over_a_refused_one(self):
        """What was refused looks like nothing that a tool could take for done."""
        file = self.portable / self.archives()[0]
        content = file.read_bytes()
        times = (os.stat(file).st_atime_ns, os.stat(file).st_mtime_ns)
        for name in ("cp", "rsync", "rsync_a", "rsync_inplace", "rclone", "tar"):
            command = COPIES[name].replace("mkdir DIR/NAME", "mkdir -p DIR/NAME").replace("cp -r IN DIR/NAME", "mkdir -p DIR/NAME; cp IN/* DIR/NAME/")
            with self.subTest(tool=name):
                file.write_bytes(content[:-20] + bytes(20))
                os.utime(file, ns=times)
                code, said = self.copied(command, name=name)
                self.assertNotEqual(code, 0, said)
                sizes = {os.stat(self.inside / name / each).st_size for each in os.listdir(self.inside / name)}
                self.assertLessEqual(sizes, {0})  # rclone has removed the files that failed
                file.write_bytes(content)
                os.utime(file, ns=times)
                before = self.restores()
                code, said = self.copied(command, name=name)
                self.assertEqual(code, 0, f"{said}{self.log(self.mnt)[-1]}")
                self.assertEqual(self.restores(), before + 1)

    def test_legacy(self):
        for number, command in enumerate(DONE):
            name = f"legacy{number}"
            self.check_waits(list(COPIES.values())[number], self.legacy, name)
            before = self.restores()
            code, said = self.shell(command, FILE=self.inside / name / ".done")
            self.assertEqual(code, 0, f"{said}{self.log(self.mnt)[-1]}")
            self.assertEqual(self.restores(), before + 1)
            self.check_log(f"Z restored {name} into ")
            # Done is done.
            code, said = self.shell(command, FILE=self.inside / name / ".done")
            self.assertEqual((code, self.restores()), (0, before + 1), said)
        self.check_answer()

    def test_legacy_refused(self):
        archive = next(self.legacy.glob("db.*"))
        archive.write_bytes(archive.read_bytes()[:2000])
        for number, command in enumerate(DONE):
            name = f"legacy{number}"
            self.check_waits(COPIES["cp"], self.legacy, name)
            before = whole_tree(self.store)
            code, said = self.shell(command, FILE=self.inside / name / ".done")
            self.assertNotEqual(code, 0, said)
            self.check_log(f"Z refused {name}: .*{archive.name}")
            self.check_untouched(before)
            self.assertNotIn(".done", os.listdir(self.inside / name))

    def test_tars(self):
        for number, command in enumerate((
                "tar -cf OUT -C IN . && cp OUT DIR/", "tar -cf - IN > DIR/b.tar", "tar -czf OUT -C IN . && rsync -a OUT DIR/",
                "tar -cf - -C IN . | zstd -q > OUT && mv OUT DIR/", "tar -cf - -C IN . | xz -0 > OUT && dd status=none if=OUT of=DIR/d",
                "tar -cf - -C IN . | lz4 -q > OUT && cp OUT DIR/", "cd IN && tar -cf OUT * && scp -q -S FOLDER/ssh OUT host:DIR/e.tar")):
            for source in (self.portable, self.legacy):
                before = self.restores()
                code, said = self.copied(command.replace("OUT", f"FOLDER/{number}.tar"), source)
                self.assertEqual(code, 0, f"{said}{self.log(self.mnt)[-1]}")
                self.assertEqual(self.restores(), before + 1)
                self.assertEqual(litter(self.store), [])
        self.check_answer()

    def test_our_own(self):
        """What backup/ of a mount shows, with what it says is not in it."""
        with Influxd(self.folder / "source") as influxd:
            influxd.run('CREATE DATABASE "a.b"')
            influxd.write(["x v=1 1"], "a.b")
        with self.mounted(self.folder / "source", "mnt-source") as source:
            for kind in ("portable", "legacy"):
                run("cp", "-r", source / "backup" / kind, self.folder / f"own-{kind}")
        self.assertTrue(list((self.folder / "own-legacy").glob("left_out*")))
        self.assertEqual(self.copied("cp -r FOLDER/own-legacy DIR/; touch DIR/own-legacy/.done")[0], 0, self.log(self.mnt)[-1])
        self.assertEqual(self.copied("cp -r FOLDER/own-portable DIR/")[0], 0, self.log(self.mnt)[-1])
        self.check_answer()

    def test_bad_tars(self):
        run("tar", "-cf", self.folder / "good.tar", "-C", self.folder, "portable")
        content = (self.folder / "good.tar").read_bytes()
        name = self.archives()[0].encode()
        run("tar", "-cf", self.folder / "less.tar", "-C", self.portable, f"--exclude={name.decode()}", ".")
        os.symlink("/etc/passwd", self.portable / f"{name.decode()[:16]}.s99.tar.gz")
        run("tar", "-cf", self.folder / "link.tar", "-C", self.folder, "portable")
        for bad, words in ((content[:5000], "ends early"),
                           (content.replace(b"portable/" + name, b"portable/" + name.replace(b"Z", b"/")), "damaged"),
                           ((self.folder / "less.tar").read_bytes(), f"missing: {name.decode()}"),
                           ((self.folder / "link.tar").read_bytes(), "bad.tar")):
            with self.subTest(words=words):
                self.check_refused(self.mnt, bad, errno.EBADMSG, errno.EIO, errno.EINVAL, words=words)
                wait_until(lambda: not list(self.store.glob("influxfs/sets/*")), HANG, "no litter")


class ArrivalTest(SetTest):
    """Files come and go before there is a verdict."""

    def test_missing(self):
        missing = self.portable / self.archives()[0]
        shutil.move(missing, self.folder / missing.name)
        self.check_waits(COPIES["cp"], self.portable, "set")
        self.fails(errno.EBADMSG, f"Z refused set: {missing.name} is missing", lambda: self.make_done("set"))
        os.unlink(next((self.inside / "set").glob("*.meta")))
        run("cp", self.folder / missing.name, self.inside / "set")
        self.fails(errno.EBADMSG, "Z refused set: .*Z.meta is missing", lambda: self.make_done("set"))
        run("cp", next(self.portable.glob("*.meta")), self.inside / "set")
        self.check_log("Z restored set into ")
        self.check_answer()

    def test_files_of_no_set(self):
        self.check_waits("mkdir DIR/NAME; cp IN/*.meta DIR/NAME/", self.portable, "set")
        for name in ("20200101T000000Z.manifest", "meta.00"):
            self.assertNotEqual(self.shell("cp IN/*.meta DIR/", IN=self.portable, DIR=self.inside)[0], 0)
            self.fails(errno.EINVAL, f"{name}.*set of several files: copy the folder .*cp -r FOLDER {self.mnt.point}/restore/",
                       lambda name=name: open(self.inside / name, "wb").close())
        for action in (lambda: os.symlink("x", self.inside / "set/meta.01"), lambda: os.link(__file__, self.inside / "set/meta.01")):
            with self.assertRaises(OSError):
                action()
        os.mkdir(self.inside / "empty")
        self.fails(errno.EINVAL, "refused empty/.done: .*none has arrived", lambda: self.make_done("empty"))
        self.fails(errno.EINVAL, "refused .done", lambda: self.make_done("."))
        self.assertEqual(drop(self.inside / "set/20200101T000000Z.manifest", b"{}"), errno.EBADMSG)
        self.check_log("refused set: 20200101T000000Z.manifest")

    def test_seen_while_it_waits(self):
        self.check_waits(COPIES["cp"], self.legacy, "set")
        run("diff", "-r", self.legacy, self.inside / "set")
        os.utime(self.inside / "set/meta.00", ns=(1, 10**18))
        os.rename(self.inside / "set/meta.00", self.inside / "set/meta.07")
        self.assertEqual(os.stat(self.inside / "set/meta.07").st_mtime_ns, 10**18)
        run("cmp", self.legacy / "meta.00", self.inside / "set/meta.07")
        with self.assertRaises(OSError) as caught:
            os.rename(self.inside / "set/meta.07", self.inside / "meta.07")
        self.assertEqual(caught.exception.errno, errno.EXDEV)
        self.assertEqual(len(list(self.store.glob("influxfs/sets/*"))), 1)
        shutil.rmtree(self.inside / "set")
        self.assertEqual(list(self.store.glob("influxfs/sets*")), [])

    def test_several_runs(self):
        """Each folder is restored as the union of what has come."""
        with Influxd(self.folder / "source") as influxd:
            for lines in (MORE, LAST):
                influxd.write(lines, "db")
                time.sleep(1.1)  # runs are named by the second
                backup(influxd, self.portable, "-portable", "-since", "2020-01-01T00:00:00Z")
            self.answer = self.ask(influxd)
        self.assertEqual(len(list(self.portable.glob("*.manifest"))), 3)
        for name in ("rsync", "backwards", "rclone"):
            code, said = self.copied(COPIES[name], name=name)
            self.assertEqual(code, 0, f"{said}{self.log(self.mnt)[-1]}")
            self.check_log("Z restored ")
        self.assertGreater(self.restores(), 3)
        self.check_answer()

    def test_kept(self):
        """What was there before the first run stays kept when more of the folder comes."""
        before = whole_tree(self.store / "data")
        self.assertEqual(self.copied(COPIES["cp"])[0], 0)
        with Influxd(self.folder / "source") as influxd:
            influxd.write(MORE, "db")
            time.sleep(1.1)
            backup(influxd, self.portable, "-portable", "-since", "2020-01-01T00:00:00Z")
            self.answer = self.ask(influxd)
        code, said = self.copied("cp -n IN/* DIR/NAME/")
        self.assertEqual(code, 0, said)
        self.assertEqual(self.restores(), 2)
        self.assertEqual(before, whole_tree(self.store / "data.before-restore"))
        self.assertEqual(litter(self.store), [])
        self.check_answer()

    def test_two_at_once(self):
        commands = [f"cp -r {self.portable} {self.inside}/{name}" for name in "abc"]
        running = [subprocess.Popen(command.split(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for command in commands]
        for process in running:
            said = process.communicate(timeout=HANG)[0]
            self.assertEqual(process.returncode, 0, said)
        self.assertEqual(self.restores(), 3)
        self.check_answer()

    def test_while_a_snapshot_comes(self):
        tar = self.snapshot(tiny_store(self.folder / "tiny")).read_bytes()
        fd = os.open(self.inside / "now.tar", os.O_WRONLY | os.O_CREAT)
        os.write(fd, tar[:len(tar) // 2])
        wait_until(lambda: "unpacking" in "".join(self.log(self.mnt)), HANG, "the snapshot to be unpacked")
        code, said = self.copied(COPIES["cp"])
        self.assertNotEqual(code, 0, said)
        self.assertIn("temporarily unavailable", said)
        self.assertIn("another restore is under way", "".join(self.log(self.mnt)))
        os.write(fd, tar[len(tar) // 2:])
        os.close(fd)
        self.assertEqual(self.restores(), 1)
        self.make_done("set")
        self.check_answer()

    def test_running_influxd(self):
        with Influxd(self.folder / "running") as influxd, self.mounted(influxd.root, "busy") as mnt:
            for name in ("cp", "rsync", "rclone", "tar"):
                code, said = self.shell(COPIES[name], IN=self.portable, DIR=mnt / "restore", NAME="set")
                self.assertNotEqual(code, 0, said)
                self.assertRegex(self.log(mnt)[-1], "refused.*influxd")


class BrokenOffTest(SetTest):
    """Killed writers, a killed influxfs, a full disk."""

    def test_killed_writer(self):
        """A file whose writer was killed has not arrived."""
        last = self.archives()[-1]
        os.mkdir(self.inside / "set")
        for file in self.portable.iterdir():
            if file.name != last:
                run("cp", file, self.inside / "set")
        before = whole_tree(self.store)
        writer = subprocess.Popen([sys.executable, "-c", "import os, sys, time; fd = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT); "
                                   "os.write(fd, open(sys.argv[1], 'rb').read()); print(flush=True); time.sleep(1000)",
                                   self.portable / last, self.inside / "set" / last], stdout=subprocess.PIPE)
        writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        writer.wait(HANG)
        self.check_untouched(before)
        self.fails(errno.EBADMSG, f"refused set: {last} did not arrive whole", lambda: self.make_done("set"))
        run("cp", self.portable / last, self.inside / "set")
        self.check_log("Z restored set into ")
        self.check_answer()

    def test_interrupted(self):
        """Who waits for the verdict is released, and the set can be asked for again."""
        tar = self.snapshot(tiny_store(self.folder / "tiny")).read_bytes()
        fd = os.open(self.inside / "now.tar", os.O_WRONLY | os.O_CREAT)
        os.write(fd, tar[:len(tar) // 2])
        wait_until(lambda: "unpacking" in "".join(self.log(self.mnt)), HANG, "the snapshot to be unpacked")
        before = whole_tree(self.store / "data")
        writer = subprocess.Popen(["cp", "-r", self.portable, self.inside / "set"])
        wait_until(lambda: re.search("set: .* backup of 1 run", "\n".join(self.log(self.mnt))), HANG, "the set to be judged")
        writer.send_signal(signal.SIGINT)
        self.assertEqual(writer.wait(HANG), -signal.SIGINT)
        wait_until(lambda: "Z refused set: " in "\n".join(self.log(self.mnt)), HANG, "the judging to end")
        self.assertEqual(before, whole_tree(self.store / "data"))
        os.write(fd, tar[len(tar) // 2:])
        os.close(fd)
        self.make_done("set")
        self.check_log("Z restored set into ")
        self.check_answer()

    def test_unmounted(self):
        """What has no verdict is gone with the mount, and so is what has one."""
        self.check_waits(COPIES["cp"], self.legacy, "legacy")
        self.assertEqual(self.copied(COPIES["cp"], name="portable")[0], 0)
        self.assertEqual(len(list(self.store.glob("influxfs/sets/*"))), 2)
        self.mnt.unmount()
        self.assertEqual(list(self.store.glob("influxfs/sets*")), [])

    def test_data_is_a_mount_point(self):
        """The files wait inside it then, where no capture sees them."""
        root = self.folder / "disks"
        for folder in ("meta", "data", "wal"):
            shutil.copytree(self.store / folder, root / folder)
        run("mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", root / "data")
        self.addCleanup(run, "umount", root / "data")
        run("cp", "-a", f"{self.store}/data/.", root / "data")
        self.mnt.unmount()
        self.mnt = self.mount(root, "mnt-disks")
        self.inside = self.mnt / "restore"
        run("cp", "-r", self.legacy, self.inside / "set")
        self.assertEqual(len(list((root / "data/.influxfs/sets/data").iterdir())), 1)
        run("cp", self.mnt / "snapshots/now.tar", self.folder / "now.tar")
        self.assertNotIn(".influxfs", run("tar", "-tf", self.folder / "now.tar"))
        self.make_done("set")
        shutil.rmtree(self.inside / "set")
        self.assertEqual(os.listdir(root / "data/.influxfs"), ["before-restore"])
        self.check_answer(root)

    def test_killed_influxfs(self):
        before = whole_tree(self.store)
        self.check_waits(COPIES["cp"], self.legacy, "set")
        self.assertEqual(len(list(self.store.glob("influxfs/sets/*.new/meta.00"))), 1)
        os.kill(self.mnt.pid(), signal.SIGKILL)
        self.mnt.unmount()
        with self.mounted(self.store, "again") as mnt:
            self.assertIn("removed files of a set that was not received to its end", self.log(mnt)[-1])
            self.assertEqual(list(self.store.glob("influxfs/sets*")), [])
            self.assertEqual(os.listdir(mnt / "restore"), ["log", "status.json"])
        self.assertEqual(before, whole_tree(self.store))


class FullDiskTest(DiskTest):
    """The writer is told at once; with room again it works."""

    def test_full(self):
        folder = self.folder / "big"
        folder.mkdir()
        for name in ("meta.00", "db.rp.00001.00"):
            (folder / name).write_bytes(os.urandom(400000))
        disk = self.disk("size=600k")
        before = whole_tree(disk / "store")
        mnt = self.mount(disk / "store", options=f"state={self.folder}/state")
        for tool in ("cp -r", "rsync -r", "rclone --config /dev/null --retries 1 --low-level-retries 1 copy"):
            name = tool.split()[0]
            code, said = self.shell(f"{tool} IN/ DIR/NAME", IN=folder, DIR=mnt / "restore", NAME=name)
            self.assertNotEqual(code, 0, said)
            self.assertIn("no space left", said.lower())
            self.assertRegex("\n".join(self.log(mnt)), f"refused {name}: .*No space left")
            shutil.rmtree(mnt / "restore" / name)
            self.check_untouched(before, store=disk / "store")
