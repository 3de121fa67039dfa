/* cli.h - what the commands share. */
#ifndef IB_CLI_CLI_H
#define IB_CLI_CLI_H

#include <argp.h>
#include <isobit/isobit.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>

/* One command: a row of commands.def. */
typedef struct command {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} command;
#define COMMAND(name, summary) int command_##name(int argc, char **argv);
#include "cli/commands.def"
#undef COMMAND

enum { MOST_OF_DATA = 16 }; /* options that say what data are and how they are read */

/* Options of every command; data and limit of those for small networks. */
typedef struct common {
    const char *data, *device;
    int threads, json;
    int64_t limit;
    ib_data_opts table;             /* how its table or its pictures are read; the schema is the network's */
    const char *said[MOST_OF_DATA]; /* options of data as they were given, by their row in common_argp; else NULL */
} common;
extern const struct argp common_argp; /* a child parser; its input is a common * */
#define COMMON_CHILD                                                                                                   \
    {                                                                                                                  \
        &common_argp, 0, "Common options:", 100                                                                        \
    }
extern const struct argp machine_argp; /* --device, --threads and --json alone */
#define MACHINE_CHILD                                                                                                  \
    {                                                                                                                  \
        &machine_argp, 0, "Common options:", 100                                                                       \
    }
extern const struct argp threads_argp; /* --threads and --json, of a command with a --device of its own */
#define THREADS_CHILD                                                                                                  \
    {                                                                                                                  \
        &threads_argp, 0, "Common options:", 100                                                                       \
    }

/* Flags of argp_option: an empty text says something; each time that it is given adds something; commas divide it. */
enum { OPTION_MAY_BE_EMPTY = 0x100, OPTION_MAY_REPEAT = 0x200, OPTION_IS_LIST = 0x400 };
/* argp_parse for every command. Before it an option that takes a value is refused if it is given twice, an empty text,
 * or a list with nothing at one of its commas: tells
 * and exits with 2. */
void parse_options(const struct argp *argp, int argc, char **argv, void *input);
/* 1 after telling of a word that stands twice in a list "a=1,b", divided by any of `between`; NULL is no list. */
int refuse_repeated(const char *option, const char *list, const char *between);

/* The argument MODEL.h5 of a command: for the end of its parser. */
error_t model_argument(int key, char *arg, struct argp_state *state, const char **model);

/* Everything a command works with. */
typedef struct session {
    ib_device *dev;
    ib_graph *g;
    ib_layer *net;
    ib_dataset *train, *test;
    ib_checkpoint c;
    const char *asked;              /* the model whose data, or as it remembers none the default, were taken, or NULL */
    struct json_object *remembered; /* the options of data that it remembers, or NULL */
    int as_trained;                 /* the command line says nothing else of them */
    char told[1024];                /* the last note about data, or "" */
    char recognized[100];           /* how the data of a training are recognized: " samples=COUNT:FINGERPRINT
                                       tested=..." */
} session;
/* Device, threads, graph. 0, or 1 after telling what is wrong. */
int session_open(session *s, const common *o);
/* Opens a checkpoint, without data. */
int session_model(session *s, const common *o, const char *path);
/* The test data that fit it: those of --data, else those that it remembers, else the digits. */
int session_test(session *s, common *o, const char *path);
/* Opens the data as s->test: a part or all of them, which must fit the input and the schema (NULL: none); labels are
 * not looked at, and the note is told by session_tell() when nothing is left to refuse. */
int session_data(session *s, const common *o, const ib_input_info *info, const ib_schema *schema, ib_split split);
/* The note about data that are taken, once where several parts have the same. */
void session_tell(session *s, const ib_dataset *d);
/* Sets s->recognized by both parts, before --limit (train_data.c). */
void recognize_data(session *s);
/* 1 after telling that the remembered data's test part is no longer that of the training (train_data.c). */
int refuse_changed_data(const session *s, const common *o);
/* Both parts, as s->train and s->test, for a network that is known or (net NULL) to be made. */
int session_parts(session *s, const common *o, const ib_input_info *net, const ib_schema *schema);
/* All of them as both, for a network that is to be made and has no test part. */
int session_whole(session *s, const common *o);
/* A network that was imported without a word about its input (std 0) takes what these data hold, as it is, from here
 * on. */
void session_settle(session *s, const ib_dataset *d);
void session_close(session *s);

/* ---- what a checkpoint remembers of its data: --data and the options that say how they are read, as they were given;
 * paths are relative to the working directory. --limit is not remembered, nor is standard input ---- */
/* Puts it into the checkpoint. 0, or 1 after telling that it does not fit. */
int remember_data(ib_checkpoint *c, const common *o);
/* Without --data: fills in what the open model at `path` remembers, where the command line says nothing else;
 * `otherwise` (NULL: refused) where it remembers nothing. 0, or the exit status after telling. */
int recall_data(session *s, common *o, const char *path, const char *otherwise);
/* 1 after telling that --`option` `needs` data that can be read again, and a file of these cannot; else 0. NULL: no
 * data. */
int refuse_passing(const char *option, const char *needs, const char *spec);
/* "csv:wine.csv --label quality", to be given to free(), or NULL where nothing is remembered. */
char *remembered_text(const ib_checkpoint *c);
/* The same as an object of options, or NULL. */
struct json_object *remembered_json(const ib_checkpoint *c);
/* complain() about data that could not be opened, with where they were named. */
int complain_of_data(const session *s, const common *o);
/* 1 after telling of an option of tables where no data are read. */
int refuse_table(const common *o);

/* "isobit: <ib_error()>" on stderr; returns 1, the exit status. */
int complain(void);
const char *session_title(const session *s); /* the model's name, of an imported one the file's; else "network" */

/* A line on stderr for each layer that loses whole channels under its one scale; after calibration. */
void warn_lost_channels(const ib_layer *net);

/* The names of classes behind `before` (of many the first ten), and as an array in JSON. Nothing where they have
 * none. */
void print_classes(const char *before, const ib_schema *schema);
void classes_json(const ib_schema *schema, struct json_object *o);

/* Prints an object on stdout and drops it. */
void print_json(struct json_object *o);
int parse_int(const char *text, const char *option, int64_t lo, int64_t hi, int64_t *out);
int parse_float(const char *text, const char *option, double lo, double hi, double *out);
/* --percentile, --averaging-constant and --granularity. */
int parse_percentile(const char *text, ib_qat_opts *q);
int parse_averaging(const char *text, ib_qat_opts *q);
int parse_granularity(const char *text, ib_qat_opts *q);

/* The key of a command's first option without a letter: argp takes small keys for letters. Its bit among those that
 * were given. */
enum { LONG_OPTION = 1024 };
static inline uint64_t option_bit(int key)
{
    return 1ull << (key - LONG_OPTION);
}
/* Refuses the first option of `keys` (0 behind the last) that was given (its option_bit), as it has no effect without
 * `needs`: 1 after telling, else 0. Nothing that a user says is ignored in silence. */
int refuse_idle(const struct argp_option *options, uint64_t given, const int *keys, const char *needs);

/* The same for one option, which was given where `given` is not NULL. */
int refuse_alone(const char *option, const void *given, const char *needs);
/* 1 after telling that option --`option` asks for more `things` than there are; else 0. */
int refuse_more(const char *option, int64_t asked, const char *things, int64_t there);
/* 1 after telling that `out` is the very file or folder `in`, which is `what` ("the model itself"), be it there yet or
 * not; else 0. Either may be NULL: not given. No command writes over what it reads, or two things into one file. */
int refuse_onto(const char *option, const char *out, const char *what, const char *in);
/* The same for each file that a description of data names. */
int refuse_onto_data(const char *option, const char *out, const char *spec);

/* 1 after telling that a file cannot be written, before there is any work to lose; else 0. NULL and "-" are none. */
int refuse_nowhere(const char *option, const char *path);
/* Of --graph: a file that ends otherwise than in .dot, .svg or .png, or needs a Graphviz that is not there. */
int refuse_graph(const char *path);
/* The tape that g holds, or the program p; 0, or 1 after telling. */
int write_graph(const char *path, const ib_graph *g, const ib_program *p);
/* The same for a checkpoint, which no file takes the place of but another HDF5 file: neither data nor weights of a
 * network. */
int refuse_not_hdf5(const char *option, const char *path);
/* The same for a folder, to be written into or made. */
int refuse_no_folder(const char *option, const char *path);

/* Before anything is opened: standard streams that are closed are opened on nothing, and at the end (exit() or a return
 * from main) output that could not be written is told, with exit status 1. */
void guard_streams(void);

/* What was printed goes out now, of commands that compute long for each line and leave nothing else: where standard
 * output takes it no more they end, as at their end, with status 0 where the reader has left. */
void flush_or_end(FILE *stream);

/* ---- progress on stderr of what takes longer than a second: on a terminal a bar with rate and time left; elsewhere
 * nothing, or (every) a line each so many seconds ---- */
typedef struct progress {
    const char *what;
    double start, shown, every;
    int64_t first;
    int on, drawn; /* stderr is a terminal; a bar stands there */
} progress;
double seconds(void);
void progress_start(progress *p, const char *what, int64_t first);
void progress_show(progress *p, int64_t done, int64_t total, const char *text);
void progress_line(progress *p, int64_t done, int64_t total, const char *text); /* one that stays, terminal or not */
void progress_end(progress *p);                                                 /* takes the bar away */
/* The same for work that does not say how far it is, on a terminal: what is done, and for how long. One at a time. */
void working_start(const char *what, const char *file);
void working_end(void);
/* Where lines about what goes on are printed: standard output, with --json standard error. */
FILE *report_stream(const common *o);

extern volatile sig_atomic_t interrupted; /* set by Ctrl-C once catch_interrupt() was called */
void catch_interrupt(void);
void release_interrupt(void); /* from here on it ends the program again */

/* 1 after telling of a runtime in `list` that there is not; NULL: none is asked for. */
int refuse_runtimes(const char *list);
/* Exports the open model for each runtime that `list` names, runs the test data there with a Python and counts the
 * output codes that differ from the integer runtime's; rows go to `report` (NULL: printed). */
int verify_with(session *s, const char *list, const char *python, struct json_object *report, int64_t *different);

#endif
