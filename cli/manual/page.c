/* page.c - a command's page for man(1). */
#include "cli/manual/page.h"

#include <ctype.h>
#include <string.h>

#include "cli/manual/option_tables.h"

static void write_range(FILE *out, const char *text, size_t n)
{
    int start = 1; /* of a line, where a dot or an apostrophe would be a request */
    for (size_t i = 0; i < n; i++) {
        const char c = text[i];
        const char *escaped = c == '\\'   ? "\\e"
                              : c == '-'  ? "\\-"
                              : c == '\'' ? "\\(aq"
                              : c == '^'  ? "\\(ha"
                              : c == '~'  ? "\\(ti"
                              : c == '`'  ? "\\(ga"
                                          : NULL;
        if (start && c == '.')
            fputs("\\&", out);
        if (escaped)
            fputs(escaped, out);
        else
            fputc(c, out);
        if (c == ',' && i + 1 < n && text[i + 1] != ' ') /* a long list may be broken here */
            fputs("\\:", out);
        start = c == '\n';
    }
}

void write_plain(FILE *out, const char *text)
{
    write_range(out, text, strlen(text));
    fputc('\n', out);
}

static void option(FILE *out, const struct argp_option *o)
{
    if (!o->name) {
        fputs(".SS ", out);
        write_range(out, o->doc, strcspn(o->doc, ":"));
        fputc('\n', out);
        return;
    }
    fputs(".TP\n", out);
    if (o->key > 0 && o->key < 128 && isprint(o->key))
        fprintf(out, "\\fB\\-%c\\fR, ", o->key);
    fputs("\\fB\\-\\-", out);
    write_range(out, o->name, strlen(o->name));
    fputs("\\fR", out);
    if (o->arg) {
        fputs("=\\fI", out);
        write_range(out, o->arg, strlen(o->arg));
        fputs("\\fR", out);
    }
    fputc('\n', out);
    write_plain(out, o->doc ? o->doc : "");
}

/* What the help says behind the options: "Examples:", lines that begin with blanks and stay as they are, "JSON keys:
 * ..." */
static void write_rest(FILE *out, const char *text)
{
    int verbatim = 0;
    for (size_t n; *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        const int as_it_is = text[0] == ' ';
        if (as_it_is != verbatim)
            fputs(as_it_is ? ".nf\n" : ".fi\n", out);
        verbatim = as_it_is;
        if (!strncmp(text, "Example", 7) && text[n - 1] == ':') {
            fputs(".SH EXAMPLES\n", out);
            continue;
        }
        if (!strncmp(text, "JSON keys", 9))
            fputs(".SH JSON\n", out);
        else if (!as_it_is && n)
            fputs(".PP\n", out);
        if (n) {
            write_range(out, text, n);
            fputc('\n', out);
        }
    }
    if (verbatim)
        fputs(".fi\n", out);
}

void write_page(FILE *out, const char *command, const char *summary, const struct argp *argp)
{
    static const struct argp_option help[] = {{"help", '?', NULL, 0, "print the options and examples", 0},
                                              {"usage", 0, NULL, 0, "print the options alone", 0},
                                              {"version", 'V', NULL, 0, "print the version", 0}};
    const char *rest = strchr(argp->doc, '\v');
    fputs(".TH ISOBIT\\-", out);
    for (const char *c = command; *c; c++)
        fputc(toupper(*c), out);
    fprintf(out, " 1 \"\" \"isobit %s\" \"isobit\"\n.SH NAME\nisobit\\-%s \\- ", ISOBIT_VERSION, command);
    write_plain(out, summary);
    fprintf(out, ".SH SYNOPSIS\n.B isobit %s\n[\\fIOPTION\\fR...]\n", command);
    if (argp->args_doc) {
        fputs(".I ", out);
        write_plain(out, argp->args_doc);
    }
    fputs(".ad l\n.SH DESCRIPTION\n", out);
    write_range(out, argp->doc, rest ? (size_t)(rest - argp->doc) : strlen(argp->doc));
    fputs("\n.SH OPTIONS\n", out);
    each_option(argp, option, out);
    for (int i = 0; i < 3; i++)
        option(out, &help[i]);
    if (rest)
        write_rest(out, rest + 1);
    fputs(".SH \"SEE ALSO\"\n.BR isobit (1)\n", out);
}
