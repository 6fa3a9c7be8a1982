/*
 * etnas: scores neural architectures of the NATS-Bench topology space without training them.
 *
 * Functions that can fail return 0 when done, else the exit code that etnas-fast would end with: 1 internal or input/output failure,
 * 2 wrong use or wrong data, 3 device, 130 cancelled. Then *error, if error is not NULL, is a sentence in UTF-8 that says what was expected,
 * what was found and what to do; free it with etnas_string_free. When done *error is NULL. No function throws, exits or signals.
 */
#ifndef ETNAS_H
#define ETNAS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a function changes its meaning or its arguments. Compare it with etnas_abi(). */
#define ETNAS_ABI 1

/* The cells of the space have indices from 0 to ETNAS_CELLS - 1, in the order of NATS-Bench. */
#define ETNAS_CELLS 15625

/* An engine: images, weights, a device and its threads, and the scores that it remembers. Any number of threads may use it at once. */
typedef struct etnas_engine etnas_engine;

/* How a cell fared. */
enum {
    ETNAS_OK = 0,       /* every measure exists */
    ETNAS_DEAD = 1,     /* the output is unreachable; the numbers stand */
    ETNAS_SINGULAR = 2, /* naswot is -INFINITY */
    ETNAS_DIVERGED = 3  /* the training of LossSlope diverged: it is NAN */
};

/* Is told, from any thread, of each cell, draw and network that was computed; a result other than 0 cancels the call. */
typedef int (*etnas_watch)(void *context);

/* The ABI of the library, and its version as text, which lives as long as the program. */
uint32_t etnas_abi(void);
const char *etnas_version(void);

/*
 * Makes an engine. The options are those of `etnas-fast score` for network, images, seeds, device and repeats, one word each, as in
 * {"--dataset", "imagenet16-120", "--batch", "64"}; with count 0 they have their defaults.
 */
int etnas_engine_new(const char *const *options, size_t count, etnas_engine **engine, char **error);

/* Frees an engine that no call uses any more. NULL is ignored. */
void etnas_engine_free(etnas_engine *engine);

/*
 * Scores cells, given by index. `measures` names them as the command line does ("naswot", "log-synflow" or "log_synflow", ...).
 * values[m * cell_count + i] becomes measure m of cell i; status[i], if status is not NULL, how cell i fared. On failure both are
 * left as they were. What was scored once is remembered, to the last bit. The utopian distance compares the cells of the call.
 */
int etnas_score(const etnas_engine *engine, const uint32_t *cells, size_t cell_count, const char *const *measures,
                size_t measure_count, double *values, uint8_t *status, etnas_watch watch, void *context, char **error);

/* Forgets every score, so that the next call computes again. NULL is ignored. */
void etnas_engine_forget(const etnas_engine *engine);

/* Everything that decides a score, as a JSON object; free it with etnas_string_free. */
int etnas_engine_configuration(const etnas_engine *engine, char **json, char **error);

/* The index of a cell that is written as an architecture string or an index. */
int etnas_cell_parse(const char *text, uint32_t *index, char **error);

/* The architecture string of a cell; free it with etnas_string_free. */
int etnas_cell_text(uint32_t index, char **text, char **error);

/* *higher becomes 1 for a measure whose higher values promise better cells, 0 where lower ones do. */
int etnas_measure_direction(const char *measure, int *higher, char **error);

/* Frees a string of this library. NULL is ignored. */
void etnas_string_free(char *text);

#ifdef __cplusplus
}
#endif

#endif
