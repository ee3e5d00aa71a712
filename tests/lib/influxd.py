"""A private influxd: its own folders, its own loopback ports, ended by its own pid."""

import http.client
import json
import re
import shutil
import signal
import subprocess
import threading
import urllib.parse
from pathlib import Path

from lib.files import CHECKOUT, HANG, files_in, wait_until

CONFIG = """\
reporting-disabled = true
bind-address = "127.0.0.1:0"

[meta]
  dir = "{root}/meta"

[data]
  dir = "{root}/data"
  wal-dir = "{root}/wal"
{data}

[http]
  bind-address = "127.0.0.1:0"
  log-enabled = false

# A write that influxd gives up waiting for may be done later still, and nobody would know.
[coordinator]
  write-timeout = "10m"

# Nothing may write or drop data but the test itself.
[monitor]
  store-enabled = false
[retention]
  enabled = false
[shard-precreation]
  enabled = false
[continuous_queries]
  enabled = false
[subscriber]
  enabled = false
"""


class InfluxError(Exception):
    """influxd did not start, or did not do as it was asked."""


def find_influxd():
    """The influxd on PATH, else the one that tests/setup has unpacked."""
    unpacked = CHECKOUT / "build/influxd/usr/bin/influxd"
    found = shutil.which("influxd") or (unpacked.exists() and str(unpacked))
    if not found:
        raise InfluxError("no influxd on PATH and none unpacked: run tests/setup demo")
    return found


def toml(value):
    """Numbers and booleans as they are, anything else as a string: JSON's forms are TOML's."""
    return json.dumps(value)


class Influxd:
    """influxd on root/{meta,data,wal}. Extra arguments are settings of the [data] section:
    Influxd(root, index="tsi1", cache_snapshot_memory_size=1000). retention: what is past its time is
    deleted each second. config: the text of another influxdb.conf, whose folders are its own."""

    def __init__(self, root, index="inmem", monitor=False, retention=False, config=None, **data):
        self.root = Path(root)
        self.index = index
        self.config = self.root / "influxdb.conf"
        self.log = self.root / "influxd.log"
        self.process = None
        self.address = None
        self._connections = {}  # one for each thread, kept: new ones for each write would use up the ports
        settings = {"index-version": index, "query-log-enabled": False}
        settings |= {name.replace("_", "-"): value for name, value in data.items()}
        text = CONFIG.format(root=self.root, data="\n".join(f"  {k} = {toml(v)}" for k, v in settings.items()))
        if monitor:
            text = text.replace("store-enabled = false", "store-enabled = true")
        if retention:
            text = text.replace("[retention]\n  enabled = false", '[retention]\n  enabled = true\n  check-interval = "1s"')
        self.root.mkdir(parents=True, exist_ok=True)
        self.config.write_text(config or text)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def start(self, timeout=60):
        """Returns when it answers. The kernel chooses the ports: the log says which."""
        log = self.log.open("wb")
        self.process = subprocess.Popen([find_influxd(), "-config", self.config], cwd=self.root,
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        try:
            wait_until(self._answers, timeout, "influxd to start", step=0.05)
        except (TimeoutError, InfluxError):
            self.kill()
            raise InfluxError("influxd did not start:\n" + self.log.read_text(errors="replace")[-4000:]) from None
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise InfluxError("influxd has exited")
        listening = re.search(rb"Listening on HTTP.*?(127\.0\.0\.1:\d+)", self.log.read_bytes())
        if not listening:
            return False
        self.address = listening[1].decode()
        return self._request("GET", "/ping", {})[0] == 204

    @property
    def pid(self):
        return self.process.pid

    def kill(self):
        """SIGKILL: what a crash leaves behind."""
        self._end(signal.SIGKILL)

    def stop(self):
        """An orderly end."""
        self._end(signal.SIGTERM)

    def _end(self, number):
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        if self.process:
            self.process.send_signal(number)
            self.process.wait(HANG)
            self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def write(self, lines, db, rp=""):
        """Line protocol; returns only when influxd has acknowledged all of it."""
        body = lines if isinstance(lines, bytes) else "\n".join(lines).encode()
        status, answer = self._request("POST", "/write", {"db": db, "rp": rp}, body)
        if status != 204:
            raise InfluxError(f"write: {status} {answer.decode(errors='replace')}")

    def query(self, query, db="", accept=None, **parameters):
        """The raw bytes that the server answers."""
        headers = {"Accept": accept} if accept else {}
        status, answer = self._request("POST", "/query", {"q": query, "db": db, **parameters}, headers=headers)
        if status != 200:
            raise InfluxError(f"{query}: {status} {answer.decode(errors='replace')}")
        return answer

    def run(self, query, db="", **parameters):
        """The series of the one answer; an error in it is raised."""
        result = json.loads(self.query(query, db, **parameters))["results"][0]
        if "error" in result:
            raise InfluxError(f"{query}: {result['error']}")
        return result.get("series", [])

    def _request(self, method, path, parameters, body=None, headers=None):
        url = path + "?" + urllib.parse.urlencode({k: v for k, v in parameters.items() if v != ""})
        connection = self._connections.get(threading.get_ident())
        if not connection:
            connection = self._connections[threading.get_ident()] = http.client.HTTPConnection(self.address, timeout=HANG)
        try:
            connection.request(method, url, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise


def tsm_files(root):
    """The TSM files that are there now, by path: compactions replace them."""
    return {path for path in files_in(Path(root) / "data") if path.endswith(".tsm")}
