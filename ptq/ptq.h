/* ptq.h - inside ptq/: a matrix that is to be quantized, and the methods that do it. */
#ifndef IB_PTQ_PTQ_H
#define IB_PTQ_PTQ_H

#include <isobit/ptq.h>

#include "lm/lm.h"
#include "ptq/statistics.h"

typedef struct ib_ptq_task {
    const float *w; /* [rows][cols] */
    int64_t rows, cols;
    const ib_storage *to;
    const ib_statistics *of; /* NULL: no text goes through it */
    double energy;           /* ib_ptq_energy() of w */
    const ib_ptq_opts *o;
    ib_graph *g; /* of the device that computes: it has no step under way */
} ib_ptq_task;

typedef struct ib_ptq_method {
    ib_ptq_name name;
    unsigned needs;
    /* A matrix of yours; what it has to say goes into the report's note. NULL with ib_error(). */
    ib_matrix *(*quantize)(const ib_ptq_task *t, ib_ptq_report *r);
    const char *transform; /* of ptq/transforms.def, that comes before it; NULL: none */
} ib_ptq_method;
const ib_ptq_method *ib_ptq_method_find(const char *name); /* NULL with ib_error() */

#define METHOD(name, needs, summary) ib_matrix *ib_ptq_##name(const ib_ptq_task *t, ib_ptq_report *r);
#define COMPOSED(name, transform, method, needs, summary)
#include "ptq/methods.def"
#undef COMPOSED
#undef METHOD

/* Mean squares of the columns, [cols], yours to ib_free; NULL where no text goes through it, or memory is out (status).
 */
float *ib_ptq_importance(const ib_ptq_task *t, ib_status *status);
/* |X D'|^2 of d [rows][cols], by what is known of X (ib_ptq_report). -1 with ib_error(). */
double ib_ptq_energy(const ib_ptq_task *t, const float *d);
/* |X (W - Q)'|^2 / |X W'|^2. -1 with ib_error(). */
double ib_ptq_error(const ib_ptq_task *t, const ib_matrix *q);

/* ---- recipes ---- */

enum { IB_PTQ_EMBEDDING = IB_N_ROLES, IB_PTQ_HEAD };
/* Which matrix of a model it is. */
typedef struct ib_ptq_place {
    int layer, role; /* role IB_PTQ_EMBEDDING, IB_PTQ_HEAD beside those of lm.h; their layer is -1 */
    int64_t rows, cols;
    int layers, sharing; /* blocks of the model; heads to one of keys and values */
    int tied, weighed;   /* the head is the embedding; there is an importance matrix */
} ib_ptq_place;
/* The format that a recipe or storage format gives a matrix; NULL with ib_error(). */
const ib_storage *ib_ptq_type_of(const char *to, const ib_ptq_place *p);

#endif
