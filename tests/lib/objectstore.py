"""A private OpenStack Swift, which is also an S3: Debian's servers on loopback, with their own folders.

    with Swift(folder) as swift:
        run("rclone", "copy", path, "swift:2016-06-11", env=rclone_environment(swift.rclone_config()))
        swift.client("list", "2016-06-11")

One node, one replica, tempauth. The servers are those that are installed, else those that tests/setup
has unpacked. Where the file system of the folder is not for Swift, the test is skipped and says why."""

import contextlib
import hashlib
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

from lib import swiftconf
from lib.files import CHECKOUT, HANG, files_in, wait_until
from lib.mount import has_ended
from lib.swiftconf import HASH_SUFFIX, KINDS

# Debian's, for which Debian's Swift is installed: PATH may begin with another.
NODE = ("/usr/bin/python3", "-I", CHECKOUT / "tests/lib/swiftnode.py")
CLIENT = "/usr/bin/swift"
UNPACKED = CHECKOUT / "build/swift"
# Not those that the kernel gives to clients: a port must remain ours while its server is stopped.
PORTS = range(20000, 32000)
KEYS = {"test:tester": "testing", "test:reader": "reading", "admin:admin": "admin"}

SWIFT_REMOTE = "[{name}]\ntype = swift\nuser = {user}\nkey = {key}\nauth = {url}/auth/v1.0\n"
S3_REMOTE = ("[{name}]\ntype = s3\nprovider = Other\naccess_key_id = {user}\nsecret_access_key = {key}\n"
             "endpoint = {url}\nregion = us-east-1\n")


class ObjectStoreError(Exception):
    """A server did not start, or did not do as it was asked."""


def find_program(name):
    """Of Debian's Swift, or memcached."""
    unpacked = UNPACKED / "usr/bin" / name
    found = shutil.which(name) or (unpacked.exists() and str(unpacked))
    if not found:
        raise ObjectStoreError(f"no {name} on PATH and none unpacked: run tests/setup test")
    return found


def reserve_port():
    """A port on which nobody listens, and what keeps it from other tests: the same port of UDP."""
    while True:
        port = random.choice(PORTS)
        probe, kept = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        with probe:
            try:
                kept.bind(("127.0.0.1", port))
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
                return port, kept
            except OSError:
                kept.close()


def demand_xattrs(folder):
    """Swift keeps what it knows of an object in extended attributes of its file."""
    try:
        os.setxattr(folder, "user.swift.test", b"1")
    except OSError as error:
        raise unittest.SkipTest(f"{folder}: no user xattrs, which Swift needs: {error.strerror}") from None


def rclone_environment(config):
    """For rclone, and for what calls it: that rclone.conf, and nothing that whoever runs the tests has set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RCLONE_", "AWS_", "OS_", "ST_"))}
    return kept | {"RCLONE_CONFIG": str(config)}


class Swift:
    """The account AUTH_test has two users: test:tester, who may do everything, and test:reader, who may
    only read. swift.url is the proxy's, swift.port its port."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.node = None
        self.processes = {}  # by name: pid
        self.reserved = {}
        self.disk = self.folder / "disk"
        self.disk.mkdir(parents=True)
        demand_xattrs(self.disk)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        for pid in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.processes.clear()
        if self.node:
            with contextlib.suppress(BrokenPipeError):
                self.node.stdin.close()  # at which it ends
            self.node.wait(HANG)
            self.node.stdout.close()
        for _, kept in self.reserved.values():
            kept.close()

    # Starting and ending

    def start(self):
        """Returns when it answers."""
        self.reserved = {name: reserve_port() for name in ("proxy", *KINDS, "memcached")}
        self.ports = {name: port for name, (port, _) in self.reserved.items()}
        self.port = self.ports["proxy"]
        self.url = f"http://127.0.0.1:{self.port}"
        swiftconf.write(self.folder, self.ports)
        words = [*NODE, self.folder, *(f"{kind}={self.ports[kind]}" for kind in KINDS)]
        self.node = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                     start_new_session=True, env=os.environ | {"EVENTLET_NO_GREENDNS": "yes"})
        try:
            self._start("memcached", "memcached", "-l", "127.0.0.1", "-p", self.ports["memcached"], "-U", "0",
                        "-m", "16", "-u", swiftconf.myself())
            for kind in KINDS:
                self._serve(kind)
            self.start_proxy()
            for name in self.ports:
                self._wait_for(name)
            self.request("POST", headers={"X-Account-Access-Control": json.dumps({"read-only": ["test:reader"]})})
        except BaseException:
            self.__exit__()
            raise
        return self

    def _ask(self, *words):
        """The node's answer (swiftnode.py)."""
        answer = ""
        with contextlib.suppress(BrokenPipeError):
            self.node.stdin.write(json.dumps(words) + "\n")
            self.node.stdin.flush()
            if not select.select([self.node.stdout], [], [], HANG)[0]:
                raise ObjectStoreError(f"{words}: not done after {HANG} s")
            answer = self.node.stdout.readline()
        if not answer:
            raise ObjectStoreError(f"what starts Swift's servers has ended: exit {self.node.wait(HANG)}")
        return int(answer)

    def _start(self, name, program, *words):
        self.processes[name] = self._ask("start", name, find_program(program), *map(str, words))

    def _serve(self, kind):
        self._start(kind, f"swift-{kind}-server", self.folder / f"{kind}.conf", "--verbose")

    def _wait_for(self, name):
        def answers():
            if has_ended(self.processes[name]):
                raise ObjectStoreError(f"{name} has exited:\n{self.log(name)[-4000:]}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.ports[name])) == 0
        wait_until(answers, 60, f"{name} to listen", step=0.05)

    def _end(self, name, number):
        pid = self.processes.pop(name)
        os.kill(pid, number)
        self._ask("wait", pid)

    def start_proxy(self):
        """On the port that it had; returns when it listens."""
        self._serve("proxy")
        self._wait_for("proxy")

    def stop_proxy(self):
        self._end("proxy", signal.SIGTERM)

    def kill_proxy(self):
        self._end("proxy", signal.SIGKILL)

    def log(self, name="proxy"):
        """What a server has said: proxy, account, container, object, memcached. The proxy names each request."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    # What is in it

    def request(self, method, path="", headers=None, user="test:tester", **parameters):
        """(headers, body) of the answer about the account, a container, or container/object. Errors are
        raised as urllib does."""
        token = self._open("GET", "/auth/v1.0", {"X-Auth-User": user, "X-Auth-Key": KEYS[user]})[0]["X-Auth-Token"]
        url = f"/v1/AUTH_test/{urllib.parse.quote(path)}".rstrip("/") + "?" + urllib.parse.urlencode(parameters)
        return self._open(method, url, {"X-Auth-Token": token} | (headers or {}))

    def _open(self, method, url, headers):
        request = urllib.request.Request(self.url + url, None, headers, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=HANG) as answer:
            return answer.headers, answer.read()

    def containers(self):
        """Their names, also those of segments."""
        return [entry["name"] for entry in json.loads(self.request("GET", format="json")[1])]

    def listing(self, container, prefix=""):
        """{name: bytes} of its objects; the manifest of a segmented object has no bytes of its own."""
        entries = json.loads(self.request("GET", container, format="json", prefix=prefix)[1])
        return {entry["name"]: entry["bytes"] for entry in entries}

    def object_files(self):
        """The .data files on its disk, one for each object, manifest and segment that has bytes."""
        return sorted(Path(path) for path in files_in(self.disk / "objects") if path.endswith(".data"))

    def file_of(self, container, name):
        """The .data file of one object."""
        digest = hashlib.md5(f"/AUTH_test/{container}/{name}{HASH_SUFFIX}".encode()).hexdigest()
        return next(path for path in self.object_files() if path.parent.name == digest)

    def limit(self, count, container=None):
        """The account, or one container, takes no more than so many bytes, and answers 413; None: it does
        again. The account learns what its containers hold only from refresh()."""
        kind = "Container" if container else "Account"
        header = f"X-{kind}-Meta-Quota-Bytes"
        headers = {header: str(count)} if count is not None else {header.replace("X-", "X-Remove-", 1): "1"}
        self.request("POST", container or "", headers, user="admin:admin")

    def refresh(self):
        """Tells the account what its containers hold, as swift-container-updater does now and then."""
        self._start("updater", "swift-container-updater", self.folder / "container.conf", "once")
        code = self._ask("wait", self.processes.pop("updater"))
        if code != 0:
            raise ObjectStoreError(f"swift-container-updater: exit {code}:\n{self.log('updater')}")

    # Its clients

    def client(self, *words, user="test:tester", code=0, **options):
        """The output of the real `swift`, which must end with that exit code."""
        login = {"ST_AUTH": f"{self.url}/auth/v1.0", "ST_USER": user, "ST_KEY": KEYS[user],
                 "no_proxy": "127.0.0.1"}
        done = subprocess.run([CLIENT, *map(str, words)], env=os.environ | login, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options)
        if done.returncode != code:
            raise AssertionError(f"swift {' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}")
        return done.stdout

    def rclone_config(self, path=None, port=None):
        """The path of an rclone.conf that is written: swift:, s3: and folder: (self.folder / "folder"), and
        swift-reader: and s3-reader: for test:reader. port: that of a Relay."""
        path = Path(path or self.folder / "rclone.conf")
        url = f"http://127.0.0.1:{port or self.port}"
        plain = self.folder / "folder"
        plain.mkdir(exist_ok=True)
        remotes = [remote.format(name=name + suffix, user=user, key=KEYS[user], url=url)
                   for name, remote in (("swift", SWIFT_REMOTE), ("s3", S3_REMOTE))
                   for suffix, user in (("", "test:tester"), ("-reader", "test:reader"))]
        path.write_text("\n".join([*remotes, f"[folder]\ntype = alias\nremote = {plain}\n"]))
        return path
