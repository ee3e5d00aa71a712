/* SPDX-License-Identifier: MIT */
#include "store/restore/session_folder.h"

#include "store/base/cleanup.h"
#include "store/restore/session_parts.h"

int session_folder_new(struct session *s, struct spool_folder **out, struct err *e)
{
    bool inside[TARGETS];
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = staging_check(s->staging, e);
    if (ret < 0 || (ret = staging_layout(s->staging, inside, e)) < 0 ||
        (ret = staging_targets(s->staging, &t, e)) < 0)
        return ret;
    for (int k = 0; k < TARGETS; k++)
        t->at[k].inside = inside[k];
    return spool_folder_new(staging_state_folder(s->staging), t, out, e);
}

void session_folder_free(struct session *s, struct spool_folder *f)
{
    cleanup(targets_freep) struct targets *t = NULL;
    bool inside = f && spool_folder_is_inside(f);
    spool_folder_free(f);
    if (inside && staging_targets(s->staging, &t, NULL) == 0)
        staging_remove_homes(s->staging, t);
}

void session_folders_tidy(struct session *s, const struct targets *t)
{
    struct err said;
    spool_folders_tidy(staging_state_folder(s->staging), t, &said);
    if (!said.text[0])
        return;
    account_say(s->account, "%s", said.text);
    staging_remove_homes(s->staging, t);
}
