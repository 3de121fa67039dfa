/* command_merge.c - isobit merge: an adapter merged into its base, as isobit convert writes a model. */
#include "cli/command_line.h"
#include "cli/language/convert.h"

int command_merge(int argc, char **argv)
{
    return convert(argc, argv, 1,
                   "Merges an adapter into its base and writes a whole model.\v"
                   "Examples:\n  isobit merge SmolLM2.gguf --adapter adapter \\\n"
                   "    --format q4_0 -o tuned.gguf --text book.txt\n"
                   "  isobit merge SmolLM2.gguf --base nf4-dq --adapter adapter \\\n"
                   "    --format nf4 -o tuned-hf\n\n" CARDS
                   "JSON keys: out, exact, lossy; with --text: perplexity_before, perplexity_after.");
}
