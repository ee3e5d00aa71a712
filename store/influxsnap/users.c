/* SPDX-License-Identifier: MIT */
/* influxsnap users: who may do what, and with which hash. */
#include "store/base/json.h"
#include "store/influx/influxql.h"
#include "store/influxsnap/metalook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define PASSWORD_BYTES 16

/* Nobody knows it who does not read what is printed. */
static int put_password(struct buffer *out)
{
    unsigned char bits[PASSWORD_BYTES];
    char text[2 * PASSWORD_BYTES + 1];
    if (getrandom(bits, sizeof(bits), 0) != sizeof(bits))
        return -errno;
    for (size_t i = 0; i < sizeof(bits); i++)
        snprintf(text + 2 * i, 3, "%02x", bits[i]);
    influxql_put_text(out, text);
    return 0;
}

static int users_create(struct buffer *out, const struct metaedit_item *user)
{
    struct buffer hash = {0};
    buffer_string(&hash, "its hash, which InfluxQL cannot set: ");
    buffer_string(&hash, user->text);
    metalook_comment_all(out, &hash);
    buffer_string(out, "CREATE USER ");
    influxql_put_name(out, user->name);
    buffer_string(out, " WITH PASSWORD ");
    int r = put_password(out);
    buffer_string(out, user->admin ? " WITH ALL PRIVILEGES;\n" : ";\n");
    return r;
}

static void users_grant(struct buffer *out, const struct metaedit_item *grant, const char *user)
{
    if (!influxql_privilege(grant->privilege))
        return;
    influxql_put_grant(out, grant->privilege, grant->name, user);
    buffer_string(out, ";\n");
}

static int users_sql(const struct metaedit *m, struct buffer *out)
{
    const struct metaedit_item *user = metaedit_first(m, NULL, METAEDIT_USER), *grant;
    int r = 0;
    metalook_comment(out, "Users and grants. The passwords here are random; set others with SET "
                          "PASSWORD FOR.\nThe databases must be there first: influxsnap queries.");
    for (; r == 0 && user; user = metaedit_next(user)) {
        r = users_create(out, user);
        for (grant = metaedit_first(m, user, METAEDIT_GRANT); grant; grant = metaedit_next(grant))
            users_grant(out, grant, user->name);
    }
    return r;
}

static struct json_object *users_json(const struct metaedit *m)
{
    struct json_object *o = json_object_new_object(), *users = json_object_new_array();
    const struct metaedit_item *user = metaedit_first(m, NULL, METAEDIT_USER), *grant;
    for (; user; user = metaedit_next(user)) {
        struct json_object *u = json_object_new_object(), *grants = json_object_new_array();
        for (grant = metaedit_first(m, user, METAEDIT_GRANT); grant; grant = metaedit_next(grant)) {
            struct json_object *g = json_object_new_object();
            json_add_text(g, "database", grant->name);
            json_add(g, "privilege", json_text_or_null(influxql_privilege(grant->privilege)));
            json_object_array_add(grants, g);
        }
        json_add_text(u, "name", user->name);
        json_add_text(u, "hash", user->text);
        json_add_bool(u, "admin", user->admin);
        json_add(u, "grants", grants);
        json_object_array_add(users, u);
    }
    json_add(o, "users", users);
    return o;
}

int snap_users(struct snap *s)
{
    struct metalook l;
    struct buffer text = {0};
    struct err e = {0};
    int code = metalook_open(s, &l);
    if (code != EXIT_DONE)
        return code;
    if (s->o.json) {
        code = metalook_write_json(s, users_json(l.m));
    } else {
        int r = users_sql(l.m, &text);
        code = r < 0 ? snap_fail(err_sys(&e, r, "random bits for passwords"), &e)
                     : metalook_write(s, &text);
    }
    buffer_free(&text);
    metalook_clear(&l);
    return code;
}
