"""The Debian package of this checkout."""

import re

from lib.files import CHECKOUT, run


def built():
    """The package; make builds it anew when a source is newer."""
    run("make", "-C", CHECKOUT, "deb")
    return CHECKOUT / f"build/influxfs_{version()}_{run('dpkg', '--print-architecture').strip()}.deb"


def version():
    return re.search(r"^VERSION := (\S+)$", (CHECKOUT / "Makefile").read_text(), re.M)[1]


def field(package, name):
    return run("dpkg-deb", "--field", package, name).strip()


def repacked(package, other_version, folder):
    """The same with another version."""
    unpacked = folder / f"influxfs-{other_version}"
    run("dpkg-deb", "--raw-extract", package, unpacked)
    control = unpacked / "DEBIAN/control"
    control.write_text(re.sub("^Version: .*$", f"Version: {other_version}", control.read_text(), flags=re.M))
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", unpacked, f"{unpacked}.deb")
    return f"{unpacked}.deb"
