"""The configuration of a Swift of one node on loopback, as a small deployment has it, for lib/objectstore.py."""

import os
import pwd

KINDS = ("account", "container", "object")
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
# The object server tells the container of what it has taken; past this time, a listing lacks it for a while.
container_update_timeout = 300
"""

UPDATER = """\
[container-updater]
conn_timeout = 60
node_timeout = 300
slowdown = 0
"""

PROXY = """\
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk tempurl s3api tempauth copy
    container-quotas account-quotas slo dlo versioned_writes symlink proxy-logging proxy-server

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


def myself():
    return pwd.getpwuid(os.geteuid()).pw_name


def write(folder, ports):
    """For a proxy, an account, a container and an object server. ports: theirs and memcached's, by name."""
    (folder / "swift.conf").write_text(SWIFT_CONF)
    texts = {kind: STORAGE.format(kind=kind) for kind in KINDS}
    texts["container"] += UPDATER
    texts["proxy"] = PROXY.format(memcached=ports["memcached"])
    texts["proxy"] += "\n".join(f"[filter:{name}]\nuse = egg:swift#{name.replace('-', '_')}" for name in PLAIN_FILTERS)
    for name, text in texts.items():
        (folder / f"{name}.conf").write_text(SERVER.format(folder=folder, port=ports[name], user=myself()) + text)
