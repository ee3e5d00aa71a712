/* SPDX-License-Identifier: MIT */
/* receipt_read: what it lets through is safe, and is the same when it is written and read. */
#include "mount-helper/nightly/receipt.h"

#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "tests/fuzz/fuzz.h"

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static void check_ref(const struct receipt *c, const struct receipt_ref *ref)
{
    char store[RECEIPT_STORE + 1], run[RECEIPT_RUN + 1];
    int32_t day;
    must((ref->name != NULL) == (c->form == RECEIPT_INCREMENTAL));
    if (!ref->name)
        return;
    must(time_read_day(ref->day, &day) && receipt_is_name(ref->name, store, run));
    must(strncmp(store, c->store, RECEIPT_STORE) == 0 && strcmp(run, c->run) < 0);
}

static void check(const struct receipt *c)
{
    int32_t day;
    char own[RECEIPT_NAME];
    receipt_name(c, "-", own);
    must(strlen(c->store) == STORE_ID && strlen(c->run) == RECEIPT_RUN && c->number >= -1);
    must(time_read_day(c->day, &day));
    check_ref(c, &c->follows);
    check_ref(c, &c->base);
    for (size_t i = 0; i < c->nobjects; i++) {
        const char *name = c->objects[i].name;
        must(*name && !strchr(name, '/') && is_plain(name));
        must(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
        must(receipt_find(c, name) == &c->objects[i]);
        must(c->form > RECEIPT_INCREMENTAL || strncmp(name, own, strlen(own)) == 0);
    }
    for (size_t i = 0; i < c->ndatabases; i++)
        must(is_plain(c->databases[i]));
    must(receipt_bytes(c) <= UINT64_C(1) << 50);
}

static void check_round_trip(const struct receipt *c)
{
    struct receipt again;
    struct buffer one = {0}, other = {0};
    struct err e = {""};
    must(receipt_text(c, &one, &e) == 0);
    must(receipt_read(one.p, one.n, &again, &e) == 0);
    check(&again);
    must(receipt_text(&again, &other, &e) == 0);
    must(one.n == other.n && memcmp(one.p, other.p, one.n) == 0);
    receipt_clear(&again);
    buffer_free(&one);
    buffer_free(&other);
}

static void read_one(const void *text, size_t n)
{
    struct receipt c;
    struct err e = {""};
    int r = receipt_read(text, n, &c, &e);
    must_explain(r, -EBADMSG, &e);
    if (r < 0) {
        must(!c.objects && !c.databases && !c.left_out && !c.id);
        return;
    }
    check(&c);
    check_round_trip(&c);
    receipt_clear(&c);
}

/* The input as it is, and with the sum that proves it whole, which no fuzzer finds. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char sum[SHA256_HEX + 1];
    struct buffer sealed = {0};
    must(sha256_of(data, n, sum) == 0);
    buffer_add(&sealed, data, n);
    buffer_string(&sealed, ",\"sha256\":\"");
    buffer_string(&sealed, sum);
    buffer_string(&sealed, "\"}");
    must(!sealed.failed);
    read_one(data, n);
    read_one(sealed.p, sealed.n);
    buffer_free(&sealed);
    return 0;
}
