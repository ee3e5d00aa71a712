/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/clone_internal.h"

#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/path.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define RPC_PORT 18088 /* influxd's own, with a 1 before it */
#define HTTP_PORT 18086

static const char form[] =
    "# %s is the store as it was at cut %s, %s.\n"
    "# This is the influxdb.conf for another influxd on it. To end the clone, stop\n"
    "# that influxd and say:\n"
    "#   influxsnap clone --remove %s\n"
    "\n"
    "# A clone speaks to nobody and changes nothing by itself: all that influxd\n"
    "# would do unasked is off.\n"
    "\n"
    "# No usage report to the vendor.\n"
    "reporting-disabled = true\n"
    "# Reachable from this host only, beside the influxd that runs here.\n"
    "bind-address = \"127.0.0.1:%d\"\n"
    "\n"
    "[meta]\n"
    "  dir = %s\n"
    "[data]\n"
    "  dir = %s\n"
    "  wal-dir = %s\n"
    "[http]\n"
    "  bind-address = \"127.0.0.1:%d\"\n"
    "%s"
    "\n"
    "# The subscriptions in the clone lead to where those of the store do: what is\n"
    "# written here would arrive there a second time.\n"
    "[subscriber]\n"
    "  enabled = false\n"
    "# Continuous queries would write into the clone what was not there at the cut.\n"
    "[continuous_queries]\n"
    "  enabled = false\n"
    "# Retention would delete from an old cut just what it was made for.\n"
    "[retention]\n"
    "  enabled = false\n"
    "# No empty shards made ahead, for points that are not to come.\n"
    "[shard-precreation]\n"
    "  enabled = false\n"
    "# No notes of influxd on itself in the database _internal.\n"
    "[monitor]\n"
    "  store-enabled = false\n"
    "# No other way in: these ports belong to the influxd that runs here.\n"
    "[[graphite]]\n"
    "  enabled = false\n"
    "  bind-address = \"127.0.0.1:0\"\n"
    "[[collectd]]\n"
    "  enabled = false\n"
    "  bind-address = \"127.0.0.1:0\"\n"
    "[[opentsdb]]\n"
    "  enabled = false\n"
    "  bind-address = \"127.0.0.1:0\"\n"
    "[[udp]]\n"
    "  enabled = false\n"
    "  bind-address = \"127.0.0.1:0\"\n";

static const char with_auth[] = "  # As in the store's own influxdb.conf.\n"
                                "  auth-enabled = true\n";
static const char without_auth[] =
    "  # Everybody on this host may read it; with true, who has a password of the store.\n"
    "  auth-enabled = false\n";

/* The wanted port, or any other if that is taken. */
static int cloneconf_free_port(int wanted)
{
    autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)wanted)};
    socklen_t len = sizeof(a);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&a, len) < 0) {
        a.sin_port = 0;
        if (bind(fd, (const struct sockaddr *)&a, len) < 0)
            return -errno;
    }
    return getsockname(fd, (struct sockaddr *)&a, &len) < 0 ? -errno : ntohs(a.sin_port);
}

/* FOLDER/NAME as a TOML string, whose escapes are those of JSON. NULL: out of memory. */
static struct json_object *quoted(const char *folder, const char *name)
{
    autofree char *path = path_join(folder, name);
    return path ? json_object_new_string(path) : NULL;
}

static const char *text_of(struct json_object *o)
{
    return json_object_to_json_string_ext(o,
                                          JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

int cloneconf_text(const char *folder, const char *cut, const char *time, bool auth, char **text)
{
    int rpc = cloneconf_free_port(RPC_PORT), http = rpc < 0 ? rpc : cloneconf_free_port(HTTP_PORT),
        r = 0;
    if (http < 0)
        return http;
    struct json_object *meta = quoted(folder, "meta"), *data = quoted(folder, "data"),
                       *wal = quoted(folder, "wal"), *whole = json_text(folder);
    if (!meta || !data || !wal || !whole ||
        asprintf(text, form, text_of(whole), cut, time, text_of(whole), rpc, text_of(meta),
                 text_of(data), text_of(wal), http, auth ? with_auth : without_auth) < 0)
        r = -ENOMEM;
    json_object_put(meta);
    json_object_put(data);
    json_object_put(wal);
    json_object_put(whole);
    return r;
}
