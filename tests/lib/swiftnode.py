#!/usr/bin/python3
"""What a Swift of the tests needs of Debian's Swift, which only Debian's python3 can import.

    swiftnode.py FOLDER account=PORT container=PORT object=PORT

Makes the rings, and then does what lines of standard input ask for:

    ["start", NAME, PROGRAM, WORD…]     prints the process, which says what it says in FOLDER/NAME.log
    ["wait", PID]                       prints its exit code once it has ended

At their end, or its own, all that still run are killed. Swift's programs run with FOLDER/swift.conf, since they
have no option for another than that in /etc/swift; and each is a fork of this one, since most of what they take
to start is to import what all of them import."""

import importlib
import json
import os
import runpy
import signal
import sys

from swift.common import utils

IMPORTED = ("swift.common.ring", "swift.common.wsgi", "swift.account.server", "swift.container.server",
            "swift.obj.server", "swift.proxy.server", "swift.common.middleware.s3api.s3api")


def make_rings(folder, ports):
    """One device in each ring: one node, one replica."""
    from swift.common.ring import RingBuilder
    for name, port in (word.split("=") for word in ports):
        builder = RingBuilder(part_power=4, replicas=1, min_part_hours=1)
        builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "ip": "127.0.0.1", "port": int(port), "device": "disk"})
        builder.rebalance()
        builder.get_ring().save(f"{folder}/{name}.ring.gz")


def become(log, program, *words):
    os.setsid()
    said = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for target, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, said), (2, said)):
        os.dup2(source, target)
    with open(program, "rb") as file:
        is_script = file.read(2) == b"#!"
    if not is_script:
        os.execv(program, [program, *words])
    sys.argv = [program, *words]
    runpy.run_path(program, run_name="__main__")


class Node:
    def __init__(self, folder):
        self.folder = folder
        self.running = set()

    def start(self, name, program, *words):
        pid = os.fork()
        if pid == 0:
            self.running.clear()  # they are not its own
            become(f"{self.folder}/{name}.log", program, *words)
            sys.exit()
        self.running.add(pid)
        return pid

    def wait(self, pid):
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.running.remove(pid)
        return code

    def kill(self):
        for pid in self.running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def main(folder, *ports):
    # Before anything else of Swift is imported, which reads that file.
    utils.set_swift_dir(folder)
    make_rings(folder, ports)
    for module in IMPORTED:
        importlib.import_module(module)
    # Each server does so first of all, which takes it longer than all that comes after.
    utils.eventlet_monkey_patch()
    node = Node(folder)
    try:
        for line in sys.stdin:
            what, *words = json.loads(line)
            print({"start": node.start, "wait": node.wait}[what](*words), flush=True)
    finally:
        node.kill()


if __name__ == "__main__":
    main(*sys.argv[1:])
