/* device.c - the kinds of devices, and opening one by its name. */
#include <stdlib.h>
#include <string.h>

#include "backends/kernels.h"
#include "base/alloc.h"
#include "base/argument.h"
#include "base/number.h"

typedef struct ib_device_kind {
    const char *name;
    ib_device *(*open)(const char *variant, const char *asked);
    void (*close)(ib_device *dev);
    const char *(*name_at)(int i);
} ib_device_kind;

#define DEVICE(kind)                                                                                                   \
    ib_device *ib_##kind##_open(const char *variant, const char *asked);                                               \
    void ib_##kind##_close(ib_device *dev);                                                                            \
    const char *ib_##kind##_name_at(int i);
#include "backends/devices.def"
#undef DEVICE

static const ib_device_kind kinds[] = {
#define DEVICE(kind) {#kind, ib_##kind##_open, ib_##kind##_close, ib_##kind##_name_at},
#include "backends/devices.def"
#undef DEVICE
};

enum { KINDS = sizeof kinds / sizeof *kinds };

const char *ib_device_name_at(int i)
{
    for (int k = 0; k < KINDS && i >= 0; k++) {
        int n = 0;
        while (kinds[k].name_at(n) && n < i)
            n++;
        if (kinds[k].name_at(n))
            return kinds[k].name_at(n);
        i -= n;
    }
    return NULL;
}

/* What a message says of devices, in two parts: "cpu, cpu:ref" and "cpu:amx (why), cuda (why)". */
typedef struct choices {
    char here[120], not_here[340], why[200]; /* why: of the last in not_here, whose bracket is open; "": none is */
} choices;

static void add_text(char *text, size_t bytes, const char *between, const char *more)
{
    const size_t at = strlen(text);
    ib_snprintf(text + at, bytes - at, "%s%s", at ? between : "", more);
}

/* Names in a row that lack the same share its reason. */
static void add_not_here(choices *c, const char *name, const char *why)
{
    if (*c->why && strcmp(c->why, why) != 0) {
        add_text(c->not_here, sizeof c->not_here, " (", c->why);
        add_text(c->not_here, sizeof c->not_here, "", ")");
    }
    ib_snprintf(c->why, sizeof c->why, "%.190s%s", why, strlen(why) > 190 ? "..." : "");
    if (*name)
        add_text(c->not_here, sizeof c->not_here, ", ", name);
}

/* Opens it to see. */
static void add_choice(choices *c, const ib_device_kind *kind, const char *name)
{
    const char *variant = strchr(name, ':');
    ib_device *dev = kind->open(variant ? variant + 1 : NULL, "");
    if (!dev)
        add_not_here(c, name, ib_error() + 2 * !strncmp(ib_error(), ": ", 2)); /* `asked` was "" */
    if (!dev)
        return;
    kind->close(dev);
    add_text(c->here, sizeof c->here, ", ", name);
}

ib_device *ib_device_unknown(const char *asked)
{
    choices c = {0};
    const char *name;
    for (int k = 0; k < KINDS; k++) {
        add_choice(&c, &kinds[k], kinds[k].name);
        for (int i = 0; (name = kinds[k].name_at(i)); i++)
            if (strcmp(name, kinds[k].name) != 0)
                add_choice(&c, &kinds[k], name);
    }
    add_not_here(&c, "", "");
    return ib_fail_null(IB_EUNSUPPORTED, "%s: here are %s%s%s", asked, c.here, *c.not_here ? "; not here: " : "",
                        c.not_here);
}

ib_device *ib_device_open(const char *name)
{
    const char *own = name ? NULL : getenv("ISOBIT_DEVICE"), *from = own && *own ? "ISOBIT_DEVICE: " : "";
    char asked[100];
    if (!name)
        name = own;
    if (!name || !*name)
        name = kinds[0].name;
    const char *variant = strchr(name, ':');
    const size_t length = variant ? (size_t)(variant - name) : strlen(name);
    ib_snprintf(asked, sizeof asked, "%sdevice '%.60s%s'", from, name, strlen(name) > 60 ? "..." : "");
    for (int k = 0; k < KINDS; k++)
        if (strlen(kinds[k].name) == length && !strncmp(kinds[k].name, name, length)) {
            ib_device *dev = kinds[k].open(variant ? variant + 1 : NULL, asked);
            if (!dev)
                return NULL;
            dev->kind = &kinds[k];
            dev->host = dev->is_host ? dev : ib_device_open(kinds[0].name);
            if (!dev->host) {
                ib_device_close(dev);
                return NULL;
            }
            return dev;
        }
    return ib_device_unknown(asked);
}

void ib_device_close(ib_device *dev)
{
    if (!dev)
        return;
    if (dev->host != dev)
        ib_device_close(dev->host);
    dev->kind->close(dev);
}

const char *ib_device_name(const ib_device *dev)
{
    IB_NEED_OR(dev, "");
    return dev->name;
}

const char *ib_device_products(const ib_device *dev)
{
    IB_NEED_OR(dev, "");
    return dev->products;
}
