"""The real `influxd backup` and `influxd restore`, on a running influxd of lib.influxd."""

import io
import os
import re
import struct
import subprocess
import tarfile
from pathlib import Path

from lib.files import HANG
from lib.influxd import InfluxError, find_influxd


def rpc_address(influxd):
    """Where it listens for backups; the kernel has chosen the port."""
    sockets = {os.readlink(link) for link in Path(f"/proc/{influxd.pid}/fd").iterdir() if link.is_symlink()}
    http = int(influxd.address.rpartition(":")[2])
    for line in Path(f"/proc/{influxd.pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        port = int(fields[1].rpartition(":")[2], 16)
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets and port != http:
            return f"127.0.0.1:{port}"
    raise InfluxError("influxd does not listen for backups")


def influxd_command(*words):
    """What it said. A backup that fails may exit with 0, and then says so."""
    done = subprocess.run([find_influxd(), *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=HANG)
    if done.returncode or re.search(r"backup failed|retrying", done.stdout, re.I):
        raise InfluxError(f"influxd {' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def backup(influxd, folder, *options):
    return influxd_command("backup", "-host", rpc_address(influxd), *options, folder)


def restore_portable(influxd, folder, *options):
    return influxd_command("restore", "-portable", "-host", rpc_address(influxd), *options, folder)


def restore_legacy(store, folder, database):
    """Into the folders of a server that does not run."""
    return influxd_command("restore", "-metadir", store / "meta", "-datadir", store / "data", "-database", database, folder)


def tar_of(files):
    """A tar as `influxd backup` writes it: name -> bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    data = out.getvalue().rstrip(b"\0")
    return data + bytes(-len(data) % 512 + 1024)


def legacy_meta(meta):
    """The bytes of a meta.NN with those of a meta.db."""
    return struct.pack(">QQ", 0x59590101, len(meta)) + meta + struct.pack(">Q", 5) + b"null\n"
