/* SPDX-License-Identifier: MIT */
/* toml_read and config_parse: the text of an influxdb.conf. */
#include "store/influx/config.h"
#include "store/influx/toml.h"
#include "tests/fuzz/fuzz.h"

struct seen {
    unsigned lines, last;
    size_t bytes, items;
};

static int on_item(void *arg, const struct toml_item *i)
{
    struct seen *s = arg;
    must(i->depth >= 1 && i->line >= s->last && i->line <= s->lines);
    for (size_t k = 0; k < i->depth; k++)
        must(strlen(i->key[k]) <= s->bytes);
    must(!i->string || strlen(i->string) <= s->bytes);
    must(!i->word || (*i->word && strlen(i->word) <= s->bytes && !i->string));
    s->last = i->line;
    s->items++;
    return 0;
}

static void check_folder(const char *folder, size_t n)
{
    must(!folder || (*folder && strlen(folder) <= n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *text = (const char *)data;
    struct store_paths p = {0};
    struct err e = {""};
    struct seen s = {.lines = 1, .bytes = n};
    for (size_t i = 0; i < n; i++)
        s.lines += text[i] == '\n';
    int read = toml_read(text, n, "a.conf", on_item, &s, &e);
    must_explain(read, -EINVAL, &e);
    e.text[0] = '\0';
    int r = config_parse(text, n, "a.conf", &p, &e);
    must_explain(r, -EINVAL, &e);
    must(r >= 0 || strncmp(e.text, "a.conf:", 7) == 0);
    must(r < 0 || read == 0);
    must(!p.config);
    check_folder(p.meta, n);
    check_folder(p.data, n);
    check_folder(p.wal, n);
    must(r == 0 || (!p.meta && !p.data && !p.wal));
    store_paths_free(&p);
    return 0;
}
