/* cell_kind.c - what one value of a text file is (csv_cells.h). */
#include <ctype.h>
#include <math.h>
#include <strings.h>

#include "base/number.h"
#include "data/tables/csv_cells.h"

/* Spellings of a missing value, in any case of letters: of R, NumPy, pandas (na_values), SQL's dumps, UCI's archive,
 * Java, Microsoft's C, and the value of a spreadsheet's NA(). Not "none", "-" and ".", which are words too: no
 * symptoms, a strand. */
static const char *const missing[] = {"",     "?",      "na",      "n/a",     "nan",     "-nan",
                                      "null", "<na>",   "nat",     "\\n",     "#n/a",    "#n/a n/a",
                                      "#na",  "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"};

/* Errors of Excel, LibreOffice and Google's tables, which stand where a formula has no result. */
static const char *const errors[] = {"#div/0!",   "#name?",    "#null!",        "#num!",   "#ref!",  "#value!",
                                     "#spill!",   "#calc!",    "#field!",       "#error!", "#busy!", "#blocked!",
                                     "#connect!", "#unknown!", "#getting_data", "#####",   "1.#inf", "-1.#inf"};

/* Units that stand right behind a number, as in 5kg. Capital letters alone are none: 1A and 2B are names. */
static const char *const units[] = {"mm",
                                    "cm",
                                    "m",
                                    "km",
                                    "in",
                                    "ft",
                                    "mi",
                                    "yd",
                                    "mg",
                                    "g",
                                    "kg",
                                    "lb",
                                    "lbs",
                                    "oz",
                                    "ml",
                                    "cl",
                                    "l",
                                    "ms",
                                    "s",
                                    "sec",
                                    "min",
                                    "h",
                                    "hr",
                                    "hrs",
                                    "kb",
                                    "mb",
                                    "gb",
                                    "tb",
                                    "KB",
                                    "kB",
                                    "MB",
                                    "GB",
                                    "TB",
                                    "Hz",
                                    "kHz",
                                    "MHz",
                                    "GHz",
                                    "mV",
                                    "kV",
                                    "mA",
                                    "kW",
                                    "MW",
                                    "kWh",
                                    "MWh",
                                    "kJ",
                                    "MJ",
                                    "cal",
                                    "kcal",
                                    "Pa",
                                    "hPa",
                                    "kPa",
                                    "MPa",
                                    "bar",
                                    "px",
                                    "pt",
                                    "hp",
                                    "mph",
                                    "km/h",
                                    "m/s",
                                    "\xc2\xb0"
                                    "C",
                                    "\xc2\xb0"
                                    "F",
                                    "EUR",
                                    "USD",
                                    "GBP",
                                    "CHF",
                                    "m\xc2\xb2",
                                    "m\xc2\xb3",
                                    "\xc2\xb5m"};

static int is_one_of(const char *const *list, size_t n, const char *text, int (*compare)(const char *, const char *))
{
    for (size_t i = 0; i < n; i++)
        if (!compare(list[i], text))
            return 1;
    return 0;
}
#define IS_ONE_OF(list, text, compare) is_one_of(list, sizeof list / sizeof *list, text, compare)

/* The character that s begins with, of text in UTF-8, and its bytes. */
static uint32_t character(const char *s, int *bytes)
{
    const unsigned char *p = (const unsigned char *)s;
    *bytes = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
    uint32_t c = *bytes == 1 ? *p : *p & (0xffu >> (*bytes + 1));
    for (int i = 1; i < *bytes; i++)
        c = c << 6 | (p[i] & 0x3f);
    return c;
}

typedef struct range {
    uint32_t from, to;
} range;

static int is_within(const range *r, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n; i++)
        if (c >= r[i].from && c <= r[i].to)
            return 1;
    return 0;
}

/* Blanks (Unicode's Zs), currencies (Sc), and the blocks of signs: beside, between or behind digits. */
static int is_sign(uint32_t c)
{
    static const range signs[] = {
        {0x09, 0x09},     {0x20, 0x2f},     {0x3a, 0x40},     {0x5b, 0x60},     {0x7b, 0x7e},     {0x80, 0xbf},
        {0x58f, 0x58f},   {0x60b, 0x60b},   {0x66a, 0x66c},   {0x7fe, 0x7ff},   {0x9f2, 0x9f3},   {0x9fb, 0x9fb},
        {0xaf1, 0xaf1},   {0xbf9, 0xbf9},   {0xe3f, 0xe3f},   {0x1680, 0x1680}, {0x17db, 0x17db}, {0x2000, 0x2fff},
        {0x3000, 0x3000}, {0xa838, 0xa838}, {0xfdfc, 0xfdfc}, {0xfe69, 0xfe6a}, {0xfeff, 0xfeff}, {0xff04, 0xff05},
        {0xff0b, 0xff0e}, {0xffe0, 0xffe6}};
    return is_within(signs, sizeof signs / sizeof *signs, c);
}

/* Digits, of the scripts in which numbers are written most: European, Arabic, Persian, of India, Thai, full width. */
static int is_digit(uint32_t c)
{
    static const range digits[] = {{'0', '9'},     {0x660, 0x669}, {0x6f0, 0x6f9},  {0x966, 0x96f},
                                   {0x9e6, 0x9ef}, {0xe50, 0xe59}, {0xff10, 0xff19}};
    return is_within(digits, sizeof digits / sizeof *digits, c);
}

static const char *skip_signs(const char *s)
{
    int bytes;
    while (*s && is_sign(character(s, &bytes)))
        s += bytes;
    return s;
}

/* Points, commas, apostrophes and blanks of all kinds, as they stand between digits. */
static int is_between(uint32_t c)
{
    static const range between[] = {{0x20, 0x20},     {0x27, 0x27},     {0x2c, 0x2c},     {0x2e, 0x2e},
                                    {0x5f, 0x5f},     {0xa0, 0xa0},     {0x66b, 0x66c},   {0x1680, 0x1680},
                                    {0x2000, 0x200a}, {0x2019, 0x2019}, {0x202f, 0x202f}, {0x205f, 0x205f},
                                    {0x3000, 0x3000}};
    return is_within(between, sizeof between / sizeof *between, c);
}

/* Digits, possibly with signs before, between and behind them, or a unit right behind. */
static int is_like_number(const char *cell)
{
    const char *p = skip_signs(cell), *const first = p;
    int bytes, digits = 0, behind = 0; /* a digit */
    for (uint32_t c; *p && (is_digit(c = character(p, &bytes)) || (digits && is_between(c))); p += bytes)
        digits += behind = is_digit(c);
    if (!digits)
        return 0;
    if (behind && first - cell <= 1 && IS_ONE_OF(units, p, strcmp))
        return 1;
    if ((*p | 32) == 'e' || (*p | 32) == 'd') /* of ten, as C and Fortran write it */
        p += p[1 + strspn(p + 1, "+-")] ? 1 + strspn(p + 1, "+-0123456789") : 0;
    return !*skip_signs(p);
}

/* Digits of a part of a date; 0: it is none. */
static size_t part_of_date(const char **p)
{
    const size_t n = strspn(*p, "0123456789");
    *p += n;
    return n == 1 || n == 2 || n == 4 ? n : 0;
}

/* h:mm, hh:mm:ss.sss, with a zone or AM and PM. */
static int is_time(const char *p)
{
    const char *at = p;
    const size_t n = part_of_date(&at);
    if (n < 1 || n > 2 || *at++ != ':' || strspn(at, "0123456789") != 2)
        return 0;
    return !at[strspn(at, "0123456789:.,+-ZzAaPpMm ")];
}

/* A day, by two of the same signs with a year of four digits at one end, or two digits each, or slashes. */
static int is_date(const char *cell)
{
    const char *p = cell;
    const size_t a = part_of_date(&p);
    const char sign = *p;
    if (!a || !sign || !strchr("-/.", sign))
        return is_time(cell);
    p++;
    const size_t b = part_of_date(&p);
    if (b < 1 || b > 2 || *p++ != sign)
        return 0;
    const size_t c = part_of_date(&p);
    const int shaped =
        c && (a == 4) + (c == 4) < 2 && (a == 4 || c == 4 || sign == '/' || (a == 2 && b == 2 && c == 2));
    return shaped && (!*p || ((*p == 'T' || *p == ' ') && is_time(p + 1)));
}

/* A number that is 0 as it is written: no digit but 0 stands before the exponent. */
static int is_zero(const char *cell)
{
    const size_t n = strcspn(cell, "eE");
    return strcspn(cell, "123456789") >= n;
}

ib_cell_kind ib_cell_read(const char *cell, float *value)
{
    char *end;
    const char *const word = cell + strspn(cell, " \t"); /* blanks within quotes */
    const char *p = cell + (*cell == '-' || *cell == '+');
    const int hex = p[0] == '0' && (p[1] | 32) == 'x';
    const int number = isdigit((unsigned char)*p) || (*p == '.' && isdigit((unsigned char)p[1]));
    *value = ib_strtof(cell, &end);
    if (number && !hex && !*end)
        return isfinite(*value) && (*value != 0 || is_zero(cell)) ? IB_CELL_NUMBER : IB_CELL_BEYOND;
    if (IS_ONE_OF(missing, word, strcasecmp))
        return *value = NAN, IB_CELL_MISSING;
    if (IS_ONE_OF(errors, word, strcasecmp))
        return *value = NAN, IB_CELL_ERROR;
    if (hex || !strcasecmp(p, "inf") || !strcasecmp(p, "infinity"))
        return IB_CELL_LIKE_ONE;
    return is_date(cell) ? IB_CELL_DATE : is_like_number(cell) ? IB_CELL_LIKE_ONE : IB_CELL_WORD;
}
