/* main.c - isobit <command> ... */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const command commands[] = {
#define COMMAND(name, summary) {#name, summary, command_##name},
#include "cli/commands.def"
#undef COMMAND
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

const char *argp_program_version = "isobit " ISOBIT_VERSION;

static void help(FILE *out)
{
    fprintf(out, "isobit - train a network whose forward pass is the integer program that ships\n\nUsage: isobit "
                 "COMMAND [OPTION...]\n\nCommands:\n");
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].summary);
    fprintf(out,
            "\nFrom data to C in three lines:\n"
            "  isobit train --model lenet --qat w8a8 -o lenet.h5\n"
            "  isobit verify lenet.h5\n"
            "  isobit export lenet.h5 --to c -o out\n\n"
            "From a language model to a tuned one:\n"
            "  isobit finetune SmolLM2.gguf --data my.jsonl -o adapter\n"
            "  isobit generate SmolLM2.gguf --adapter adapter --chat --prompt \"Hello\"\n"
            "  isobit merge SmolLM2.gguf --adapter adapter --format q4_0 -o tuned.gguf\n\n"
            "`isobit COMMAND --help` explains a command with examples. ISOBIT_DEVICE=cpu:LEVEL chooses the kernels:");
    const char *device;
    int is_level = 1;
    for (int i = 0; (device = ib_device_name_at(i)); i++) {
        const int was_level = is_level;
        is_level = !strncmp(device, "cpu:", 4);
        fprintf(out, "%s %s",
                !i                       ? ""
                : was_level && !is_level ? "; other devices:"
                                         : ",",
                is_level ? device + 4 : device);
    }
    fprintf(out, ".\n");
}

int main(int argc, char **argv)
{
    guard_streams();
    if (argc == 3 && !strcmp(argv[1], "help")) { /* that of a command */
        argv[1] = argv[2];
        argv[2] = "--help";
    }
    signal(SIGXFSZ, SIG_IGN); /* a full disk or quota is an error of write(), with its message */
    signal(SIGPIPE, SIG_IGN); /* so is a gnuplot that ends early */
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        help(stdout);
        return 0;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
        printf("%s\n", argp_program_version);
        return 0;
    }
    for (int i = 0; i < N_COMMANDS; i++)
        if (!strcmp(argv[1], commands[i].name)) {
            static char name[64];
            snprintf(name, sizeof name, "isobit %s", commands[i].name);
            argv[1] = name; /* what argp calls the program in its messages */
            argp_err_exit_status = 2;
            return commands[i].run(argc - 1, argv + 1);
        }
    fprintf(stderr, "isobit: there is no command '%s'; `isobit --help` lists them\n", argv[1]);
    return 2;
}
