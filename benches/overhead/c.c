/* What a call costs beside its cells: one cell whose score is remembered, through etnas_score. */
#define _POSIX_C_SOURCE 199309L
#include <etnas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CALLS = 2000 };

static int order(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(void) {
    const char *options[] = {"--dataset", "imagenet16-120", "--batch", "8"};
    const char *measures[] = {"naswot", "log_synflow", "degree"};
    etnas_engine *engine;
    char *error;
    uint32_t cell = 9930;
    double values[3], seconds[CALLS + 1];
    if (etnas_engine_new(options, 4, &engine, &error)) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    for (int i = 0; i <= CALLS; i++) {
        double start = now();
        if (etnas_score(engine, &cell, 1, measures, 3, values, NULL, NULL, NULL, &error)) {
            fprintf(stderr, "%s\n", error);
            return 1;
        }
        seconds[i] = now() - start;
    }
    qsort(seconds + 1, CALLS, sizeof *seconds, order);
    printf("C         %8.1f us a call, median of %d\n", seconds[1 + CALLS / 2] * 1e6, CALLS);
    etnas_engine_free(engine);
    return 0;
}
