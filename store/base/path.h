/* SPDX-License-Identifier: MIT */
/* Paths as text: no file system is accessed. A path has no "//" and no slash at the end, except for
 * "/"; "" is the folder that relative paths begin in. */
#ifndef INFLUXFS_BASE_PATH_H
#define INFLUXFS_BASE_PATH_H

#include <stdbool.h>

/* The last name of a path, within it: "c" of "a/b/c", "a" of "a", "" of "/". */
const char *path_last(const char *path);

/* Cuts the path down to its parent: "a/b" to "a", "a" to "", "/a" to "/". false for "/" and "",
 * which have none and stay unchanged. */
bool path_up(char *path);

/* The rest of path below folder, within path: "b/c" for "a/b/c" below "a", "" for the folder
 * itself, NULL if path is not in folder. All relative paths lie below "". */
const char *path_below(const char *path, const char *folder);

/* folder and name with a slash between them where one is needed; name may be a path or "" (the
 * folder itself). Fresh memory, or NULL. */
char *path_join(const char *folder, const char *name);

#endif
