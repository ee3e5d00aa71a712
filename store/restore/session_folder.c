/* SPDX-License-Identifier: MIT */
#include "store/restore/session_folder.h"

#include "store/base/cleanup.h"
#include "store/restore/session_parts.h"

int session_folder_new(struct session *s, struct spool_folder **out, struct err *e)
{
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = staging_aside(s->staging, &t, e);
    if (ret < 0)
        return ret;
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
