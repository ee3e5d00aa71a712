/* SPDX-License-Identifier: MIT */
/* journal_parse: of a damaged journal nothing is believed, and another is the same when it is
 * written and read. */
#include "store/restore/journal.h"

#include "store/base/cleanup.h"
#include "store/base/sha256.h"
#include "tests/fuzz/fuzz.h"

static void set_paths(struct targets *t)
{
    static char paths[TARGETS][8] = {"/s/meta", "/s/data", "/s/wal"};
    for (int i = 0; i < TARGETS; i++)
        t->at[i].path = paths[i];
}

static int parse(const char *text, struct targets *t, enum journal_phase *phase, char id[129])
{
    autofree char *copy = strdup(text);
    *t = (struct targets){0};
    set_paths(t);
    must(copy);
    int r = journal_parse(copy, t, phase, id);
    must(r == 0 || r == -EBADMSG || r == -ESTALE);
    for (int i = 0; r < 0 && i < TARGETS; i++)
        must(!t->at[i].inside && !t->at[i].existed && !t->discard);
    return r;
}

static void check_round_trip(const struct targets *t, enum journal_phase phase, const char *id)
{
    struct targets again;
    autofree char *text = NULL;
    size_t len;
    enum journal_phase phase_again = JOURNAL_NONE;
    char id_again[129];
    must(phase == JOURNAL_PREPARED || phase == JOURNAL_EXCHANGE);
    must(strlen(id) <= 128 && !strchr(id, '\n'));
    must(journal_format(t, phase, id, &text, &len) == 0);
    must(parse(text, &again, &phase_again, id_again) == 0);
    must(phase_again == phase && strcmp(id_again, id) == 0 && again.discard == t->discard);
    for (int i = 0; i < TARGETS; i++)
        must(again.at[i].inside == t->at[i].inside && again.at[i].existed == t->at[i].existed);
}

/* The input with the line that proves it whole, which no fuzzer finds. */
static char *with_sum(const uint8_t *data, size_t n)
{
    uint8_t sum[SHA256_BYTES];
    char hex[SHA256_HEX + 1], *out = NULL;
    struct sha256 *s = sha256_new();
    autofree char *text = strndup((const char *)data, n);
    must(s && text);
    char *end = strstr(text, "\nsum ");
    if (end)
        end[1] = 0;
    sha256_add(s, text, strlen(text));
    sha256_end(s, sum);
    sha256_free(s);
    sha256_hex(sum, hex);
    must(asprintf(&out, "%ssum %s\n", text, hex) > 0);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct targets t;
    enum journal_phase phase = JOURNAL_NONE;
    char id[129] = "";
    autofree char *raw = strndup((const char *)data, n), *whole = with_sum(data, n);
    if (parse(raw, &t, &phase, id) == 0)
        check_round_trip(&t, phase, id);
    if (parse(whole, &t, &phase, id) == 0)
        check_round_trip(&t, phase, id);
    return 0;
}
