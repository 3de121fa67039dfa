/* json_scan.h - JSON read strictly (RFC 8259): what json-c would let pass or lose is a fault that is named. */
#ifndef IB_FILES_JSON_SCAN_H
#define IB_FILES_JSON_SCAN_H

#include <json-c/json.h>
#include <stddef.h>

#include <isobit/status.h>

/* Moves *at from a value's beginning in text[n] behind its end. A fault leaves *at where it is and ib_error() with what
 * it is, without a place: syntax, bytes that are not UTF-8, half surrogate pairs, numbers beyond double, a key that
 * stands twice in one object or holds U+0000, more than 64 levels. zeros: texts may hold U+0000. */
ib_status ib_json_scan(const char *text, size_t n, size_t *at, int zeros);
/* Moves *at over white space. */
void ib_json_space(const char *text, size_t n, size_t *at);
/* The same, and what stands there; the caller's to json_object_put. NULL with ib_error(), also for a bare null. */
struct json_object *ib_json_parse(const char *text, size_t n, size_t *at, int zeros);
/* Line and byte of text + at, both from 1. */
void ib_json_place(const char *text, size_t at, long long *line, long long *byte);

#endif
