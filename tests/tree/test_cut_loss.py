"""Cuts that lost much of the store, cuts made while the clock was wrong, and cuts that must copy."""

import json
import os
import time
from datetime import datetime, timezone
from pathlib import Path

from lib.archive import Archive
from lib.case import StoreTest
from lib.cuts import chain, snap, snap_code
from lib.files import files_in, run, sizes_in, wait_until
from lib.mount import INFLUXFS, Mount, MountError
from lib.stores import HandmadeStore, tsm_of

T, HOUR = 1499990400000000000, 3600000000000
OMISSIONS = 6


class LossTest(StoreTest):
    timeout = 900

    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"

    def create(self, server, *databases, hours=3):
        """Databases of shards of an hour, with a point in each of some."""
        for name in databases:
            server.query(f'CREATE DATABASE "{name}" WITH DURATION INF SHARD DURATION 1h NAME "rp"')
            server.write([f"m v={hour} {T + hour * HOUR}" for hour in range(hours)], name)

    def cut(self, *words):
        """(exit code, what it says as JSON, what it says on stderr)"""
        code, said = snap_code(self.store, "cut", "--json", *words)
        lines = said.splitlines()
        result = json.loads(next(line for line in lines if line.startswith("{")))
        return code, result, "\n".join(line for line in lines if line.startswith("influxsnap: "))

    def prune(self, *words):
        code, said = snap_code(self.store, "prune", "--json", *words)
        return code, json.loads(said.splitlines()[-1]), said

    def mounted_status(self):
        with self.mounted(self.store) as mnt:
            return json.loads((mnt / "status.json").read_text())["cuts"]


class DroppedTest(LossTest):

    def test_nine_of_ten_databases(self):
        server = self.influxd(self.store)
        names = [f"db{number}" for number in range(10)]
        self.create(server, *names)
        self.assertEqual(self.cut()[0], 0)
        for name in names[1:]:
            server.query(f'DROP DATABASE "{name}"')
        code, result, said = self.cut()
        self.assertEqual(code, 0)  # nothing is missing from the cut itself
        self.assertEqual((result["lost"]["shards"], result["lost"]["files"]), (27, 27))
        self.assertEqual(result["lost"]["bytes"] * 10, result["lost"]["of_bytes"] * 9)
        self.assertEqual(sorted(result["lost"]["names"]), [f"{name}/rp" for name in names[1:]])
        self.assertRegex(said, "27 shards.*90.0 %.*db9/rp.*--accept-loss=0")
        code, result, said = self.prune("--keep=0")
        self.assertEqual((code, result["folded"], result["guarded"]), (OMISSIONS, 0, 0))
        self.assertIn("--accept-loss=0", said)
        with self.mounted(self.store) as mnt:
            members = run("tar", "tf", mnt / "snapshots/base.tar")
            for name in names:
                self.assertEqual(members.count(f"wal/{name}/rp/"), 7)  # a folder, and of each shard two
            status = json.loads((mnt / "status.json").read_text())["cuts"]
        self.assertEqual([cut["number"] for cut in status["not_accepted"]], [0])
        self.assertEqual(status["not_accepted"][0]["lost"]["shards"], 27)
        self.assertEqual(status["guard"], 0.2)
        self.assertRegex(snap(self.store, "list"), r"\n0 .*NOT FOLDED: 27 shards")
        self.assertRegex(snap(self.store, "status"), "cut 0 is not folded: 27 shards")
        found = json.loads(snap(self.store, "status", "--json"))["cuts"]["not_accepted"]
        self.assertEqual([cut["number"] for cut in found], [0])
        code, result, _ = self.prune("--keep=0", "--accept-loss=0")
        self.assertEqual((code, result["folded"], result["accepted"]), (0, 1, 0))
        self.assertEqual(self.mounted_status()["not_accepted"], [])
        self.assertEqual([cut.number for cut in chain(self.store / "influxfs")], [0])

    def test_the_mount_does_not_fold_it(self):
        server = self.influxd(self.store)
        self.create(server, "a", "b")
        self.assertEqual(self.cut()[0], 0)
        server.query("DROP DATABASE b")
        self.assertIn("accept-loss", self.cut()[2])
        for hour in range(10, 13):
            server.write([f"m v={hour} {T + hour * HOUR}"], "a")
            self.assertEqual(self.cut()[0], 0)
        mnt = self.mount(self.store, options="keep=1")

        def status():
            return json.loads((mnt / "status.json").read_text())["cuts"]
        fold = wait_until(lambda: status()["last_fold"], 60, "the mount to try to fold")
        self.assertEqual((fold["folded"], fold["guarded"]), (0, 0))
        self.assertEqual(status()["numbers"], {"count": 4, "first": 0, "last": 3})
        snap(self.store, "prune", "--accept-loss=0")
        wait_until(lambda: status()["numbers"]["count"] == 1, 120, "it to be folded")

    def test_guards(self):
        server = self.influxd(self.store)
        self.create(server, "a", hours=10)
        self.assertEqual(self.cut()[0], 0)
        shard = sorted(os.listdir(self.store / "wal/a/rp"), key=int)
        server.query(f"DROP SHARD {shard[0]}")  # as retention does, every hour
        code, result, said = self.cut()
        self.assertEqual((code, said), (0, ""))
        self.assertEqual((result["lost"]["shards"], result["lost"]["tripped"]), (1, False))
        for number in shard[1:6]:
            server.query(f"DROP SHARD {number}")
        self.assertEqual(self.cut("--guard=60%")[0], 0)
        server.query("DROP DATABASE a")
        self.create(server, "c", hours=1)
        self.assertEqual(self.cut("--guard=off")[0], 0)
        for word in ("20", "-1%", "101%", "on", ""):
            self.assertEqual(snap_code(self.store, "cut", f"--guard={word}")[0], 2, word)
        for word, code in (("1", 1), ("99", 1), ("latest", 2)):
            self.assertEqual(snap_code(self.store, "prune", f"--accept-loss={word}")[0], code, word)
        self.assertEqual(self.prune("--keep=0")[0], 0)


class QuietTest(LossTest):
    """influxd at work: nothing is lost, however small its files become."""

    def tsm(self):
        return {name for name in files_in(self.store / "data") if name.endswith(".tsm")}

    def test_flushed_and_compacted(self):
        server = self.influxd(self.store, cache_snapshot_write_cold_duration="1s",
                              compact_full_write_cold_duration="1s")
        server.query('CREATE DATABASE "a" WITH DURATION INF SHARD DURATION 1000w NAME "rp"')
        for turn in range(4):
            for again in range(20):  # the same points: what is flushed is a twentieth of the WAL
                server.write([f"m,host=h{n} v={again} {T + turn * HOUR + n}" for n in range(200)], "a")
            self.check_nothing_lost()
            before = self.tsm()
            wait_until(lambda known=before: self.tsm() - known, 120, "the cache to be written")
            wait_until(lambda: all(size < 2000 for size in sizes_in(self.store / "wal")),
                       120, "the WAL to be emptied")
            self.check_nothing_lost()
        wait_until(lambda: len(self.tsm()) == 1, 300, "the files to be compacted", step=0.2)
        self.check_nothing_lost()

    def check_nothing_lost(self):
        code, result, said = self.cut()
        self.assertEqual((code, result["lost"]["bytes"], said), (0, 0, ""))


class ColdDiskTest(LossTest):

    def setUp(self):
        super().setUp()
        if os.geteuid():
            self.skipTest("only root can mount")

    def test_not_mounted(self):
        """The shard's folder is there, and nothing in it."""
        made = HandmadeStore(self.store)
        numbers = [made.shard(tsm={"000000001-000000001.tsm": tsm_of(20000, seed)}) for seed in range(3)]
        made.write_meta()
        cold, point = self.folder / "cold", self.store / f"data/db/autogen/{numbers[0]}"
        os.rename(point, cold)
        point.mkdir()
        run("mount", "--bind", cold, point)
        mounted = True
        try:
            self.assertEqual(self.cut()[0], 0)
            run("umount", point)
            mounted = False
            code, result, _ = self.cut()
        finally:
            if mounted:
                run("umount", point)
        self.assertEqual((code, result["lost"]["shards"], result["lost"]["bytes"]), (0, 1, 20000))
        self.assertEqual(result["lost"]["names"], ["db/autogen"])
        self.assertEqual(self.prune("--keep=0")[1]["folded"], 0)


class ClockTest(LossTest):
    """One jump of the clock, and the next cut is right again."""

    def shifted(self, seconds):
        return {"env": os.environ | {"LD_PRELOAD": str(Path(INFLUXFS).parent / "tests/preload_clock.so"),
                                     "CLOCK_SHIFT": str(seconds)}}

    def test_jumps(self):
        made = HandmadeStore(self.store)
        made.shard(tsm={"000000001-000000001.tsm": tsm_of(100)})
        made.write_meta()
        year = 365 * 86400
        begun = time.time()
        for generation, shift in enumerate((0, -56 * year, 5 * year, 0), 2):
            (self.store / f"data/db/autogen/1/{generation:09}-000000001.tsm").write_bytes(tsm_of(100 + generation))
            snap(self.store, "cut", **self.shifted(shift))
        cuts = json.loads(snap(self.store, "list", "--json"))["cuts"]
        times = [datetime.fromisoformat(cut["time"][:19] + "+00:00").timestamp() for cut in cuts]
        for found, shift in zip(times, (0, -56 * year, 5 * year, 0)):
            self.assertLess(abs(found - begun - shift), 300)
        self.assertEqual([cut["clock_set"] for cut in cuts], [False, True, False, True])
        self.assertEqual(snap(self.store, "list").count("the clock was set back"), 2)
        created = [int(cut.head["created"]) for cut in chain(self.store / "influxfs")]
        self.assertEqual(created, sorted(set(created)))
        mnt = self.mount(self.store)
        for seconds, name in ((60, "2"), (6 * year, "2"), (-30 * year, "0")):
            at = datetime.fromtimestamp(begun + seconds, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
            self.assertEqual((mnt / f"at/{at}/meta/meta.db").stat().st_ino,
                             (mnt / f"at/{name}/meta/meta.db").stat().st_ino, at)
        with self.assertRaises(FileNotFoundError):
            (mnt / "at/19600101T000000Z").stat()
        for number, kind in ((1, "at"), (2, "at"), (2, "snapshots")):
            manifest = Archive(mnt / f"{kind}/{number}.tar").manifest
            self.assertEqual("wall" in manifest, number == 2)
            when = datetime.fromisoformat(manifest.get("wall", manifest["created"])[:19] + "+00:00").timestamp()
            self.assertLess(abs(when - begun - (0 if number == 2 else 5 * year)), 300)
        (self.folder / "other").mkdir()
        with self.mounted(self.folder / "other", "second") as second:
            run("cp", mnt / "at/2.tar", second / "restore/")
            self.assertIn(f"taken {time.strftime('%Y-', time.gmtime(begun))}", (second / "restore/log").read_text())
        last = [(mnt / f"at/{number}.tar").stat().st_mtime_ns for number in range(3)]
        self.assertEqual(last, sorted(last))
        status = json.loads((mnt / "status.json").read_text())["cuts"]
        self.assertLess(abs(datetime.fromisoformat(status["latest"]["time"]).timestamp() - begun), 300)


class CopyTest(LossTest):
    """A state folder that no file of the store can be linked into."""

    def setUp(self):
        super().setUp()
        if os.geteuid():
            self.skipTest("only root can mount a small file system")
        made = HandmadeStore(self.store)
        made.shard(tsm={"000000001-000000001.tsm": os.urandom(3 << 20)})
        made.write_meta()
        self.state = self.folder / "state"
        self.state.mkdir(0o700)
        run("mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", self.state)
        self.addCleanup(run, "umount", self.state)

    def status_of(self, mnt):
        return json.loads((mnt / "status.json").read_text())["cuts"]

    def test_it_does_not_fit(self):
        """Refused when it is mounted, and by the command before anything is copied."""
        point = Mount(self.store, self.folder / "mnt", f"state={self.state},reserve=2M,every=1h", foreground=False)
        with self.assertRaises(MountError) as caught:
            point.start()
        self.assertRegex(str(caught.exception), "the first would copy 3 MiB.*reserve=")
        code, said = snap_code(self.store, f"--state={self.state}", "cut", "--reserve=2M")
        self.assertEqual(code, 1)
        self.assertIn("the first would copy 3 MiB", said)
        self.assertEqual([name for name in files_in(self.state) if "/cuts/files/" in name], [])

    def test_it_fits(self):
        mnt = self.mount(self.store, options=f"state={self.state},reserve=0,every=1h")
        status = wait_until(lambda: self.status_of(mnt)["last_cut"] and self.status_of(mnt), 60, "the first cut")
        self.assertEqual((status["kept_as"], status["copy_bytes"]), ("copied", 3 << 20))
        self.assertIn("Invalid cross-device link", status["why_copied"])
        self.assertIn("cuts copy files rather than link them, 1 of them, 3145728 bytes", mnt.said())
        shown = snap(self.store, f"--state={self.state}", "status")
        self.assertRegex(shown, "kept as  copied: 1 files, 3.0 MiB; .*Invalid cross-device link")

    def test_linked(self):
        mnt = self.mount(self.store)
        self.assertEqual(self.status_of(mnt)["kept_as"], "linked")
        self.assertEqual(json.loads(snap(self.store, "status", "--json"))["cuts"]["kept_as"], "linked")
        self.assertEqual(list(self.store.rglob("link-probe*")), [])

    def test_only_what_lies_elsewhere(self):
        """One shard on another disk does not make the others be copied."""
        made = HandmadeStore(self.folder / "two")
        first, _ = (made.shard(tsm={"000000001-000000001.tsm": tsm_of(1000, seed)}) for seed in range(2))
        made.write_meta()
        place = self.folder / f"two/data/db/autogen/{first}"
        run("cp", "-a", place / "000000001-000000001.tsm", self.state)
        run("mount", "--bind", self.state, place)
        try:
            result = json.loads(snap(self.folder / "two", "cut", "--json").splitlines()[-1])
            status = json.loads(snap(self.folder / "two", "status", "--json"))["cuts"]
        finally:
            run("umount", place)
        meta = (self.folder / "two/meta/meta.db").stat().st_size
        self.assertEqual((result["files"], result["copied"], result["copied_bytes"]), (3, 2, 1000 + meta))
        self.assertEqual((status["kept_as"], status["copy_bytes"]), ("partly copied", 1000))
