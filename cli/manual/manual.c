/* manual.c - writes isobit.1, isobit-COMMAND.1 and the completion for bash into a folder. The commands are linked in;
 * each of them is run with an argp_parse() of this program's own, which looks at the tables instead of arguments. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/manual/completion.h"
#include "cli/manual/page.h"

static const command commands[] = {
#define COMMAND(name, summary) {#name, summary, command_##name},
#include "cli/commands.def"
#undef COMMAND
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static jmp_buf back;
static const command *current;
static const char *folder;
static FILE *completion;

static FILE *create(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    if (f)
        return f;
    perror(path);
    exit(1);
}

static void finish(FILE *f)
{
    if (ferror(f) | fclose(f)) {
        perror(folder);
        exit(1);
    }
}

static void copy(const char *path, FILE *out)
{
    char line[4096];
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        fputs(line, out);
    if (!f || ferror(f)) {
        perror(path);
        exit(1);
    }
    fclose(f);
}

/* Stands before the C library's. */
error_t argp_parse(const struct argp *argp, int argc, char **argv, unsigned flags, int *end, void *input)
{
    char name[64];
    (void)argc, (void)argv, (void)flags, (void)end, (void)input;
    snprintf(name, sizeof name, "isobit-%s.1", current->name);
    FILE *page = create(name);
    write_page(page, current->name, current->summary, argp);
    finish(page);
    write_completion(completion, current->name, argp);
    longjmp(back, 1);
}

static void write_overview(FILE *out)
{
    fprintf(out,
            ".TH ISOBIT 1 \"\" \"isobit %s\" \"isobit\"\n.SH NAME\nisobit \\- train a network whose forward pass is "
            "the integer program that ships\n"
            ".SH SYNOPSIS\n.B isobit\n.I COMMAND\n[\\fIOPTION\\fR...]\n.SH DESCRIPTION\n"
            "Quantization\\-aware training, export to C, ONNX and TFLite, and fine\\-tuning of language models over "
            "quantized weights.\n"
            ".SH COMMANDS\nEach has a page of its own, \\fBisobit\\-COMMAND\\fR(1), and \\fB\\-\\-help\\fR.\n",
            ISOBIT_VERSION);
    for (int i = 0; i < N_COMMANDS; i++) {
        fprintf(out, ".TP\n.B %s\n", commands[i].name);
        write_plain(out, commands[i].summary);
    }
    fprintf(
        out,
        ".SH \"EXIT STATUS\"\n.TP\n.B 0\nsuccess\n.TP\n.B 1\nthe command failed; a line on standard error says "
        "why\n.TP\n.B 2\n"
        "it was called in a way that means nothing\n.TP\n.B 3\n\\fBverify\\fR found codes that differ\n.TP\n.B 130\n"
        "Ctrl\\-C ended it; a training goes on with \\fB\\-\\-resume\\fR\n"
        ".SH ENVIRONMENT\n.TP\n.B ISOBIT_DEVICE\nthe kernels, where \\fB\\-\\-device\\fR, which lists them, does not "
        "say\n.TP\n.B ISOBIT_PYTHON\n"
        "the Python that \\fBverify \\-\\-with\\fR and \\fBbench \\-\\-peers\\fR run\n.TP\n.B CC\nthe compiler that "
        "\\fBverify\\fR runs\n.TP\n.B TMPDIR\n"
        "where \\fBverify\\fR puts what it compiles (/tmp)\n.SH \"SEE ALSO\"\n");
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(out, ".BR isobit\\-%s (1)%s\n", commands[i].name, i + 1 < N_COMMANDS ? "," : "");
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return fprintf(stderr, "usage: isobit_manual FOLDER completion.bash\n"), 2;
    folder = argv[1];
    FILE *overview = create("isobit.1");
    write_overview(overview);
    finish(overview);
    completion = create("isobit");
    fprintf(completion, "# Made from the option tables of isobit's commands.\n\n_isobit_words() # COMMAND "
                        "[OPTION]\n{\n    case $1:$2 in\n    :) echo '");
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(completion, "%s ", commands[i].name);
    fprintf(completion, "--help --version' ;;\n");
    for (volatile int i = 0; i < N_COMMANDS; i++) {
        current = &commands[i];
        if (!setjmp(back))
            current->run(1, (char *[]){"isobit", NULL});
    }
    fprintf(completion, "    *) return 1 ;;\n    esac\n}\n\n");
    copy(argv[2], completion);
    finish(completion);
    return 0;
}
