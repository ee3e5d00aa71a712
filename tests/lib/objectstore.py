"""A private OpenStack Swift, which is also an S3: Debian's servers on loopback, with their own folders.

    with Swift(folder) as swift:
        run("rclone", "copy", path, "swift:2016-06-11", env=rclone_environment(swift.rclone_config()))
        swift.client("list", "2016-06-11")

One node, one replica, tempauth. The servers are those that are installed, else those that tests/setup
has unpacked."""

import getpass
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from lib.files import CHECKOUT, HANG, files_in, run, wait_until

PYTHON = "/usr/bin/python3"  # for which Debian's Swift is installed; PATH may begin with another
NODE = CHECKOUT / "tests/lib/swiftnode.py"
UNPACKED = CHECKOUT / "build/swift"
# Not those that the kernel gives to clients: a port must remain ours while its server is stopped.
PORTS = range(20000, 32000)
KEYS = {"test:tester": "testing", "test:reader": "reading", "admin:admin": "admin"}

HASH_SUFFIX = "influxfs"

SWIFT_CONF = f"""\
[swift-hash]
swift_hash_path_suffix = {HASH_SUFFIX}
[storage-policy:0]
name = one
default = yes
"""

SERVER = """\
[DEFAULT]
swift_dir = {folder}
devices = {folder}
mount_check = false
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
workers = 0
backlog = 100
# Neither the machine's log nor its full disk are of interest.
log_address = {folder}/no-log
log_level = INFO
fallocate_reserve = 0
# A busy machine is slow, and no reason to think that a server has gone.
conn_timeout = 60
node_timeout = 300
client_timeout = 300
"""

STORAGE = """\
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
conn_timeout = 60
node_timeout = 300
"""

UPDATER = """\
[container-updater]
conn_timeout = 60
node_timeout = 300
slowdown = 0
"""

PROXY = """\
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk tempurl s3api tempauth copy container-quotas account-quotas slo dlo versioned_writes symlink proxy-logging proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
conn_timeout = 60
node_timeout = 300
recoverable_node_timeout = 300
error_suppression_interval = 0
error_suppression_limit = 1000000
# Quotas and permissions count at once: what memcached is given is out of date already.
recheck_account_existence = -10
recheck_container_existence = -10

[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
connect_timeout = 60
pool_timeout = 60
io_timeout = 60

[filter:tempauth]
use = egg:swift#tempauth
user_admin_admin = admin .admin .reseller_admin
user_test_tester = testing .admin
user_test_reader = reading

[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true

"""
PLAIN_FILTERS = ("catch_errors", "gatekeeper", "healthcheck", "proxy-logging", "listing_formats", "bulk", "tempurl", "s3api",
                 "copy", "container-quotas", "account-quotas", "slo", "dlo", "symlink")

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


def free_ports(count):
    """Ports of loopback on which nobody listens."""
    found = []
    while len(found) < count:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def demand_xattrs(folder):
    """Swift keeps what it knows of an object in extended attributes of its file."""
    try:
        os.setxattr(folder, "user.swift.test", b"1")
    except OSError as error:
        raise ObjectStoreError(f"{folder}: the file system has no user xattrs, which Swift needs: {error.strerror}") from None


def rclone_environment(config):
    """For rclone, and for what calls it: that rclone.conf, and nothing that whoever runs the tests has set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RCLONE_", "AWS_", "OS_", "ST_"))}
    return kept | {"RCLONE_CONFIG": str(config)}


class Swift:
    """The account AUTH_test has two users: test:tester, who may do everything, and test:reader, who may
    only read. swift.url is the proxy's, swift.port its port."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.processes = {}
        self.disk = self.folder / "disk"
        self.disk.mkdir(parents=True)
        demand_xattrs(self.disk)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        for name in list(self.processes):
            self._end(name, signal.SIGKILL)

    # Starting and ending

    def start(self):
        """Returns when it answers."""
        self.ports = dict(zip(("proxy", "account", "container", "object", "memcached"), free_ports(5)))
        self.port = self.ports["proxy"]
        self.url = f"http://127.0.0.1:{self.port}"
        self._configure()
        try:
            self._run("memcached", find_program("memcached"), "-l", "127.0.0.1", "-p", self.ports["memcached"], "-U", "0",
                      "-m", "16", "-u", getpass.getuser())
            for kind in ("account", "container", "object"):
                self._serve(kind)
            self.start_proxy()
            for name in self.ports:
                self._wait_for(name)
            self.request("POST", "", headers={"X-Account-Access-Control": json.dumps({"read-only": ["test:reader"]})})
        except BaseException:
            self.__exit__()
            raise
        return self

    def _configure(self):
        (self.folder / "swift.conf").write_text(SWIFT_CONF)
        kinds = ("account", "container", "object")
        for kind in ("proxy", *kinds):
            text = SERVER.format(folder=self.folder, port=self.ports[kind], user=getpass.getuser())
            text += STORAGE.format(kind=kind) if kind != "proxy" else PROXY.format(memcached=self.ports["memcached"])
            if kind == "proxy":
                text += "\n".join(f"[filter:{name}]\nuse = egg:swift#{name.replace('-', '_')}" for name in PLAIN_FILTERS)
            text += UPDATER if kind == "container" else ""
            (self.folder / f"{kind}.conf").write_text(text)
        run(PYTHON, NODE, "rings", self.folder, *(f"{kind}={self.ports[kind]}" for kind in kinds))

    def _serve(self, kind):
        self._run(kind, PYTHON, NODE, "serve", self.folder, find_program(f"swift-{kind}-server"),
                  self.folder / f"{kind}.conf", "--verbose")

    def _run(self, name, *command):
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                                    stdout=log, stderr=log, start_new_session=True)

    def _wait_for(self, name):
        def answers():
            if self.processes[name].poll() is not None:
                raise ObjectStoreError(f"{name} has exited:\n{self.log(name)[-4000:]}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.ports[name])) == 0
        wait_until(answers, 60, f"{name} to listen", step=0.05)

    def _end(self, name, number):
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(HANG)

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

    def request(self, method, path, body=None, headers=None, user="test:tester"):
        """(headers, body) of the answer about AUTH_test/path, which is quoted here. Errors are raised as
        urllib does."""
        token = self._open("GET", "/auth/v1.0", None, {"X-Auth-User": user, "X-Auth-Key": KEYS[user]})[0]["X-Auth-Token"]
        path = f"/v1/AUTH_test/{urllib.parse.quote(path, safe='/?&=')}".rstrip("/")
        return self._open(method, path, body, {"X-Auth-Token": token} | (headers or {}))

    def _open(self, method, path, body, headers):
        with urllib.request.urlopen(urllib.request.Request(self.url + path, body, headers, method=method), timeout=HANG) as answer:
            return answer.headers, answer.read()

    def containers(self):
        """Their names, also those of segments."""
        return [entry["name"] for entry in json.loads(self.request("GET", "?format=json")[1])]

    def listing(self, container, prefix=""):
        """{name: bytes} of its objects; the manifest of a segmented object has no bytes of its own."""
        entries = json.loads(self.request("GET", f"{container}?format=json&prefix={prefix}")[1])
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
        self.request("POST", container or "", headers=headers, user="admin:admin")

    def refresh(self):
        """Tells the account what its containers hold, as swift-container-updater does now and then."""
        run(PYTHON, NODE, "serve", self.folder, find_program("swift-container-updater"), self.folder / "container.conf", "once")

    # Its clients

    def client(self, *words, user="test:tester", code=0, **options):
        """The output of the real `swift`, which must end with that exit code."""
        login = {"ST_AUTH": f"{self.url}/auth/v1.0", "ST_USER": user, "ST_KEY": KEYS[user]}
        done = subprocess.run(["swift", *map(str, words)], env=os.environ | login, stdin=subprocess.DEVNULL, text=True,
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
