/* A refloss harness in C11, without any library. cc -O2 -std=c11 -o harness harness.c -lm

Your own losses take the place of losses.h, which ends with a table of them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The line that was read, in the fixed form that the protocol promises. */
static char line[1 << 16];
static const char *after(const char *key) { /* the text after "key": */
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(line, quoted);
    return at ? at + strlen(quoted) : NULL;
}
static int says(const char *key, const char *text) {
    const char *at = after(key);
    return at && !strncmp(at, text, strlen(text));
}
static double number(const char **at) { /* the next one, whatever brackets lie before it */
    char *end;
    double x = strtod(*at += strspn(*at, "[], \""), &end);
    *at = end;
    return x;
}
static double parameter(const char *key) { /* NaN for null */
    const char *at = after(key);
    return !at || says(key, "null") ? NAN : number(&at);
}
#include "losses.h"

static void put(double x) {
    if (isfinite(x)) printf("%.17g", x);
    else printf(isnan(x) ? "\"nan\"" : x > 0 ? "\"inf\"" : "\"-inf\"");
}

static void run(void) {
    char name[64];
    int k = 0;
    while (k < LOSSES && (snprintf(name, sizeof name, "\"%s\"", known[k].name), !says("loss", name))) k++;
    if (k == LOSSES) {
        printf("\"errored\":true,\"message\":\"unknown loss\"}\n");
        return;
    }
    const char *first = after(known[k].first), *second = after(known[k].second);
    printf("\"results\":[");
    for (int i = 0, count = (int)parameter("count"), n = known[k].width; i < count; i++) {
        D x[4], t[4];
        for (int j = 0; j < n; j++) x[j] = of(number(&first)), x[j].d[j] = 1, t[j] = of(number(&second));
        D r = known[k].loss(x, t);
        printf("%s{\"value\":", i ? "," : ""), put(r.v), printf(",\"gradient\":%s", n > 1 ? "[" : "");
        for (int j = 0; j < n; j++) printf("%s", j ? "," : ""), put(r.d[j]);
        printf("%s}", n > 1 ? "]" : "");
    }
    printf("]}\n");
}

int main(void) {
    while (fgets(line, sizeof line, stdin) && !says("cmd", "\"stop\"")) {
        printf("{\"seq\":%.0f,", parameter("seq"));
        if (says("cmd", "\"run\"")) run();
        else if (!says("protocol", "1}")) printf("\"errored\":true,\"message\":\"unknown protocol\"}\n");
        else {
            printf("\"name\":\"harness.c\",\"version\":\"1\",\"language\":\"C\",\"losses\":[");
            for (int k = 0; k < LOSSES; k++) printf("%s\"%s\"", k ? "," : "", known[k].name);
            printf("]}\n");
        }
        fflush(stdout);
    }
    return 0;
}
