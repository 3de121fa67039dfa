/* regression.h - how far numbers are from those they should be, in the units of the table. */
#ifndef IB_CLI_ANSWERS_REGRESSION_H
#define IB_CLI_ANSWERS_REGRESSION_H

#include "cli/answers/engine.h"

/* Whether the schema (NULL: none) is of a network that gives numbers. */
int is_regression(const ib_schema *schema);
/* Outputs y[n, targets] in the units of the table; out may be y. */
void to_units(const ib_schema *schema, int64_t n, const float *y, float *out);
/* All of the data through the engine, or through the session's network, in float or as it is; r is the caller's to
 * release. 0, or 1 after telling. */
int regression_by_engine(engine *e, const ib_dataset *d, ib_evaluation *r);
int regression_by_network(session *s, const ib_dataset *d, int in_float, ib_evaluation *r);
/* "R^2 0.4521, RMSE 54.31, MAE 44.08", with several targets each of them by name; and as keys of j. */
void regression_print(const ib_evaluation *r);
void regression_json(const ib_evaluation *r, struct json_object *j);

#endif
