"""Nobody is held by a slow disk: who is killed or interrupted is gone soon, whatever he asked for."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from lib.files import CHECKOUT, HANG, run, wait_until
from lib.mount import INFLUXFS, Mount, has_ended
from lib.restores import RestoreTest, drop, tiny_store
from lib.stores import some_store
from lib.trees import whole_tree

PRELOAD = Path(INFLUXFS).parent / "tests/preload_slow.so"
RECURSIVE = CHECKOUT / "tests/hostile/gzip-recursive.gz"
HANGS = 120         # seconds that each call takes longer
SLOW = 1            # where somebody is held until some calls are done; all of them take more than SOON
SOON = 30           # seconds; a few on a quiet machine

# Programs that write: they tell when they have come so far that only the close, or the rename, is left, and go
# on when they are told to; or they tell when some has been taken, and go on.
WRITER = """
import os, sys
source, target, last = sys.argv[1:]
content = open(source, 'rb').read()
name = target if last != 'rename' else os.path.join(os.path.dirname(target), '.part')
fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
for at in range(0, len(content), 65536):
    if last == 'write' and at == 1 << 20:  # something has been taken
        print(flush=True)
    os.write(fd, content[at:at + 65536])
if last in ('close', 'exit'):
    print(flush=True)
    sys.stdin.readline()
if last == 'exit':
    os.kill(os.getpid(), 9)
os.close(fd)
print(flush=True)
sys.stdin.readline()
os.rename(name, target)
"""

# The end of a tar, which needs all of its sums.
LAST = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
os.pread(fd, 65536, os.fstat(fd).st_size - 65536)
"""


def waits_for_us(pid):
    """Whether all it does is wait for the answer to a request."""
    try:
        return "request_wait" in Path(f"/proc/{pid}/stack").read_text()
    except OSError:
        return False


def default_interrupt():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class HangTest(RestoreTest):
    timeout = 600

    def setUp(self):
        if not PRELOAD.exists():
            self.skipTest(f"{PRELOAD} is not built: make units")
        super().setUp()
        self.switch = self.folder / "slow"

    def make_source(self, root):
        return some_store(root, 48)

    def environment(self, below):
        """That of a daemon for which calls on what is below are slow, while they are to be."""
        return {"LD_PRELOAD": str(PRELOAD), "SLOW_ROOT": str(below), "SLOW_SWITCH": str(self.switch)}

    def slow_mount(self, store, below=None):
        return self.mount(store, environment=self.environment(below or store))

    def slow(self, seconds=HANGS):
        self.switch.write_text(f"{seconds * 1000}\n")
        self.addCleanup(self.fast)

    def fast(self):
        self.switch.unlink(missing_ok=True)

    def start_writer(self, target, last):
        """It waits before its last step, or is in the midst of writing."""
        process = subprocess.Popen([sys.executable, "-c", WRITER, self.tar, target, last], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=default_interrupt)
        for done in (process.stdout.close, process.stdin.close, process.wait, process.kill):    # in reverse
            self.addCleanup(done)
        process.stdout.readline()
        return process

    def go_on(self, writer):
        writer.stdin.write(b"\n")
        writer.stdin.flush()

    def check_command_ends(self, what, number, *command):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=default_interrupt)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.check_ends(what, number, process)

    def check_ends(self, what, number, process):
        """Waiting, and sent a signal: how long until it has ended."""
        wait_until(lambda: waits_for_us(process.pid) or process.poll() is not None, 120, f"{what} to wait")
        self.assertIsNone(process.poll(), f"{what} has ended by itself")
        began = time.monotonic()
        process.send_signal(number)
        wait_until(lambda: has_ended(process.pid), 60, f"{what} to end after {number!r}")
        took = time.monotonic() - began
        self.assertEqual(process.wait(), -number, what)
        self.assertLess(took, SOON, f"{what}, {number!r}")

    def test_readers(self):
        for number in (signal.SIGKILL, signal.SIGINT):
            self.check_reader(f"sums-{number}", number, "the sums of now/one.tar", "snapshots/now/one.tar",
                              sys.executable, "-c", LAST)
            self.check_reader(f"cat-{number}", number, "now.tar", "snapshots/now.tar", "cat")

    def check_reader(self, name, number, what, path, *command):
        """In a mount that knows no sums yet: those that are begun are found although nobody waits any more."""
        with self.mounted(self.source, f"mnt-{name}", options=f"state={self.folder}/state-{name}",
                          environment=self.environment(self.source)) as mnt:
            (mnt / path).stat()
            self.slow(SLOW)
            self.check_command_ends(what, number, *command, mnt / path)
            self.fast()

    def test_dumps(self):
        """Sizes and lists, each in a mount that has not found them yet."""
        store = self.folder / "dumped"
        store.mkdir()
        run("tar", "xzf", CHECKOUT / "tests/fixtures/1.6.7-inmem/store.tar.gz", "-C", store)
        policy = "dump/json/sensu_db/default"
        with Mount(store, self.folder / "mnt-look") as mnt:
            day = max((mnt / policy).iterdir(), key=lambda folder: len(list(folder.iterdir())))
            file = max(day.iterdir(), key=lambda path: path.stat().st_size).relative_to(mnt.point)
            day = day.relative_to(mnt.point)
        for what, path in (("ls", policy), ("ls", day), ("stat", file), ("cat", file)):
            for number in (signal.SIGKILL, signal.SIGINT):
                run("rm", "-rf", store / "influxfs")
                with self.mounted(store, f"mnt-{number}-{what}", environment=self.environment(store)) as mnt:
                    self.slow(SLOW)
                    self.check_command_ends(f"{what} {path}", number, what, mnt / path)
                    self.fast()

    def test_reports(self):
        """One call is too much already: whoever asks is not held by it."""
        mnt = self.slow_mount(self.store)
        for number, path in ((signal.SIGKILL, "metrics.prom"), (signal.SIGINT, "status.json")):
            (mnt / path).read_text()
            self.slow()
            self.check_command_ends(path, number, "cat", mnt / path)
            self.fast()

    def test_unmounted(self):
        """By SIGTERM, while what somebody has asked for hangs."""
        mnt = self.slow_mount(self.store)
        self.slow()
        reader = subprocess.Popen(["cat", mnt / "metrics.prom"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(reader.wait)
        wait_until(lambda: waits_for_us(reader.pid), 30, "cat to wait")
        mnt.process.terminate()
        wait_until(lambda: not mnt.is_mounted(), 30, "the mount to go")
        mnt.process.kill()
        mnt.process.wait()

    def writer_in(self, last, number):
        """A writer that is ended at its last step. Afterwards the same file is restored."""
        before = whole_tree(self.store)
        mnt = self.slow_mount(self.store)
        writer = self.start_writer(mnt / "restore/new.tar", last)
        self.slow(SLOW)
        self.go_on(writer)
        self.check_ends(f"a writer in its {last}", number, writer)
        self.fast()
        wait_until(lambda: "its writer was killed" in "".join(self.log(mnt)[-1:]), 120, "the log to tell")
        self.check_untouched(before, f"a writer in its {last}")
        self.assertEqual(drop(mnt / "restore/again.tar", self.tar.read_bytes()), 0)
        self.check_restored()

    def writer_in_rename(self, number):
        """The exchange has begun: it goes on without him."""
        mnt = self.slow_mount(self.store, below=self.store / "meta")     # what is verified and staged is not
        writer = self.start_writer(mnt / "restore/new.tar", "rename")
        self.log(mnt)   # the kernel knows the log now: it would not look it up while the rename goes on
        self.slow()
        self.go_on(writer)
        wait_until(lambda: any("installing" in line for line in self.log(mnt)), 120, "the exchange to begin")
        self.check_ends("a writer in its rename", number, writer)
        self.assertNotIn(" restored ", self.log(mnt)[-1])
        self.fast()
        wait_until(lambda: " restored " in self.log(mnt)[-1], 120, "the exchange to be finished")
        self.check_restored()

    def test_writer_in_write(self):
        self.writer_in("write", signal.SIGKILL)

    def test_writer_in_write_interrupted(self):
        self.writer_in("write", signal.SIGINT)

    def test_writer_in_close(self):
        self.writer_in("close", signal.SIGKILL)

    def test_writer_in_close_interrupted(self):
        self.writer_in("close", signal.SIGINT)

    def test_writer_killed_before_close(self):
        """The kernel closes what it had open, and interrupts nothing any more."""
        before = whole_tree(self.store)
        mnt = self.slow_mount(self.store)
        writer = self.start_writer(mnt / "restore/new.tar", "exit")
        self.slow()
        self.go_on(writer)
        self.assertEqual(writer.wait(HANG), -signal.SIGKILL)
        self.fast()
        wait_until(lambda: "its writer was killed" in "".join(self.log(mnt)[-1:]), 120, "the log to tell")
        self.check_untouched(before)

    def test_writer_in_rename(self):
        self.writer_in_rename(signal.SIGKILL)

    def test_writer_in_rename_interrupted(self):
        self.writer_in_rename(signal.SIGINT)

    def test_other_signals(self):
        """Programs written in Go send themselves SIGURG all the time; others have timers."""
        mnt = self.mount(self.store)
        code = ("import signal, sys, threading\nsignal.signal(signal.SIGALRM, lambda *_: None)\n"
                "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\n"
                "out = open(sys.argv[2], 'wb', buffering=0)\nout.write(open(sys.argv[1], 'rb').read())\nout.close()\n"
                "signal.setitimer(signal.ITIMER_REAL, 0)")
        run(sys.executable, "-c", code, self.tar, mnt / "restore/new.tar")
        self.check_restored()

    def test_unpacks_to_itself(self):
        before = whole_tree(self.store)
        mnt = self.mount(self.store)
        done = subprocess.run(["cp", RECURSIVE, mnt / "restore/"], capture_output=True, text=True, check=False, timeout=HANG)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Invalid argument", done.stderr)
        self.assertIn("compressed twice", self.log(mnt)[-1])
        self.check_untouched(before)
        for command in ("verify", "restore"):
            done = subprocess.run([CHECKOUT / "build/influxsnap", "--config", self.store, command, RECURSIVE],
                                  capture_output=True, text=True, check=False, timeout=HANG)
            self.assertEqual(done.returncode, 4, done.stderr)
        self.check_untouched(before)

    def test_free_space(self):
        """Of a disk that hangs, of a store that is not there, of folders that were moved away."""
        mnt = self.slow_mount(self.store)
        there = os.statvfs(mnt.point)
        self.slow()
        for _ in range(3):
            self.assertEqual(os.statvfs(mnt.point).f_blocks, there.f_blocks)
        run("df", mnt.point, timeout=HANG)
        self.fast()
        empty = self.folder / "empty"
        empty.mkdir()
        with self.mounted(empty, "mnt-empty", options="ro") as other:
            run("df", other.point)
        with self.mounted(self.store, "mnt-moved", options="ro") as other:
            (self.store / "data").rename(self.store / "data.gone")
            run("df", other.point)
            (self.store / "data.gone").rename(self.store / "data")


# It starts another program, which closes the file: when it has come there, nobody can look into it.
STARTS_ANOTHER = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
os.write(fd, b"some")
print(flush=True)
sys.stdin.readline()
os.execv("/bin/true", ["true"])
"""


def nobody_looks_into(pid):
    try:
        subprocess.run(["cat", f"/proc/{pid}/maps"], check=True, capture_output=True, timeout=1)
    except subprocess.TimeoutExpired:
        return True
    return False


class OtherMountTest(RestoreTest):
    """A process may wait for a daemon that does not answer, while nobody can look into it: what others do
    with their stores goes on."""

    def test_a_start_that_hangs(self):
        other = self.mount(tiny_store(self.folder / "other"), "other-mnt")
        mnt = self.mount(self.store)
        with subprocess.Popen([sys.executable, "-c", STARTS_ANOTHER, other / "restore/some.tar"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starting:
            starting.stdout.readline()
            os.kill(other.pid(), signal.SIGSTOP)
            try:
                starting.stdin.write("\n")
                starting.stdin.flush()
                wait_until(lambda: nobody_looks_into(starting.pid), HANG, "the file to be closed")
                run("cp", self.tar, mnt / "restore/", timeout=HANG)
            finally:
                os.kill(other.pid(), signal.SIGCONT)
        self.assertEqual(starting.returncode, 0)
        self.check_restored()
