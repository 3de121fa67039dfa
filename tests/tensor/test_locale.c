/* test_locale.c - a program that has asked for a locale with a decimal comma reads and writes the same bytes as one
 * that has not. Broken by: text that is read or written by C's own functions instead of base/number.h. */
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/digits.h"

#include "base/number.h"
#include "files/strbuf.h"

static char dir[] = "/tmp/isobit-locale-XXXXXX";

/* Makes the locale de_DE in a folder of its own, as a machine may have none but C. */
static int with_comma(void)
{
    char command[200], made[100];
    snprintf(made, sizeof made, "%s/de_DE.UTF-8", dir);
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s >%s/log 2>&1", made, dir);
    if (access(made, F_OK) && system(command))
        printf("\n    localedef makes no de_DE: ");
    setenv("LOCPATH", dir, 1);
    return setlocale(LC_ALL, "de_DE.UTF-8") && *localeconv()->decimal_point == ',';
}

static char *written(const char *name)
{
    char path[120];
    size_t n = 0;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    char *text = calloc(1, 1 << 20);
    FILE *f = fopen(path, "rb");
    REQUIRE(text && f);
    n = fread(text, 1, (1 << 20) - 1, f);
    fclose(f);
    REQUIRE(n > 0);
    return text;
}

/* A network to C, a table of numbers and a file of a network described by text, there and back. */
static void print_and_read(const char *name)
{
    char path[120];
    begin_with(IB_SPLIT_TRAIN, &(ib_loader_opts){.batch = 32, .seed = 1});
    ib_layer *net = ready(ib_sequential(ib_flatten_layer(), ib_linear_layer(64, 10)));
    REQUIRE(!ib_qat_begin(net, g, loader, &(ib_qat_opts){.weight_bits = 8, .act_bits = 8}));
    ib_qat_set_phase(net, g, IB_FROZEN);
    ib_program *p = ib_program_lower(net, g);
    REQUIRE(p && !ib_export_c(p, dev, dir, name, NULL));
    ib_program_free(p);
    ib_layer_free(net);
    snprintf(path, sizeof path, "%s/table.csv", dir);
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    fputs("a,b,kind\n1.5,-2.25,x\n0.5,3e-2,y\n4.75,1.125,x\n2.5,0.25,y\n", f);
    fclose(f);
    snprintf(path, sizeof path, "csv:%s/table.csv", dir);
    ib_dataset *d = ib_dataset_open(path, IB_SPLIT_ALL);
    REQUIRE(d && ib_dataset_count(d) == 4);
    ib_dataset_free(d);
    end();
}

static void a_decimal_comma_changes_nothing(void)
{
    REQUIRE(mkdtemp(dir) != NULL);
    print_and_read("plain");
    char *plain_c = written("plain.c"), *plain_h = written("plain.h");
    REQUIRE(with_comma());
    char text[40];
    ib_snprintf(text, sizeof text, "%g %.3f", 0.5, 1.25);
    CHECK(!strcmp(text, "0.5 1.250"));
    CHECK(ib_strtod("0.75", NULL) == 0.75 && ib_strtof("2.5e-1", NULL) == 0.25f);
    CHECK(*localeconv()->decimal_point == ','); /* the program's own */
    print_and_read("plain");
    char *comma_c = written("plain.c"), *comma_h = written("plain.h");
    CHECK(!strcmp(plain_c, comma_c));
    CHECK(!strcmp(plain_h, comma_h));
    setlocale(LC_ALL, "C");
    free(plain_c);
    free(plain_h);
    free(comma_c);
    free(comma_h);
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK(!system(command));
}

/* Whatever its length: names of classes come into exported C by this. */
static void long_lines_stay_whole(void)
{
    enum { LONG = 5000 };
    char *s = calloc(1, LONG + 1);
    REQUIRE(s != NULL);
    memset(s, 'x', LONG);
    ib_strbuf t = {.name = "t"};
    ib_strbuf_add(&t, "<%s>", s);
    CHECK(!t.failed && t.n == LONG + 2 && t.s[0] == '<' && t.s[LONG + 1] == '>' && !t.s[LONG + 2]);
    ib_free(t.s);
    free(s);
}

SUITE("locale", T(a_decimal_comma_changes_nothing), T(long_lines_stay_whole))
