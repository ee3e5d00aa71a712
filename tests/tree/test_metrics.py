"""metrics.prom, and the same by influxsnap: what it says is so, Prometheus takes it, and it is read by
those who watch, whatever becomes of the daemon."""

import errno
import json
import os
import re
import socket
import stat
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP, snap, snap_code
from lib.dumps import quoted
from lib.files import CHECKOUT, FIXTURES, HANG, files_in, run, sizes_in, wait_until
from lib.metrics import Metrics, promtool_check
from lib.mount import INFLUXFS
from lib.restores import drop
from lib.serving import Server
from lib.stores import HandmadeStore, some_store, tombstone, tsm, tsm_of, wal_entry

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
TSM = "000000001-000000001.tsm"
PRELOAD = Path(INFLUXFS).parent / "tests/preload_slow.so"


def status(source):
    return json.loads((source / "status.json").read_text())


class MetricsTest(StoreTest):

    def metrics_of(self, text):
        self.assertEqual(promtool_check(text), "")
        return Metrics(text)

    def metrics(self, source, *words):
        """Of a mount, or of a store by influxsnap."""
        if hasattr(source, "point"):
            return self.metrics_of((source / "metrics.prom").read_text())
        return self.metrics_of(snap(source, "status", "--prometheus", *words))


class MountTest(MetricsTest):

    def test_of_a_live_store(self):
        root = self.folder / "store"
        flushing = self.influxd(root, cache_snapshot_memory_size=1, cache_snapshot_write_cold_duration="1s")
        for name, policy in (("one", "autogen"), ("two", "short")):
            flushing.query(f'CREATE DATABASE {name} WITH NAME "{policy}"')
            flushing.write(["m v=1 1", f"m v=2 {10**18}"], name)
        wait_until(lambda: len(list(root.glob("data/*/*/*/*.tsm"))) == 4, 60, "a flush")
        flushing.stop()
        server = self.influxd(root)  # which leaves in the WAL what comes now, so that no file changes
        server.write(["m v=3 3"], "one")
        mnt = self.mount(root)
        found = self.metrics(mnt)
        self.assertEqual(found.of("influxd_seen"), 1)
        self.assertEqual(found.of("build_info", version=status(mnt)["version"]), 1)
        for name, policy in (("one", "autogen"), ("two", "short")):
            self.assertEqual(found.of("store_shards", database=name, policy=policy), 2)
            data = [os.path.getsize(path) for path in files_in(root / "data" / name) if path.endswith(".tsm")]
            wal = sizes_in(root / "wal" / name)
            self.assertEqual(found.of("store_bytes", database=name, policy=policy, kind="data"), sum(data))
            self.assertEqual(found.of("store_bytes", database=name, policy=policy, kind="wal"), sum(wal))
            self.assertEqual(found.of("store_files", database=name, policy=policy), len(data) + len(wal))
        self.assertEqual(found.of("store_metastore_bytes"), (root / "meta/meta.db").stat().st_size)
        said = status(mnt)
        self.assertEqual(found.of("store_bytes", database="one", policy="autogen", kind="wal"),
                         said["contents"]["policies"][0]["wal_bytes"])
        self.assertIn("influxd", said["in_use"])
        server.stop()
        wait_until(lambda: self.metrics(mnt).of("influxd_seen") == 0, 30, "influxd not to be seen", step=0.5)

    def test_what_is_read(self):
        store = some_store(self.folder / "store")
        mnt = self.mount(store, options="every=1d,keep=1")
        wait_until(lambda: (mnt / "snapshots/base.tar").exists(), 30, "the first cut")
        before = self.metrics(mnt)
        sizes = {}
        for branch, path in (("now", mnt / "snapshots/now.tar"), ("cuts", mnt / "snapshots/base.tar"),
                             ("at", mnt / "at/latest/meta/meta.db"), ("live", mnt / "live/meta/meta.db")):
            sizes[branch] = path.stat().st_size
            run("cat", path)
        after = self.metrics(mnt)
        for branch, size in sizes.items():
            self.assertEqual(before.of("read_bytes_total", branch=branch), 0, branch)
            self.assertEqual(after.of("read_bytes_total", branch=branch), size, branch)
        self.assertEqual(after.of("timer_cuts_total"), 1)
        self.assertEqual(after.of("last_capture_bytes"), sizes["now"])
        self.assertGreater(after.of("captures_total"), before.of("captures_total"))
        self.assertGreater(after.of("capture_seconds_total"), before.of("capture_seconds_total"))
        self.assertEqual(after.of("backups_total", result="done"), 1)
        self.assertEqual(after.of("last_backup_bytes"), sizes["now"])
        cut = status(mnt)["cuts"]["latest"]
        self.assertEqual((after.of("cuts"), after.of("last_cut_files")), (1, cut["files"]))
        self.assertEqual(after.of("cuts_kept_as", how="linked"), 1)

    def test_a_crawler_is_seen(self):
        """Who looks at each file makes all dumps, three times, and reads none."""
        store = self.folder / "store"
        store.mkdir()
        run("tar", "xzf", FIXTURES / "1.6.7-inmem/store.tar.gz", "-C", store)
        mnt = self.mount(store)
        self.assertEqual(self.metrics(mnt).of("dump_sizing_bytes_total"), 0)
        run("find", mnt / "dump", "-nouser")
        found = self.metrics(mnt)
        size = sum(path.stat().st_size for path in (mnt / "dump").rglob("*.*") if path.is_file())
        self.assertGreater(size, 100000)
        self.assertEqual(found.of("dump_sizing_bytes_total"), size)
        self.assertEqual(found.of("read_bytes_total", branch="dump"), 0)
        self.assertEqual(status(mnt)["counters"]["dump_sizing_bytes"], size)

    def test_errors(self):
        store = some_store(self.folder / "store", 1)
        mnt = self.mount(store)
        self.assertEqual(drop(mnt / "restore/bad.tar", b"x" * 1024), errno.EINVAL)
        found = wait_until(lambda: (m := self.metrics(mnt)).of("restores_total", result="failed") and m, 30,
                           "the refusal to be remembered")
        self.assertEqual(found.of("errors_total", kind="refused"), 1)
        self.assertEqual(found.of("last_restore_success"), 0)
        last = status(mnt)["history"]["restores"]["last"][0]
        self.assertEqual((last["what"], last["result"]), ("bad.tar", "failed"))
        self.assertIn("not a snapshot", last["text"])
        run("cat", mnt / "snapshots/now.tar")
        (store / "meta/meta.db").unlink()
        for _ in range(3):
            with self.assertRaises(OSError):
                os.stat(mnt / "snapshots/now/x.tar")
        self.assertEqual(self.metrics(mnt).of("errors_total", kind="io"), 3)

    def test_influxd_in_the_way(self):
        """Refused when it is opened: that is remembered too."""
        server = self.influxd(self.folder / "store")
        mnt = self.mount(server.root)
        self.assertEqual(drop(mnt / "restore/new.tar", b"x"), errno.EBUSY)
        last = wait_until(lambda: status(mnt)["history"]["restores"]["last"], 30, "the refusal to be remembered")[0]
        self.assertEqual((last["what"], last["result"]), ("new.tar", "failed"))
        self.assertRegex(last["text"], "influxd .*: stop it first")
        for said in (status(mnt)["in_use"], json.loads(snap(server.root, "status", "--json"))["in_use"]):
            self.assertRegex(said, r"^influxd \(pid \d+\) ")  # as it should be: nobody is to stop it
            self.assertNotIn("stop", said)

    def test_nobody(self):
        """The mount is root's; a file that the timer writes is everybody's."""
        store = some_store(self.folder / "store", 1)
        self.open_to_all()
        mnt = self.mount(store)
        self.assertEqual(stat.S_IMODE((mnt / "metrics.prom").stat().st_mode), 0o444)
        done = subprocess.run([*NOBODY, "cat", mnt / "metrics.prom"], capture_output=True, text=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("Permission denied", done.stderr)
        file = self.folder / "influxfs.prom"
        snap(store, "status", "--prometheus", f"--output={file}")
        self.assertEqual(run(*NOBODY, "cat", file), file.read_text())
        mnt.unmount()
        others = self.mount(store, "others", options="allow_other")
        self.metrics_of(run(*NOBODY, "cat", others / "metrics.prom"))

    def test_daemon_killed(self):
        """No values from the mount, and from the timer's file those of the last cut."""
        store = some_store(self.folder / "store", 1)
        snap(store, "cut")
        mnt = self.mount(store)
        before = self.metrics(mnt).of("last_cut_timestamp_seconds")
        self.assertTrue(before)
        mnt.kill()
        with self.assertRaises(OSError) as caught:
            (mnt / "metrics.prom").read_text()
        self.assertEqual(caught.exception.errno, errno.ENOTCONN)
        found = self.metrics(store)
        self.assertEqual(found.of("last_cut_timestamp_seconds"), before)
        self.assertIsNone(found.of("mount_timestamp_seconds"))

    def test_hostile_names(self):
        server = self.influxd(self.folder / "store")
        names = ['a"b', "%FF", "two  spaces", "ü ☃", "} 1", "{x=\"y\"}", "a|b;c"]
        for name in names:
            server.query(f'CREATE DATABASE {quoted(name)} WITH NAME "p"')
            server.write(["m v=1 1"], name)
        strange = {b"\xff": "%FF", b"caf\xe9": "caf%E9", b"back\\slash": "back\\slash", b"two\nlines": "two\nlines"}
        for name in strange:  # not by influxd: folders may have any name
            os.makedirs(os.path.join(bytes(server.root / "data"), name, b"p/77"))
        mnt = self.mount(server.root)
        for found in (self.metrics(mnt), self.metrics(server.root)):
            self.assertEqual({dict(labels)["database"] for name, labels in found if name == "influxfs_store_shards"},
                             {name.replace("%", "%25") for name in names} | set(strange.values()))

    def test_nothing_secret(self):
        server = self.influxd(self.folder / "store")
        server.query("CREATE USER someone WITH PASSWORD 'geheim' WITH ALL PRIVILEGES")
        server.query("CREATE DATABASE db")
        server.query("""CREATE SUBSCRIPTION sub ON db.autogen DESTINATIONS ALL 'http://me:hidden@127.0.0.1:9'""")
        server.write(["m v=1 1"], "db")
        meta = (server.root / "meta/meta.db").read_bytes()
        secrets = [b"someone", b"geheim", b"hidden", b"127.0.0.1:9", *re.findall(rb"\$2a\$\d\d\$[./\w]{53}", meta)]
        self.assertEqual(len(secrets), 5)
        mnt = self.mount(server.root)
        run("cat", mnt / "snapshots/now.tar")
        drop(mnt / "restore/x.tar", b"x")
        snap(server.root, "backup", self.folder / "b.tar")
        said = (mnt / "metrics.prom").read_bytes() + (mnt / "status.json").read_bytes() + mnt.log.read_bytes()
        said += snap(server.root, "status", "--prometheus").encode()
        said += snap_code(server.root, "status", "--check")[1].encode()
        for secret in secrets:
            self.assertNotIn(secret, said)
        self.assertNotIn(bytes(self.folder), (mnt / "metrics.prom").read_bytes())


class ManualTest(MetricsTest):

    def test_each_is_described(self):
        """influxfs-metrics(5) names what is printed, with type and labels, and nothing else."""
        page = (CHECKOUT / "man/influxfs-metrics.5").read_text()
        items = re.findall(r"^\.It Va (\w+)(?: Ns Li \{([\w,]+)\})? Pq (\w+)$", page, re.M)
        described = {(name, kind, tuple(sorted(filter(None, labels.split(","))))) for name, labels, kind in items}
        store = some_store(self.folder / "store", 1)
        tar = self.folder / "b.tar"
        snap(store, "cut")
        snap(store, "backup", tar)
        snap(store, "verify", tar)
        with self.mounted(store) as mnt:
            run("cp", tar, mnt / "restore/")
            run("cat", mnt / "snapshots/now.tar")
            wait_until(lambda: self.metrics(mnt).of("last_restore_success"), 30, "the restore to be remembered")
            printed = self.metrics(mnt).described()
        self.assertEqual(printed | self.metrics(store).described(), described)


class ByInfluxsnapTest(MetricsTest):

    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store", 1)
        self.file = self.folder / "influxfs.prom"

    def test_into_a_file(self):
        """Readable by all whatever the umask, in one step, and without following what lies there."""
        snap(self.store, "cut")
        victim = self.folder / "victim"
        victim.write_text("mine")
        self.file.symlink_to(victim)
        words = [INFLUXSNAP, "-c", self.store, "status", "--prometheus", f"--output={self.file}"]
        run(*words, umask=0o077)
        self.assertEqual(victim.read_text(), "mine")
        self.assertEqual(stat.S_IMODE(self.file.lstat().st_mode), 0o644)
        before = self.metrics_of(self.file.read_text())
        inode = self.file.stat().st_ino
        with self.file.open() as reader:
            run(*words)
            self.assertNotEqual(self.file.stat().st_ino, inode)
            self.assertEqual(Metrics(reader.read()), before)  # whoever reads the old one reads all of it
        after = self.metrics_of(self.file.read_text())
        self.assertGreater(after.of("report_timestamp_seconds"), before.of("report_timestamp_seconds"))
        self.assertEqual(after.of("last_cut_timestamp_seconds"), before.of("last_cut_timestamp_seconds"))
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["influxfs.prom", "store", "victim"])
        run(INFLUXSNAP, "-c", self.store, "status", "--prometheus", "--output=here.prom", cwd=self.folder)
        self.assertEqual(self.metrics_of((self.folder / "here.prom").read_text()).keys(), after.keys())

    def test_not_into_a_file(self):
        for path, reason in (("/none/x.prom", "No such file"), (self.folder, "directory")):
            code, said = snap_code(self.store, "status", "--prometheus", f"--output={path}")
            self.assertEqual(code, 1, said)
            self.assertRegex(said, f"{path}.*{reason}")
        self.assertEqual([path.name for path in self.folder.iterdir()], ["store"])
        for words in (("--prometheus", "--json"), ("--output=x",)):
            self.assertEqual(snap_code(self.store, "status", *words)[0], 2)

    def test_what_is_no_file_stays(self):
        """A device or a fifo is there for all, also under another name."""
        null, fifo, link = (self.folder / name for name in ("null", "fifo", "link"))
        os.mknod(null, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mkfifo(fifo)
        link.symlink_to(null)
        for path in (null, fifo, link):
            for how in ("--prometheus", "--html"):
                was = path.lstat().st_ino
                code, said = snap_code(self.store, "status", how, f"--output={path}")
                self.assertEqual(code, 1, said)
                self.assertIn(f"{path}: not a file", said)
                self.assertEqual(path.lstat().st_ino, was)
            self.assertEqual(snap_code(self.store, "dump", f"--output={path}", "first")[0], 1)
            self.assertEqual(path.lstat().st_ino, was)
        self.assertEqual(len(list(self.folder.iterdir())), 4)

    def test_damage_is_a_metric(self):
        """The timer goes on, and says so."""
        snap(self.store, "cut")
        manifest = self.store / "influxfs/cuts/base"
        manifest.write_bytes(manifest.read_bytes()[:-5])
        self.assertEqual(self.metrics(self.store).of("cuts_damaged"), 1)

    def test_copied(self):
        """Cuts that cannot link say so, and what it costs."""
        state = self.folder / "state"
        state.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", state)
        self.addCleanup(run, "umount", state)
        size = sum(sizes_in(self.store / "data"))
        found = self.metrics(self.store, f"--state={state}")
        self.assertEqual((found.of("cuts_kept_as", how="copied"), found.of("cuts_kept_as", how="linked")), (1, 0))
        self.assertEqual(found.of("cuts_copy_bytes"), size)
        self.assertEqual(found.of("state_size_bytes"), 64 << 20)

    def test_what_was_lost_and_left_out(self):
        snap(self.store, "cut")
        run("rm", "-r", self.store / "data/first/autogen/1", self.store / "wal/first/autogen/1")
        orphan = self.store / "data/first/autogen/99"
        orphan.mkdir()
        (orphan / TSM).write_bytes(tsm_of(5000))
        code, said = snap_code(self.store, "cut")
        self.assertEqual(code, 6, said)
        found = self.metrics(self.store)
        self.assertEqual(found.of("last_cut_lost_shards"), 1)
        self.assertGreater(found.of("last_cut_lost_bytes"), 1 << 17)
        self.assertEqual(found.of("last_cut_left_out"), 1)
        self.assertGreater(found.of("retained_only_here_bytes"), 1 << 17)


class ContentsTest(StoreTest):
    """What counts as the store's, by the folders."""

    def contents(self, store, *words):
        return json.loads(snap(store, "status", "--json", *words))["contents"]

    def test_only_what_influxd_follows(self):
        store = HandmadeStore(self.folder / "store")
        number = store.shard("db", "rp", tsm={TSM: tsm(b"1234")}, wal={"_00001.wal": wal_entry(1)}, index=True)
        store.shard("db", "rp", tsm={})
        moved = store.shard("db", "rp", tsm={TSM: tsm(b"123")})
        store.write_meta()
        data, wal = store.root / "data", store.root / "wal"
        shard = data / f"db/rp/{number}"
        (shard / "000000001-000000001.tombstone").write_bytes(tombstone("x"))
        for name in ("000000002-000000001.tsm.tmp", "000000003-000000001.tsm.bad", "fields.idx", "index/L0-1.tsl"):
            (shard / name).write_bytes(b"x" * 100)
        (shard / "000000004-000000001.tsm").symlink_to("/etc/passwd")
        elsewhere = self.folder / "cold"
        (data / f"db/rp/{moved}").rename(elsewhere)
        (data / f"db/rp/{moved}").symlink_to(elsewhere)
        for strange in (".influxfs/rp/7", "db/_series/7", "db/rp/notes", "lost+found"):
            (data / strange).mkdir(parents=True)
            (data / strange / TSM).write_bytes(b"x" * 1000)
        (data / "linked").symlink_to(data / "db")
        (data / "a file").write_bytes(b"x")
        (wal / "only/rp/9").mkdir(parents=True)
        (wal / "only/rp/9/_00001.wal").write_bytes(b"123")
        found = self.contents(store.root)
        self.assertTrue(found["known"])
        self.assertEqual(found["meta_bytes"], (store.root / "meta/meta.db").stat().st_size)
        self.assertEqual(found["policies"], [
            {"database": "db", "policy": "rp", "shards": 3, "files": 4,
             "data_bytes": len(tsm(b"1234")) + len(tombstone("x")) + len(tsm(b"123")), "wal_bytes": len(wal_entry(1))},
            {"database": "only", "policy": "rp", "shards": 0, "files": 1, "data_bytes": 0, "wal_bytes": 3}])

    def test_no_store_yet(self):
        empty = self.folder / "empty"
        empty.mkdir()
        found = self.contents(empty)
        self.assertEqual((found["known"], found["policies"], found["meta_bytes"]), (True, [], 0))
        code, said = snap_code(empty, "status")
        self.assertEqual(code, 1, said)
        self.assertIn(f"there is no store: {empty}/data", said)

    def test_a_part_is_missing(self):
        """As where a disk is not mounted: nothing of it is taken for an empty store."""
        store = HandmadeStore(self.folder / "store")
        store.shard("db", tsm={TSM: tsm(b"1234")}, wal={"_00001.wal": wal_entry(1)})
        store.write_meta()
        self.assertTrue(self.contents(store.root)["known"])
        meta, away = store.root / "meta/meta.db", self.folder / "away"

        def is_unknown(reason):
            code, said = snap_code(store.root, "status")
            self.assertEqual(code, 1, said)
            self.assertRegex(said, f"what the store holds is unknown: {reason}")
            self.assertIn("influxfs_store_known 0\n", snap(store.root, "status", "--prometheus"))
            self.assertRegex(snap_code(store.root, "status", "--check")[1], f"what the store holds is unknown: {reason}")
            self.assertNotIn("All is well", snap(store.root, "status", "--html"))

        for path, reason in ((meta, f"{store.root}/meta: there is no meta.db in it; see whether"),
                             (store.root / "wal", f"{store.root}/wal: No such file"),
                             (store.root / "data/db", f"{store.root}/data: none of the shards")):
            path.rename(away)
            wal = None
            if path.name == "db":
                wal = self.folder / "wal"
                (store.root / "wal/db").rename(wal)
            is_unknown(reason)
            away.rename(path)
            if wal:
                wal.rename(store.root / "wal/db")
        good = meta.read_bytes()
        meta.write_bytes(good[:-3])
        is_unknown(f"{meta}: ")
        meta.write_bytes(good)
        self.assertTrue(self.contents(store.root)["known"])

    def test_not_readable(self):
        """A number that is not known is none."""
        store = HandmadeStore(self.folder / "store")
        store.shard("db", "rp", tsm={TSM: tsm(b"1234")})
        store.write_meta()
        (store.root / "data/lost+found").mkdir(mode=0o700)
        self.open_to_all()
        program = self.folder / "influxsnap"
        program.write_bytes(Path(INFLUXSNAP).read_bytes())
        program.chmod(0o755)

        def ask():
            done = subprocess.run([*NOBODY, program, "-c", store.root, "status", "--json"], capture_output=True,
                                  text=True, check=False)
            return json.loads(done.stdout)["contents"]
        self.assertEqual(ask()["policies"][0]["shards"], 1)  # lost+found is no database
        (store.root / "data/db/rp").chmod(0o700)
        found = ask()
        self.assertEqual((found["known"], found["meta_bytes"]), (False, None))
        self.assertIn("data/db/rp: Permission denied", found["error"])


class HistoryTest(StoreTest):

    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store", 1)
        self.tar = self.folder / "b.tar"

    def history(self):
        return json.loads(snap(self.store, "status", "--json"))["history"]

    def last(self, kind):
        found = self.history()[kind]["last"]
        return (found[0]["what"], found[0]["result"], found[0]["text"]) if found else None

    def test_one_program_sees_what_another_did(self):
        mnt = self.mount(self.store)
        snap(self.store, "backup", self.tar)
        snap(self.store, "verify", self.tar)
        found = status(mnt)["history"]
        self.assertEqual([found[kind]["done"] for kind in ("backups", "verifications", "restores")], [1, 1, 0])
        entry = found["backups"]["last"][0]
        self.assertEqual((entry["what"], entry["bytes"]), (str(self.tar), self.tar.stat().st_size))
        self.assertEqual(entry["id"], json.loads(run("tar", "xOf", self.tar, "manifest"))["id"])
        self.assertEqual(found["verifications"]["last"][0]["what"], str(self.tar))
        for _ in range(5):
            run("cat", mnt / "snapshots/now.tar")
        run("head", "-c", "100000", mnt / "snapshots/now.tar")
        wait_until(lambda: self.history()["backups"]["done"] == 6, 30, "the reads to be remembered")
        found = self.history()["backups"]["last"]
        self.assertEqual([entry["what"] for entry in found], ["snapshots/now.tar", str(self.tar)])
        mnt.unmount()
        snap(self.store, "restore", self.tar)
        self.assertEqual(self.last("restores"), (str(self.tar), "done", None))

    def test_a_restore_by_copy(self):
        snap(self.store, "backup", self.tar)
        with self.mounted(self.store) as mnt:
            run("cp", self.tar, mnt / "restore/")
            wait_until(lambda: self.last("restores"), 30, "the restore to be remembered")
        self.assertEqual(self.last("restores"), ("b.tar", "done", None))
        entry = self.history()["restores"]["last"][0]
        self.assertEqual(entry["id"], json.loads(run("tar", "xOf", self.tar, "manifest"))["id"])
        self.assertGreater(entry["bytes"], 1 << 20)

    def test_a_backup_over_http(self):
        """Sent whole to another machine; a question for its size is none."""
        for method, done in (("HEAD", 0), ("GET", 1)):
            with self.tar.open("wb") as answer:
                subprocess.run([INFLUXSNAP, "-q", "-c", self.store, "serve"], stdout=answer, check=True,
                               input=f"{method} /snapshot HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            self.assertEqual(self.history()["backups"]["done"], done, method)
        self.assertEqual(self.last("backups"), ("a client of influxsnap serve", "done", None))
        self.assertEqual(self.history()["backups"]["last"][0]["bytes"], self.tar.stat().st_size)

    def test_relative_paths(self):
        """Remembered in full: who reads them is in another folder."""
        for command, kind in (("backup", "backups"), ("verify", "verifications"), ("restore", "restores")):
            snap(self.store, command, self.tar.name, cwd=self.folder)
            self.assertEqual(self.last(kind), (str(self.tar), "done", None))
        subprocess.run([INFLUXSNAP, "-q", "-c", self.store, "backup", "-"], stdout=subprocess.DEVNULL, check=True)
        self.assertEqual(self.last("backups")[0], "standard output")

    def test_backups_of_others(self):
        """Who took one; and that it was promised, or refused for a fault of the server's."""
        def pull():
            try:
                with urllib.request.urlopen(server.url, timeout=HANG) as answer:
                    return len(answer.read())
            except urllib.error.HTTPError as error:
                with error:
                    return error.code

        with Server(self.store, self.folder / "log") as server:
            taken = pull()
            name = "a client of influxsnap serve, 127.0.0.1"
            wait_until(lambda: self.last("backups") == (name, "done", None), 30, "the pull to be remembered")
            self.assertGreater(taken, 1 << 20)
            meta, away = self.store / "meta/meta.db", self.folder / "meta.db"
            meta.rename(away)
            self.assertEqual(pull(), 500)
            wait_until(lambda: self.last("backups")[1] == "failed", 30, "the failure to be remembered")
            what, _, text = self.last("backups")
            self.assertEqual(what, name)
            self.assertIn("meta.db", text)
            away.rename(meta)
            self.assertIn(f"the last backup, of {name}, failed: ", snap_code(self.store, "status", "--check")[1])
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(b"GET /other HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertIn(b"404", client.recv(1000))
            self.assertEqual(pull(), taken)
            wait_until(lambda: self.last("backups")[1] == "done", 30, "the pull to be remembered")
        self.assertEqual(self.history()["backups"]["failed"], 1)

    def test_what_failed(self):
        snap(self.store, "backup", self.tar)
        content = bytearray(self.tar.read_bytes())
        content[len(content) // 2] ^= 1
        self.tar.write_bytes(content)
        self.assertEqual(snap_code(self.store, "verify", self.tar)[0], 4)
        what, result, text = self.last("verifications")
        self.assertEqual((what, result), (str(self.tar), "failed"))
        self.assertIn(".tsm", text)
        self.assertEqual(snap_code(self.store, "restore", self.tar)[0], 4)
        self.assertEqual(self.last("restores")[1], "failed")
        self.assertEqual(snap_code(self.store, "restore", "--dry-run", self.tar)[0], 4)
        self.assertEqual(self.history()["restores"]["failed"], 1)
        (self.store / "meta/meta.db").unlink()
        self.assertEqual(snap_code(self.store, "backup", self.folder / "c.tar")[0], 1)
        what, result, text = self.last("backups")
        self.assertEqual((what, result), (str(self.folder / "c.tar"), "failed"))
        self.assertIn("meta.db", text)

    def test_cuts_are_verified(self):
        """Without a path; where there are none, nothing was verified."""
        snap(self.store, "verify")
        self.assertEqual(self.last("verifications"), None)
        snap(self.store, "cut")
        snap(self.store, "verify")
        self.assertEqual(self.last("verifications"), ("cuts", "done", None))
        retained = max((self.store / "influxfs/cuts/files").rglob("*"), key=lambda path: path.stat().st_size)
        with retained.open("r+b") as file:
            file.seek(1000)
            file.write(b"damage")
        self.assertEqual(snap_code(self.store, "verify")[0], 4)
        what, result, text = self.last("verifications")
        self.assertEqual((what, result), ("cuts", "failed"))
        self.assertRegex(text, r"cut base: .*\.tsm")

    def test_an_interrupted_verification(self):
        """It is no verdict, and must not alarm anybody."""
        if not PRELOAD.exists():
            self.skipTest(f"{PRELOAD} is not built: make units")
        snap(self.store, "backup", self.tar)
        switch = self.folder / "slow"
        switch.write_text("1000")
        process = subprocess.Popen([INFLUXSNAP, "-c", self.store, "verify", self.tar], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, env=os.environ | {
                                       "LD_PRELOAD": str(PRELOAD), "SLOW_ROOT": str(self.folder), "SLOW_SWITCH": str(switch)})
        with process.stderr:
            self.assertIn(b"verifying", process.stderr.readline())
            process.terminate()
            switch.unlink()
            said = process.stderr.read()
        self.assertEqual(process.wait(HANG), 1, said)
        self.assertIn(b"interrupted", said)
        self.assertEqual(self.last("verifications"), None)

    def test_omissions(self):
        orphan = self.store / "data/first/autogen/99"
        orphan.mkdir()
        (orphan / TSM).write_bytes(tsm_of(5000))
        self.assertEqual(snap_code(self.store, "backup", self.tar)[0], 6)
        self.assertEqual(self.last("backups")[1], "omissions")
        self.assertIn("first/autogen/99", self.last("backups")[2])
        run("rm", "-r", orphan)
        damaged = self.store / f"data/first/autogen/1/{TSM}"
        damaged.write_bytes(damaged.read_bytes()[:-9] + b"x" * 9)
        self.assertEqual(snap_code(self.store, "backup", self.tar)[0], 6)
        self.assertIn(f"first/autogen/1/{TSM}", self.last("backups")[2])

    def test_a_copy_that_is_not_whole(self):
        """Read through the mount: without what is left out, or with what is damaged."""
        mnt = self.mount(self.store)
        path = self.store / f"data/first/autogen/1/{TSM}"
        good = path.read_bytes()
        orphan = self.store / "data/first/autogen/99"
        orphan.mkdir()
        (orphan / TSM).write_bytes(tsm_of(5000))
        run("cat", mnt / "snapshots/now.tar")
        wait_until(lambda: self.history()["backups"]["omissions"] == 1, 30, "the copy to be remembered")
        self.assertIn("first/autogen/99", self.last("backups")[2])
        run("rm", "-r", orphan)
        path.write_bytes(good[:-9] + b"x" * 9)
        run("cat", mnt / "snapshots/now.tar")
        wait_until(lambda: self.history()["backups"]["omissions"] == 2, 30, "the copy to be remembered")
        self.assertRegex(self.last("backups")[2], f"first/autogen/1/{TSM}")

    def test_it_is_no_reason_to_fail(self):
        snap(self.store, "backup", self.tar)
        record = self.store / "influxfs/history.json"
        record.write_text("{")
        said = snap(self.store, "verify", self.tar)
        self.assertRegex(said, "warning: .*history.json is damaged")
        self.assertEqual([self.history()[kind]["done"] for kind in ("backups", "verifications")], [0, 1])
        record.unlink()
        record.mkdir()
        with self.mounted(self.store) as mnt:
            said = snap(self.store, "backup", self.folder / "c.tar")
            self.assertRegex(said, "warning: .*history.json: .*not be remembered")
            self.assertIn("history.json", status(mnt)["history"]["error"])
            run("cat", mnt / "snapshots/now.tar")
            wait_until(lambda: "snapshots/now.tar will not be remembered" in mnt.said(), 30, "a warning")


class UnitTest(MetricsTest):
    UNIT = CHECKOUT / "mount-helper/systemd/influxfs-metrics.service"

    def test_its_command(self):
        """influxfs-metrics.service, with what /etc/default/influxfs may say."""
        store = some_store(self.folder / "store", 1)
        state = self.folder / "state"
        snap(store, "cut", f"--state={state}")
        file = self.folder / "metrics/influxfs.prom"
        file.parent.mkdir()
        words = re.search(r"^ExecStart=(.*)$", self.UNIT.read_text(), re.M)[1].split()
        values = {"${STORE}": [str(store)], "$SNAP_OPTIONS": [f"--state={state}"]}
        command = [part.replace("${METRICS}", str(file)) for word in words for part in values.get(word, [word])]
        self.assertEqual(run(INFLUXSNAP, *command[1:]), "")
        self.assertEqual(self.metrics_of(file.read_text()).of("cuts"), 1)
