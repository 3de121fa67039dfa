/* regression.h - how far numbers are from those they should be, in the units of the table. */
#ifndef IB_CLI_ANSWERS_REGRESSION_H
#define IB_CLI_ANSWERS_REGRESSION_H

#include "cli/answers/engine.h"

/* Of one target: root of the mean squared error, mean absolute error, R^2 = 1 - sum (y - t)^2 / sum (t - mean t)^2 (as
 * scikit-learn's r2_score: of targets that are all the same 1 without an error, else 0). */
typedef struct regression_target {
    const char *name; /* "" where there is none */
    double rmse, mae, r2;
} regression_target;

typedef struct regression {
    int n;
    regression_target *targets; /* [n], to be given to free() */
    double loss;                /* mean squared error of what the network gives */
    double r2;                  /* mean over the targets */
} regression;

/* Whether the schema (NULL: none) is of a network that gives numbers. */
int is_regression(const ib_schema *schema);
/* Outputs y[n, targets] in the units of the table; out may be y. */
void to_units(const ib_schema *schema, int64_t n, const float *y, float *out);
/* All of the data through the engine, or through the session's network, in float or as it is. 0, or 1 after telling. */
int regression_by_engine(engine *e, const ib_dataset *d, regression *r);
int regression_by_network(session *s, const ib_dataset *d, int float_engine, regression *r);
/* "R^2 0.4521, RMSE 54.31, MAE 44.08", with several targets each of them by name; and as keys of j. */
void regression_print(const regression *r);
void regression_json(const regression *r, struct json_object *j);

#endif
