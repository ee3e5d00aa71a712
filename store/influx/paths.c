/* SPDX-License-Identifier: MIT */
#include "store/influx/paths.h"

#include <stdlib.h>

const char *const store_folder_names[STORE_FOLDERS] = {"meta", "data", "wal"};
const char *const store_folder_variables[STORE_FOLDERS] = {"INFLUXDB_META_DIR", "INFLUXDB_DATA_DIR",
                                                           "INFLUXDB_DATA_WAL_DIR"};

char **store_folder_of(struct store_paths *p, size_t i)
{
    return i == 0 ? &p->meta : i == 1 ? &p->data : &p->wal;
}

const char *store_folder(const struct store_paths *p, size_t i)
{
    return i == 0 ? p->meta : i == 1 ? p->data : p->wal;
}

void store_paths_free(struct store_paths *p)
{
    free(p->meta);
    free(p->data);
    free(p->wal);
    free(p->config);
    *p = (struct store_paths){0};
}
