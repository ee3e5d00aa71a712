"""What the nightly jobs share: their words, one job a store at a time, hooks, and what is remembered."""

import json
import os
import signal
import subprocess
from pathlib import Path

from lib.case import StoreTest
from lib.files import HANG, STORE_FOLDERS, run, wait_until
from lib.mount import INFLUXFS
from lib.stores import some_store
from lib.trees import tree

JOBS = ("archive", "fetch", "dump")
REMOTE = "--remote=/nowhere"


def program(job):
    return str(Path(INFLUXFS).parent / f"influxfs-{job}")


def words(job, *options):
    """The command line of a job; dump needs a database."""
    return [program(job), *(["db"] if job == "dump" else []), *map(str, options)]


def ended(done):
    """(exit code, lines of stdout, lines of stderr)"""
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


class NightlyTest(StoreTest):
    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"
        for name in STORE_FOLDERS:
            (self.store / name).mkdir(parents=True)
        self.state = self.store / "influxfs"

    def job(self, job, *options, store=None, remote=REMOTE):
        command = words(job, "-c", store or self.store, remote, *options)
        return ended(subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                    cwd=self.folder, timeout=HANG, check=False))

    def begin(self, job, *options):
        """One that runs beside the test, and is ended with it."""
        child = subprocess.Popen(words(job, "-c", self.store, REMOTE, *options), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder)
        self.addCleanup(child.communicate)  # until no hook of it has its output either
        self.addCleanup(child.kill)
        self.addCleanup((self.folder / "go").touch)
        return child

    def end(self, child):
        out, err = child.communicate(timeout=HANG)
        return child.returncode, out.splitlines(), err.splitlines()

    def remembered(self, job):
        return json.loads((self.state / "jobs.json").read_text())[job]

    def wait_for(self, name):
        wait_until((self.folder / name).exists, 10, name)

    @staticmethod
    def hook(name):
        """One that waits until the file `go` is there, and then fails."""
        return f"--before=touch {name}; while ! test -e go; do sleep 0.05; done; touch {name}-ended; exit 3"


class WordsTest(NightlyTest):
    def test_refused(self):
        """In one line that says what is wrong, before anything is touched."""
        before = tree(self.store)
        for job in JOBS:
            for expected, bad in (("--remote=NAME:", ["-c", self.store]), ("nor the whole path", ["--remote=swift"]),
                                  ("rclone's configuration", ["--remote=s3,secret_access_key=x:"]),
                                  ("option --bogus", [REMOTE, "--bogus"]), ("needs a value", [REMOTE, "-c"]),
                                  ("yesterday", [REMOTE, "--day=2016-02-30"]), ("not a time", [REMOTE, "--wait=0"]),
                                  ("does not tell the day", [REMOTE, "--container-format=%H"]),
                                  ("option --max-age", [REMOTE, "--max-age=1h"]),
                                  ("option --retry-for", [REMOTE, "--retry-for=soon"])):
                with self.subTest(job=job, words=bad):
                    code, out, err = ended(subprocess.run(words(job, *bad), stdin=subprocess.DEVNULL, text=True,
                                                          capture_output=True, timeout=HANG, check=False))
                    self.assertEqual((code, out, len(err)), (2, [], 1), err)
                    self.assertTrue(err[0].startswith(f"influxfs-{job}: "), err)
                    self.assertIn(expected, err[0])
        self.assertEqual(tree(self.store), before)

    def test_of_another_job(self):
        for job, option in (("archive", "--into=x"), ("fetch", "--legacy"), ("dump", "--keep=3")):
            code, out, err = self.job(job, option)
            name = option.partition("=")[0]
            self.assertEqual((code, out, err), (2, [], [f"influxfs-{job}: no option {name}; see influxfs-{job} --help"]))

    def test_help(self):
        for job in JOBS:
            text = run(program(job), "--help")
            self.assertTrue(text.startswith(f"usage: influxfs-{job} [options] "), text)
            for option in ("-c, --config=", "--remote=", "--day=", "--dry-run", "--json", "--quiet", "--before=",
                           "--after=", "--on-failure=", "--wait=", "--retry-for="):
                self.assertIn(option, text)
            self.assertTrue(run(program(job), "--version").startswith(f"influxfs-{job} "))

    def test_rest(self):
        """Words that are none of its own; but those after -- are rclone's, whatever they look like."""
        self.assertEqual(self.job("archive", "word")[0], 2)
        code, _, err = self.job("archive", "--before=exit 3", "--", "--bogus", "word")
        self.assertEqual((code, err), (1, ["influxfs-archive: --before: exit 3: exit code 3"]))


class LockTest(NightlyTest):
    def test_two(self):
        first = self.begin("archive", self.hook("first"))
        self.wait_for("first")
        code, out, err = self.job("dump")
        self.assertEqual((code, out, len(err)), (1, [], 1), err)
        self.assertRegex(err[0], r"^influxfs-dump: influxfs-archive has been at work on this store since "
                                 rf"\d{{4}}-\S+Z, as process {first.pid}; --wait=TIME waits for it$")
        self.assertIn("at work", self.remembered("dump")["last"]["text"])
        second = self.begin("fetch", "--wait=1h", self.hook("second"))
        self.assertFalse((self.folder / "second").exists())
        (self.folder / "go").touch()
        self.assertEqual(self.end(first)[0], 1)
        self.assertEqual(self.end(second)[0], 1)
        self.assertTrue((self.folder / "second").exists())

    def test_another_store(self):
        self.begin("archive", self.hook("first"))
        self.wait_for("first")
        other = self.folder / "other"
        for name in STORE_FOLDERS:
            (other / name).mkdir(parents=True)
        self.assertIn("exit code 3", self.job("archive", "--before=exit 3", store=other)[2][0])

    def test_killed(self):
        """The lock does not outlive its holder, though the holder's hook does."""
        first = self.begin("archive", self.hook("first"))
        self.wait_for("first")
        first.kill()
        first.wait(timeout=HANG)
        self.assertIn("exit code 3", self.job("archive", "--before=exit 3")[2][0])
        (self.folder / "go").touch()
        self.wait_for("first-ended")

    def test_wait_interrupted(self):
        self.begin("archive", self.hook("first"))
        self.wait_for("first")
        second = self.begin("archive", "--wait=1d", "--on-failure=touch failed")
        wait_until(lambda: os.readlink(f"/proc/{second.pid}/exe").endswith("influxfs-archive")
                   and any("jobs.lock" in os.readlink(fd) for fd in Path(f"/proc/{second.pid}/fd").iterdir()),
                   10, "the second one to ask for the lock")
        second.send_signal(signal.SIGTERM)
        code, _, err = self.end(second)
        self.assertEqual((code, len(err)), (1, 2), err)
        self.assertIn("waiting for another job", err[0])
        self.assertIn("interrupted while another job", err[1])
        self.assertTrue((self.folder / "failed").exists())


class HooksTest(NightlyTest):
    def test_before_fails(self):
        for job in JOBS:
            code, out, err = self.job(job, "--day=2016-06-11", "--before=echo out; exit 3", "--after=touch after",
                                      "--on-failure=env | grep ^INFLUXFS_ | grep -v ^INFLUXFS_TEST_ | sort >failed")
            self.assertEqual((code, out), (1, []))
            self.assertEqual(err, ["out", f"influxfs-{job}: --before: echo out; exit 3: exit code 3"])
            self.assertEqual((self.folder / "failed").read_text().splitlines(),
                             ["INFLUXFS_DAY=2016-06-11", "INFLUXFS_EXIT=1", f"INFLUXFS_JOB={job}",
                              f"INFLUXFS_RESULT={self.state / 'jobs.json'}",
                              "INFLUXFS_TEXT=--before: echo out; exit 3: exit code 3"])
            self.assertFalse((self.folder / "after").exists())
            last = self.remembered(job)["last"]
            self.assertEqual((last["result"], last["code"], last["day"], last["remote"]),
                             ("failed", 1, "2016-06-11", "/nowhere"))
            self.assertEqual(len(json.loads((self.state / "jobs.json").read_text())), len(JOBS))

    def test_failure_fails(self):
        code, _, err = self.job("archive", "--before=exit 3", "--on-failure=exit 4")
        self.assertEqual((code, len(err)), (1, 2))
        self.assertEqual(err[1], "influxfs-archive: warning: --on-failure: exit 4: exit code 4")

    def test_lock_is_free(self):
        """What runs at the end may start another job."""
        again = " ".join([*words("fetch", "-c", self.store, REMOTE), "--before='touch again; false'"])
        self.job("archive", "--before=false", f"--on-failure={again}")
        self.assertTrue((self.folder / "again").exists())

    def test_terminated(self):
        """All is let go of, remembered and said, and no hook is left."""
        job = self.begin("fetch", "--before=echo $$ >pid; touch first; sleep 1000",
                         "--on-failure=echo $INFLUXFS_EXIT $INFLUXFS_TEXT >failed")
        self.wait_for("first")
        job.send_signal(signal.SIGTERM)
        code, _, err = self.end(job)
        self.assertEqual((code, len(err)), (1, 1), err)
        self.assertIn("interrupted", err[0])
        self.assertEqual((self.folder / "failed").read_text(), "1 interrupted\n")
        last = self.remembered("fetch")["last"]
        self.assertEqual((last["result"], last["code"], last["text"]), ("failed", 1, "interrupted"))
        self.assertFalse(Path("/proc", (self.folder / "pid").read_text().strip()).exists())
        self.assertIn("exit code 3", self.job("archive", "--before=exit 3")[2][0])

    def test_terminated_twice(self):
        """A hook that hangs after the first signal ends with the second."""
        job = self.begin("archive", "--before=touch first; sleep 1000", "--on-failure=touch second; sleep 1000")
        for name in ("first", "second"):
            self.wait_for(name)
            job.send_signal(signal.SIGTERM)
        code, _, err = self.end(job)
        self.assertEqual((code, len(err)), (1, 2), err)
        self.assertIn("warning: --on-failure: ", err[1])

    def test_done(self):
        """After a job that ended well; another may be started from there."""
        some_store(self.folder / "real", 1)
        (self.folder / "remote").mkdir()
        real, state = self.folder / "real", self.folder / "real/influxfs/jobs.json"
        code, out, err = self.job("archive", "--json", "--day=2016-06-11", "--on-failure=touch failed",
                                  "--after=echo $INFLUXFS_EXIT:$INFLUXFS_TEXT: $(cat $INFLUXFS_RESULT) >after",
                                  store=real, remote=f"--remote={self.folder / 'remote'}")
        self.assertEqual((code, len(out)), (0, 1), err)
        said, after = json.loads(out[0]), (self.folder / "after").read_text()
        self.assertTrue(after.startswith("0:: {"), after)
        self.assertEqual(json.loads(after.partition(" ")[2]), json.loads(state.read_text()))
        known = json.loads(state.read_text())["archive"]
        self.assertEqual((known["done"], known["good"]["day"]), (1, "2016-06-11"))
        self.assertEqual({key: said[key] for key in known["last"]}, known["last"])
        self.assertEqual((said["job"], said["result"], said["dry_run"]), ("archive", "done", False))
        self.assertGreater(said["bytes"], 0)
        self.assertGreater(said["objects"], 0)
        self.assertFalse((self.folder / "failed").exists())


class RememberTest(NightlyTest):
    def test_json_of_failure(self):
        code, out, err = self.job("archive", "--json", "--day=2016-06-11", "--before=exit 3")
        self.assertEqual((code, len(out), len(err)), (1, 1, 1))
        said = json.loads(out[0])
        self.assertEqual((said["job"], said["result"], said["code"], said["text"], said["warnings"]),
                         ("archive", "failed", 1, "--before: exit 3: exit code 3", []))

    def test_dry_run(self):
        before = tree(self.store)
        for job in JOBS:
            code, _, _ = self.job(job, "--dry-run", "--before=touch hook", "--after=touch hook",
                                  "--on-failure=touch hook")
            self.assertNotEqual(code, 2)
        self.assertFalse((self.folder / "hook").exists())
        self.assertFalse((self.state / "jobs.json").exists())
        self.assertFalse((self.state / "jobs.lock").exists())
        self.assertEqual({name: what for name, what in tree(self.store).items() if not name.startswith("influxfs")}, before)

    def test_read_only_state(self):
        """A warning each for what cannot be had, and the job goes on."""
        state = self.folder / "state"
        state.mkdir()
        run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", state)
        self.addCleanup(run, "umount", state)
        code, out, err = self.job("archive", f"--state={state}", "--json", "--before=touch first; exit 3")
        self.assertEqual(code, 1)
        self.assertTrue((self.folder / "first").exists())
        self.assertEqual([line for line in err if "nothing keeps other jobs on this store away" in line],
                         [f"influxfs-archive: warning: state folder {state}: Read-only file system; "
                          "nothing keeps other jobs on this store away"])
        self.assertTrue(any("how this job ended is not remembered" in line for line in err), err)
        self.assertEqual(len(json.loads(out[0])["warnings"]), 2)

    def test_no_store(self):
        """No state folder is made where no store is: its disk may not be mounted."""
        missing = self.folder / "missing"
        missing.mkdir()
        for job in ("archive", "dump"):
            code, _, err = self.job(job, "--on-failure=touch failed", store=missing)
            self.assertEqual(code, 1, err)
            self.assertEqual(list(missing.iterdir()), [])
            (self.folder / "failed").unlink()

    def test_no_configuration(self):
        code, _, err = self.job("archive", "--on-failure=touch failed", store=self.folder / "missing.conf")
        self.assertEqual((code, len(err)), (1, 1))
        self.assertIn("missing.conf", err[0])
        self.assertTrue((self.folder / "failed").exists())

    def test_damaged(self):
        self.job("archive", "--before=exit 3")
        (self.state / "jobs.json").write_text("{")
        code, _, err = self.job("archive", "--before=exit 3")
        self.assertEqual((code, len(err)), (1, 2))
        self.assertIn("jobs.json is damaged", err[1])
        self.assertEqual(self.remembered("archive")["failed"], 1)
