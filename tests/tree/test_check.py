"""influxsnap status --check: each state that a monitor can meet, brought about as it comes about, and
told in one line that plugins of Nagios may print."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

from lib.case import StoreTest
from lib.cuts import INFLUXSNAP, snap, snap_code
from lib.files import HANG, run, wait_until
from lib.metrics import Metrics
from lib.mount import INFLUXFS
from lib.stores import HandmadeStore, some_store, tsm_of

OK, WARNING, CRITICAL, UNKNOWN = range(4)
WORDS = ["OK", "WARNING", "CRITICAL", "UNKNOWN"]
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
DATUM = re.compile(r"([a-z_]+)=(U|\d+)(s|B|)((?:;[\d:]*){4})")
PRELOAD = Path(INFLUXFS).parent / "tests/preload_clock.so"


class CheckTest(StoreTest):

    def setUp(self):
        super().setUp()
        self.store = some_store(self.folder / "store", 1)
        self.tar = self.folder / "b.tar"

    def check(self, level, *words, store=None, prefix=(), program=INFLUXSNAP, **options):
        """The text before the bar, and the performance data: label -> (value, unit, warn, crit, min, max)."""
        command = [*prefix, program, "-c", store or self.store, "status", "--check", *words]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
        self.assertEqual(done.stderr, "")
        self.assertRegex(done.stdout, rf"\AINFLUXFS {WORDS[level]} - [^\n|]+(?: \| [^\n|]+)?\n\Z")
        self.assertEqual(done.returncode, level, done.stdout)
        text, _, data = done.stdout.rstrip("\n").partition(" | ")
        found = {}
        for word in data.split():
            parts = DATUM.fullmatch(word)
            self.assertTrue(parts, word)
            self.assertNotIn(parts[1], found)
            found[parts[1]] = (parts[2], parts[3], *parts[4][1:].split(";"))
        return text, found

    def test_well(self):
        """Mounted and not, a cut or a backup: as long as it is young."""
        snap(self.store, "cut")
        text, data = self.check(OK)
        self.assertRegex(text, r"last cut \d+ s ago.*influxd is not seen")
        self.assertEqual(data["age"][1:], ("s", "93600", "180000", "0", ""))
        self.assertEqual(data["cuts"][0], "1")
        said = json.loads(snap(self.store, "status", "--json"))
        self.assertEqual(int(data["retained"][0]), said["cuts"]["retained_bytes"])
        self.assertEqual(int(data["store"][0]), said["contents"]["meta_bytes"] + sum(
            policy["data_bytes"] + policy["wal_bytes"] for policy in said["contents"]["policies"]))
        total = os.statvfs(self.store).f_blocks * os.statvfs(self.store).f_frsize
        self.assertEqual(data["free"][2:5], (f"{int(total * .05)}:", f"{int(total * .05) // 2}:", "0"))
        self.mount(self.store)
        self.assertEqual(self.check(OK)[1].keys(), data.keys())

    def test_a_backup_counts(self):
        text, data = self.check(CRITICAL)
        self.assertIn("no cut and no backup is known", text)
        self.assertEqual(data["age"], ("U", "", "93600", "180000", "0", ""))
        snap(self.store, "backup", self.tar)
        self.assertIn("last backup", self.check(OK)[0])

    def test_a_copy_of_now_counts(self):
        with self.mounted(self.store) as mnt:
            run("cp", mnt / "snapshots/now.tar", self.tar)
        self.assertIn("last backup", self.check(OK)[0])

    def test_age(self):
        snap(self.store, "cut")
        if not PRELOAD.exists():
            self.skipTest(f"{PRELOAD} is not built: make units")
        for hours, level, words in ((25, OK, ()), (27, WARNING, ()), (51, CRITICAL, ()),
                                    (25, WARNING, ("--max-age=24h:30h",)), (31, CRITICAL, ("--max-age=24h:30h",)),
                                    (25, WARNING, ("--max-age=24h",)), (49, CRITICAL, ("--max-age=24h",)),
                                    (51, OK, ("--max-age=30d",)), (-2, WARNING, ())):
            with self.subTest(hours=hours, words=words):
                text, data = self.check(level, *words, env=os.environ | {
                    "LD_PRELOAD": str(PRELOAD), "CLOCK_SHIFT": str(hours * 3600)})
                self.assertIn("clock was set back" if hours < 0 else f"last cut {hours} h ago", text)
                self.assertAlmostEqual(int(data["age"][0]), max(hours, 0) * 3600, delta=600)

    def test_a_failed_backup(self):
        snap(self.store, "backup", self.tar)
        self.tar.write_bytes(b"x" * 3000)
        self.assertEqual(snap_code(self.store, "backup", self.tar)[0], 4)
        text, _ = self.check(WARNING)
        self.assertRegex(text, rf"- the last backup, of {self.tar}, failed: .*not a snapshot")
        snap(self.store, "backup", self.folder / "c.tar")
        self.check(OK)

    def test_a_failed_cut(self):
        """Told until one succeeds, also if nothing has changed since the last."""
        snap(self.store, "backup", self.tar)
        self.assertEqual(snap_code(self.store, "cut", "--reserve=99999T")[0], 1)
        self.assertRegex(self.check(WARNING)[0], "- the last backup, of influxsnap cut, failed: .*free")
        for _ in range(2):
            snap(self.store, "cut")
            self.check(OK)
        history = json.loads(snap(self.store, "status", "--json"))["history"]["backups"]
        self.assertEqual((history["failed"], history["done"]), (1, 3))

    def test_an_idle_store(self):
        """A cut that finds nothing changed is as good as a new one, by the command and by the timer."""
        def looks():
            return json.loads(snap(self.store, "status", "--json"))["history"]["backups"]["last"]
        snap(self.store, "cut")
        self.assertEqual(looks(), [])
        began = time.time_ns()
        for _ in range(2):
            snap(self.store, "cut")
        self.assertEqual([(look["what"], look["text"]) for look in looks()], [("influxsnap cut", "nothing has changed")])
        self.assertGreater(looks()[0]["ended_ns"], began)
        with self.mounted(self.store, options="every=1"):
            wait_until(lambda: looks()[0]["what"] == "option every=", HANG, "the timer's look to be remembered")
        self.assertIn("last backup", self.check(OK)[0])

    def test_omissions(self):
        orphan = self.store / "data/first/autogen/99"
        orphan.mkdir()
        (orphan / "000000001-000000001.tsm").write_bytes(tsm_of(5000))
        self.assertEqual(snap_code(self.store, "backup", self.tar)[0], 6)
        self.assertRegex(self.check(WARNING)[0], "left something out: .*first/autogen/99")
        self.assertEqual(snap_code(self.store, "cut")[0], 6)
        self.assertIn("the newest cut is without 1 item of the store", self.check(WARNING)[0])
        run("mv", orphan / "000000001-000000001.tsm", self.store / "data/first/autogen/1/000000009-000000001.tsm")
        orphan.rmdir()
        snap(self.store, "backup", self.folder / "c.tar")
        snap(self.store, "cut")
        self.check(OK)

    def test_verification(self):
        snap(self.store, "backup", self.tar)
        snap(self.store, "verify", self.tar)
        self.check(OK)
        good = self.tar.read_bytes()
        self.tar.write_bytes(good[:len(good) // 2])
        self.assertEqual(snap_code(self.store, "verify", self.tar)[0], 4)
        self.assertRegex(self.check(CRITICAL)[0], rf"- the last verification of {self.tar} failed: ")
        self.tar.write_bytes(good)
        snap(self.store, "verify", self.tar)
        self.check(OK)

    def test_what_is_bad_is_not_forgotten(self):
        """Whatever else is verified, until the same is good, or is gone and that was seen."""
        other, third, cuts = self.folder / "other.tar", self.folder / "third.tar", self.store / "influxfs/cuts"
        for path in (self.tar, other, third):
            snap(self.store, "backup", path)
        snap(self.store, "cut")
        retained = max(cuts.glob("files/**/*"), key=lambda path: path.stat().st_size)
        whole = {path: path.read_bytes() for path in (self.tar, retained)}
        for path, words in ((retained, ()), (self.tar, (other, self.tar))):
            path.write_bytes(whole[path][:1000] + b"damage" + whole[path][1006:])
            self.assertEqual(snap_code(self.store, "verify", *words)[0], 4)
        for _ in range(40):
            snap(self.store, "verify", other, third)
        text, _ = self.check(CRITICAL)
        self.assertIn("the last verification of the cuts failed", text)
        self.assertIn(f"the last verification of {self.tar} failed", text)
        self.assertNotIn(str(other), text)
        found = Metrics(snap(self.store, "status", "--prometheus"))
        self.assertEqual((found.of("cuts_damaged"), found.of("last_verification_success")), (1, 0))
        retained.write_bytes(whole[retained])
        snap(self.store, "verify")
        found = Metrics(snap(self.store, "status", "--prometheus"))
        self.assertEqual((found.of("cuts_damaged"), found.of("last_verification_success")), (0, 0))
        self.tar.unlink()
        self.assertEqual(snap_code(self.store, "verify", "b.tar", cwd=self.folder)[0], 1)
        self.assertRegex(self.check(CRITICAL)[0], f"the last verification of {self.tar} failed: .*No such file")
        snap(self.store, "verify", other)
        self.check(OK)

    def test_damaged_cuts(self):
        snap(self.store, "cut")
        manifest = self.store / "influxfs/cuts/base"
        good = manifest.read_bytes()
        manifest.write_bytes(good.replace(b"first", b"worst"))
        self.assertRegex(self.check(CRITICAL)[0], "- the cuts are damaged: the manifest of cut base is damaged")
        manifest.write_bytes(good)
        self.check(OK)

    def test_a_broken_chain(self):
        store = HandmadeStore(self.folder / "other")
        for number in range(3):
            store.shard("db", tsm={"000000001-000000001.tsm": tsm_of(1000, number)})
            store.write_meta()
            snap(store.root, "cut")
        self.check(OK, store=store.root)
        (store.root / "influxfs/cuts/0").unlink()
        self.assertRegex(self.check(CRITICAL, store=store.root)[0], "the cuts are damaged: .*cuts/0 is missing")

    def test_a_loss_that_is_not_accepted(self):
        snap(self.store, "cut")
        for root in ("data", "wal"):
            run("rm", "-r", self.store / root / "first/autogen/1", self.store / root / "first/autogen/2")
        snap(self.store, "cut")
        self.assertRegex(self.check(WARNING)[0], "- cut 0 lost more of the store than the guard allows: 2 shards.*--accept-loss=0`")
        snap(self.store, "prune", "--accept-loss=0")
        self.check(OK)

    def test_space(self):
        state = self.folder / "state"
        state.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", state)
        self.addCleanup(run, "umount", state)
        snap(self.store, "cut", f"--state={state}")
        words = (f"--state={state}",)
        self.check(OK, *words)
        free = os.statvfs(state).f_bavail * os.statvfs(state).f_frsize
        self.assertRegex(self.check(WARNING, *words, "--reserve=95%")[0], "are free on the disk.*no cut is made")
        (state / "other").write_bytes(b"x" * (free - (700 << 10)))
        text, data = self.check(WARNING, *words)
        self.assertRegex(text, r"- only \d+ KiB are free")
        self.assertEqual(data["free"][2:4], (f"{1 << 20}:", f"{1 << 19}:"))
        (state / "another").write_bytes(b"x" * (300 << 10))
        self.check(CRITICAL, *words)

    def test_a_restore_cut_off(self):
        preload = Path(INFLUXFS).parent / "tests/preload_kill.so"
        if not preload.exists():
            self.skipTest(f"{preload} is not built: make units")
        snap(self.store, "backup", self.tar)
        snap(self.store, "cut")
        count = self.folder / "count"
        original = self.folder / "original"
        self.store.rename(original)

        def restore(kill_at):
            """Into a fresh copy, so that each run makes the same calls."""
            run("rm", "-rf", self.store)
            run("cp", "-a", original, self.store)
            subprocess.run([INFLUXSNAP, "-q", "-c", self.store, "restore", self.tar], capture_output=True, check=False,
                           env=os.environ | {"LD_PRELOAD": str(preload), "KILL_ROOT": str(self.store),
                                             "KILL_AT": str(kill_at), "KILL_COUNT": str(count)})
        restore(10**9)
        calls = int(count.read_text())
        for kill_at in range(calls, 0, -5):
            restore(kill_at)
            if (self.store / "meta/raft.db").exists():
                break
        self.assertRegex(self.check(CRITICAL)[0], "- a restore was cut off: cut off, .*the next mount")
        with self.mounted(self.store):
            pass
        self.check(OK)

    def test_unknown(self):
        """No store, no rights, no sense: never 1 or 2."""
        self.assertIn("No such file", self.check(UNKNOWN, store=self.folder / "none")[0])
        empty = self.folder / "empty"
        empty.mkdir()
        self.assertRegex(self.check(UNKNOWN, store=empty)[0], "there is no store: .*/data: No such file")
        for words, reason in ((("--max-age=soon",), "max-age=soon: not a time"), (("--max-age=2h:1h",), "shorter"),
                              (("--nonsense",), "--nonsense: unknown"), (("--json",), "exclude each other"),
                              (("--output=x",), "--output is for"), (("more",), "usage"), (("--max-age",), "needs a value")):
            self.assertIn(reason, self.check(UNKNOWN, *words)[0])
        snap(self.store, "cut")
        self.open_to_all()
        program = self.folder / "influxsnap"
        program.write_bytes(Path(INFLUXSNAP).read_bytes())
        program.chmod(0o755)
        text, _ = self.check(UNKNOWN, prefix=NOBODY, program=program)
        self.assertRegex(text, f"- .*state folder {self.store}/influxfs: Permission denied")
        self.check(OK)

    def test_the_worst_comes_first(self):
        """And a text from outside can neither end the line nor begin the performance data."""
        bad = self.folder / "a|b=1\nc.tar"
        bad.write_bytes(b"x")
        snap(self.store, "cut")
        self.assertEqual(snap_code(self.store, "verify", bad)[0], 4)
        self.assertEqual(snap_code(self.store, "backup", bad)[0], 4)
        text, _ = self.check(CRITICAL)
        self.assertRegex(text, "- the last verification of .*a/b=1.c.tar")
        self.assertLess(text.index("verification"), text.index("the last backup"))

    def test_a_damaged_history(self):
        snap(self.store, "cut")
        (self.store / "influxfs/history.json").write_text("{}")
        self.assertIn("history.json is damaged", self.check(UNKNOWN)[0])
        snap(self.store, "backup", self.tar)
        self.check(OK)

    def test_influxd_is_told_of(self):
        server = self.influxd(self.folder / "live")
        server.query("CREATE DATABASE db")
        server.write(["m v=1 1"], "db")
        snap(server.root, "cut")
        self.assertIn("influxd runs", self.check(OK, store=server.root)[0])
        server.stop()
        self.assertIn("influxd is not seen", self.check(OK, store=server.root)[0])
