/* fuzz_csv.c - tables and schemas: the first byte chooses the options. What is opened is whole, finite and the same
 * for the schema that it made. */
#include "tests/fuzz/fuzz.h"

#include <math.h>

static void check(const ib_dataset *d)
{
    const ib_input_info in = ib_dataset_info(d);
    for (int64_t i = 0; i < ib_dataset_count(d); i++) {
        if (ib_dataset_label(d, i) >= in.classes)
            abort();
        for (int64_t j = 0; j < (int64_t)in.c * in.h * in.w; j++)
            if (!isfinite(ib_dataset_image(d, i)[j]))
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char spec[80];
    if (!size)
        return 0;
    ib_schema_free(ib_schema_parse((const char *)data, size));
    snprintf(spec, sizeof spec, "csv:%s%s", input_file(data + 1, size - 1), data[0] & 1 ? ":1x2x2" : "");
    ib_data_opts o = {
        .label = data[0] & 2 ? "1" : NULL, .drop = data[0] & 4 ? "2" : NULL, .fill_missing = data[0] >> 3 & 1};
    ib_dataset *train = NULL, *test = NULL;
    if (ib_dataset_open_parts(spec, NULL, &o, &train, &test))
        return 0;
    check(train);
    check(test);
    o.schema = ib_dataset_schema(train);
    if (o.schema) {
        ib_dataset *again = ib_dataset_open_with(spec, IB_SPLIT_TEST, NULL, &o);
        if (!again || ib_dataset_count(again) != ib_dataset_count(test))
            abort();
        ib_dataset_free(again);
    }
    ib_dataset_free(train);
    ib_dataset_free(test);
    return 0;
}
