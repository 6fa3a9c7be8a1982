/* What a C program sees of etnas; run by c.rs. Arguments: the sentence that the command line has for the index 15625; a batch of images with a
 * pixel that is refused, and the sentence for that. */
#include <etnas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);        \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

/* The call fails with this code and a sentence that holds this part. */
#define FAILS(call, with, part)                                                            \
    do {                                                                                   \
        char *error = NULL;                                                                \
        int code = (call);                                                                 \
        CHECK(code == (with));                                                             \
        CHECK(error != NULL);                                                              \
        if (strstr(error, (part)) == NULL) {                                               \
            fprintf(stderr, "%s:%d: \"%s\" is not in: %s\n", __FILE__, __LINE__, (part), error); \
            exit(1);                                                                       \
        }                                                                                  \
        etnas_string_free(error);                                                          \
    } while (0)

static int count(void *context) {
    ++*(int *)context;
    return 0;
}

static int cancel(void *context) {
    (void)context;
    return 1;
}

int main(int argc, char **argv) {
    CHECK(argc == 4);
    CHECK(etnas_abi() == ETNAS_ABI);
    CHECK(strlen(etnas_version()) >= 5);

    const char *options[] = {"--dataset", "imagenet16-120", "--batch", "4", "--device", "cpu", "--threads", "1"};
    etnas_engine *engine = NULL;
    char *error = (char *)1;
    CHECK(etnas_engine_new(options, 8, &engine, &error) == 0);
    CHECK(engine != NULL && error == NULL);

    /* Cell 0, two good ones, and one whose text is all "none". */
    uint32_t cells[4] = {0, 1462, 9930, 0};
    CHECK(etnas_cell_parse("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", &cells[3], NULL) == 0);
    const char *measures[] = {"log_synflow", "naswot", "degree"};
    double values[3][4];
    uint8_t status[4];
    memset(values, 0x7f, sizeof values);
    memset(status, 0x7f, sizeof status);
    int computed = 0;
    CHECK(etnas_score(engine, cells, 4, measures, 3, values[0], status, count, &computed, NULL) == 0);
    CHECK(computed == 8);
    CHECK(status[1] == ETNAS_OK && status[2] == ETNAS_OK && status[3] == ETNAS_SINGULAR);
    CHECK(values[1][3] == -INFINITY && isfinite(values[1][1]));
    for (int i = 0; i < 3; i++) printf("%.17g %.17g %g\n", values[0][i], values[1][i], values[2][i]);

    /* What is remembered is the same, and nothing is computed for it. */
    double again[4];
    CHECK(etnas_score(engine, cells, 4, &measures[1], 1, again, NULL, count, &computed, NULL) == 0);
    CHECK(computed == 8 && memcmp(again, values[1], sizeof again) == 0);

    /* A call that is cancelled changes nothing. */
    etnas_engine_forget(engine);
    CHECK(etnas_score(engine, cells, 4, &measures[1], 1, again, NULL, cancel, NULL, NULL) == 130 || computed == 8);
    CHECK(memcmp(again, values[1], sizeof again) == 0);

    char *text = NULL;
    CHECK(etnas_engine_configuration(engine, &text, NULL) == 0);
    CHECK(strstr(text, "\"imagenet16-120\"") != NULL);
    etnas_string_free(text);
    CHECK(etnas_cell_text(9930, &text, NULL) == 0);
    uint32_t index = 0;
    CHECK(etnas_cell_parse(text, &index, NULL) == 0 && index == 9930);
    etnas_string_free(text);
    int higher = -1;
    CHECK(etnas_measure_direction("utopian", &higher, NULL) == 0 && higher == 0);
    CHECK(etnas_measure_direction("naswot", &higher, NULL) == 0 && higher == 1);

    /* Bad input: the command line's sentences. */
    uint32_t outside = 15625;
    FAILS(etnas_score(engine, &outside, 1, measures, 1, again, NULL, NULL, NULL, &error), 2, argv[1]);
    const char *unknown = "naswut";
    FAILS(etnas_score(engine, cells, 1, &unknown, 1, again, NULL, NULL, NULL, &error), 2, "Did you mean naswot?");
    const char *wrong[] = {"--dataset", "cifar11"};
    etnas_engine *none = NULL;
    FAILS(etnas_engine_new(wrong, 2, &none, &error), 2, "cifar10");
    const char *flag[] = {"--flag", "False"};
    FAILS(etnas_engine_new(flag, 2, &none, &error), 2, "--flag");
    const char *absent[] = {"--data", "/nonexistent"};
    FAILS(etnas_engine_new(absent, 2, &none, &error), 2, "/nonexistent");
    const char *huge[] = {"--data", argv[2], "--batch", "1"};
    FAILS(etnas_engine_new(huge, 4, &none, &error), 2, argv[3]);
    FAILS(etnas_cell_parse("|nor_conv_3x3~0|", &index, &error), 2, "malformed at position");
    FAILS(etnas_cell_parse("\xff", &index, &error), 2, "UTF-8");

    /* Pointers that are not there. */
    FAILS(etnas_engine_new(NULL, 2, &none, &error), 2, "found NULL");
    FAILS(etnas_engine_new(options, 2, NULL, &error), 2, "found NULL");
    FAILS(etnas_score(NULL, cells, 1, measures, 1, again, NULL, NULL, NULL, &error), 2, "etnas_engine_new");
    FAILS(etnas_score(engine, NULL, 1, measures, 1, again, NULL, NULL, NULL, &error), 2, "cells");
    FAILS(etnas_score(engine, cells, 1, NULL, 1, again, NULL, NULL, NULL, &error), 2, "measures");
    FAILS(etnas_score(engine, cells, 1, measures, 1, NULL, NULL, NULL, NULL, &error), 2, "values");
    FAILS(etnas_cell_parse(NULL, &index, &error), 2, "found NULL");
    FAILS(etnas_cell_text(3, NULL, &error), 2, "found NULL");
    CHECK(none == NULL);

    /* No cell, nothing to do. Nothing to free, nothing done. */
    CHECK(etnas_score(engine, NULL, 0, measures, 1, NULL, NULL, NULL, NULL, NULL) == 0);
    etnas_engine_free(engine);
    etnas_engine_free(NULL);
    etnas_engine_forget(NULL);
    etnas_string_free(NULL);
    return 0;
}
