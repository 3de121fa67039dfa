/* settings.h - what a training was asked for, as one line "key=value key=value". */
#ifndef IB_LM_TRAIN_SETTINGS_H
#define IB_LM_TRAIN_SETTINGS_H

#include <isobit/status.h>

/* IB_EINVAL names every key whose value in the file (`was`) is another than now, with both. A key is small letters
 * and underscores behind a blank or at the beginning, before '='; a value may hold blanks, those at its end do not
 * count. */
ib_status ib_settings_same(const char *file, const char *was, const char *now);
/* The value of a key, yours to ib_free(); NULL: it is not set. */
char *ib_settings_value(const char *text, const char *key);

#endif
