#!/usr/bin/python3
"""What a Swift of the tests needs of Debian's Swift, which only Debian's python3 can import.

    swiftnode.py rings FOLDER account=PORT container=PORT object=PORT
    swiftnode.py serve FOLDER PROGRAM CONFIG…

The second runs one of Swift's servers with FOLDER/swift.conf: they have no option for another than
that in /etc/swift."""

import runpy
import sys

from swift.common import utils


def rings(folder, *ports):
    """One device in each ring: one node, one replica."""
    from swift.common.ring import RingBuilder
    for name, port in (word.split("=") for word in ports):
        builder = RingBuilder(part_power=4, replicas=1, min_part_hours=1)
        builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "ip": "127.0.0.1", "port": int(port), "device": "disk"})
        builder.rebalance()
        builder.get_ring().save(f"{folder}/{name}.ring.gz")


def serve(folder, program, *words):
    # Before anything else of Swift is imported, which reads that file.
    utils.set_swift_dir(folder)
    sys.argv = [program, *words]
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    {"rings": rings, "serve": serve}[sys.argv[1]](*sys.argv[2:])
