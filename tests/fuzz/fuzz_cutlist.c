/* SPDX-License-Identifier: MIT */
/* cutlist_parse: what it lets through is safe and in order, and is the same when it is written and
 * read; and a summary tells of it what its lines do. */
#include "store/chain/cutlist.h"
#include "store/snapshot/manifest.h"
#include "tests/fuzz/cut_text.h"

static void check_names(const char *const *names, size_t n, bool folders)
{
    for (size_t i = 0; i < n; i++)
        must(manifest_name_ok(names[i], folders));
}

static void check(const struct cutlist *l)
{
    const struct cut_head *h = &l->head;
    must(*h->id && *h->chain && h->number >= -1);
    for (size_t i = 0; i < l->n; i++) {
        const struct cut_entry *e = &l->entries[i];
        must(manifest_name_ok(e->path, cut_is_folder(e)));
        must(e->attr.size <= MANIFEST_FILE_MAX && (!cut_is_folder(e) || e->attr.size == 0));
        must(i == 0 || cut_path_cmp(l->entries[i - 1].path, e->path) < 0);
    }
    check_names(l->removed, l->nremoved, false);
    check_names(l->removed_folders, l->nremoved_folders, true);
    for (size_t i = 0; i < l->nlinks; i++)
        must(l->links[i] != NULL);
}

static void check_summary(const struct cutlist *l, const struct cut_summary *sum)
{
    uint64_t files = 0, bytes = 0;
    for (size_t i = 0; i < l->n; i++) {
        files += !cut_is_folder(&l->entries[i]);
        bytes += l->entries[i].attr.size;
    }
    must(sum->files == files && sum->bytes == bytes);
    must(sum->head.serial == l->head.serial && sum->head.number == l->head.number);
    must(strcmp(sum->head.id, l->head.id) == 0 && strcmp(sum->head.parent, l->head.parent) == 0);
    must(sum->head.wall_ns == l->head.wall_ns && sum->head.guard == l->head.guard);
    must(strcmp(sum->head.lost.names, l->head.lost.names) == 0);
}

static void check_round_trip(const struct cutlist *l)
{
    struct cutlist *again = NULL;
    char *one = NULL, *other = NULL;
    size_t n_one = 0, n_other = 0;
    must(cutlist_render(l, &one, &n_one) == 0);
    must(cutlist_parse("again", strdup(one), n_one, &again, NULL) == 0);
    check(again);
    must(again->n == l->n && again->nremoved == l->nremoved && again->nlinks == l->nlinks);
    must(cutlist_render(again, &other, &n_other) == 0);
    must(n_one == n_other && memcmp(one, other, n_one) == 0);
    cutlist_free(again);
    free(one);
    free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct cutlist *l = NULL;
    struct cut_summary sum = {0};
    struct err e = {""}, e_sum = {""};
    size_t len;
    char *text = cut_text(data, n, &len);
    char *copy = malloc(len + 1);
    must(copy != NULL);
    memcpy(copy, text, len + 1);
    int r_sum = cutlist_sum_up("sum", copy, len, &sum, &e_sum);
    int r = cutlist_parse("list", text, len, &l, &e);
    must_explain(r == -EINVAL ? -EBADMSG : r, -EBADMSG, &e);
    must_explain(r_sum == -EINVAL ? -EBADMSG : r_sum, -EBADMSG, &e_sum);
    must((r == 0) == (l != NULL));
    if (l) {
        check(l);
        must(r_sum == 0);
        check_summary(l, &sum);
        check_round_trip(l);
    }
    cutlist_free(l);
    free(copy);
    return 0;
}
