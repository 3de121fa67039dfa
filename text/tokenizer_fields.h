/* tokenizer_fields.h - inside data/: what the fields of tokenizer.json may say. */
#ifndef IB_TEXT_TOKENIZER_FIELDS_H
#define IB_TEXT_TOKENIZER_FIELDS_H

#include <json-c/json.h>

#include <isobit/status.h>

/* Every field of an object ("normalizer", "added token") of the given type ("" where it has none) against the table
 * tokenizer_fields.def; IB_EUNSUPPORTED names the first that cannot be honoured. */
ib_status ib_tokenizer_fields(const char *object, const char *type, struct json_object *o);

#endif
