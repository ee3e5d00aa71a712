/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/receipt.h"

#include "store/base/time.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const forms[] = {"full", "incremental", "legacy", "dumps"};

const char *receipt_form_name(enum receipt_form form)
{
    return forms[form];
}

void receipt_run(int64_t ns, char out[RECEIPT_RUN + 1])
{
    const time_t second = time_to_spec(ns).tv_sec;
    struct tm tm;
    gmtime_r(&second, &tm);
    strftime(out, RECEIPT_RUN + 1, "%Y%m%dT%H%M%SZ", &tm);
}

void receipt_name(const struct receipt *c, const char *ending, char out[RECEIPT_NAME])
{
    snprintf(out, RECEIPT_NAME, "%.*s-%s%s", RECEIPT_STORE, c->store, c->run, ending);
}

static bool is_of(const char *text, size_t n, const char *set)
{
    return strspn(text, set) >= n;
}

static void copy_part(const char *text, size_t n, char *out)
{
    memcpy(out, text, n);
    out[n] = 0;
}

/* STORE-RUN.json, by the shape of it. */
bool receipt_is_name(const char *name, char store[RECEIPT_STORE + 1], char run[RECEIPT_RUN + 1])
{
    const char *const digits = "0123456789", *when = name + RECEIPT_STORE + 1;
    if (strlen(name) != RECEIPT_STORE + 1 + RECEIPT_RUN + sizeof(".json") - 1 ||
        !is_of(name, RECEIPT_STORE, "0123456789abcdef") || when[-1] != '-' ||
        !is_of(when, 8, digits) || when[8] != 'T' || !is_of(when + 9, 6, digits) ||
        strcmp(when + 15, "Z.json") != 0)
        return false;
    if (store)
        copy_part(name, RECEIPT_STORE, store);
    if (run)
        copy_part(when, RECEIPT_RUN, run);
    return true;
}

bool receipt_has_database(const struct receipt *c, const char *db)
{
    for (const char *p = db; *p; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
            return true;
    for (size_t i = 0; i < c->ndatabases; i++)
        if (strcmp(c->databases[i], db) == 0)
            return true;
    return false;
}

const struct receipt_object *receipt_find(const struct receipt *c, const char *name)
{
    for (size_t i = 0; i < c->nobjects; i++)
        if (strcmp(c->objects[i].name, name) == 0)
            return &c->objects[i];
    return NULL;
}

uint64_t receipt_bytes(const struct receipt *c)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < c->nobjects; i++)
        bytes += c->objects[i].size;
    return bytes;
}

static void free_texts(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

void receipt_clear(struct receipt *c)
{
    free(c->host);
    free(c->id);
    free(c->parent);
    free(c->created);
    free(c->follows.name);
    free(c->base.name);
    selection_free(c->selection);
    free_texts(c->databases, c->ndatabases);
    free_texts(c->left_out, c->nleft_out);
    for (size_t i = 0; i < c->nobjects; i++) {
        free(c->objects[i].name);
        free(c->objects[i].what);
    }
    free(c->objects);
    *c = (struct receipt){.number = -1};
}
