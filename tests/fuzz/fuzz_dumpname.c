/* SPDX-License-Identifier: MIT */
/* dump_name: the names of dumps, which users type; and measurements, which influxd takes as they
 * come. The input is either. */
#include "store/export/dump_name.h"

#include "tests/fuzz/fuzz.h"

/* What is made of a measurement fits, is a name, and is found again. */
static void there_and_back(const char *p, size_t n, enum dump_format format, enum dump_names names)
{
    char name[DUMP_NAME_MAX + 1];
    struct dump_name parsed;
    struct slice measurement = {p, n};
    dump_name_file(measurement, 16963, format, names, name);
    must(strlen(name) <= DUMP_NAME_MAX && !strchr(name, '/'));
    must(dump_name_parse(name, format, &parsed));
    must(parsed.from == 16963 * DAY_NS && parsed.to == 16964 * DAY_NS);
    must(dump_name_is_shortened_of(&parsed, measurement));
    if (!parsed.shortened)
        must(parsed.n == n && memcmp(parsed.measurement, p, n) == 0);
    dump_name_folder(measurement, name);
    must(strlen(name) <= DUMP_NAME_MAX && strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    enum dump_format format = (enum dump_format)(data[0] % 3);
    const char *p = (const char *)data + 1;
    size_t n = size - 1;
    struct dump_name parsed;
    int32_t day;
    there_and_back(p, n, format, DUMP_NAMES_COLONS);
    there_and_back(p, n, format, DUMP_NAMES_COMPACT);
    char *name = strndup(p, n);
    if (!name)
        abort();
    if (dump_name_parse(name, format, &parsed))
        must(parsed.n > 0 && parsed.n < n && strlen(parsed.coded) < n);
    if (dump_name_is_day(name, &day))
        must(strlen(name) == 10);
    free(name);
    return 0;
}
