/* A refloss harness for a suppression, in C11 without any library. cc -O2 -std=c11 -o nms nms.c -lm
   refloss check --command ./nms --as boxes.nms

Your own takes the place of nms(). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4096 };
static double boxes[MOST][4], scores[MOST];

static double iou(const double *a, const double *b) {
    double w = fmin(a[2], b[2]) - fmax(a[0], b[0]), h = fmin(a[3], b[3]) - fmax(a[1], b[1]);
    double inter = fmax(w, 0) * fmax(h, 0);
    double both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter;
    return both < 0x1p-126 ? 0 : inter / both;
}
/* Of n boxes, the kept ones by score; of equal scores the smaller index first. most: NaN for no limit. */
static int nms(int n, double threshold, double most, int *kept) {
    static char gone[MOST];
    int count = 0;
    memset(gone, 0, sizeof gone);
    while (!(count >= most)) {
        int best = -1;
        for (int i = 0; i < n; i++)
            if (!gone[i] && (best < 0 || scores[i] > scores[best])) best = i;
        if (best < 0) break;
        kept[count++] = best, gone[best] = 1;
        for (int i = 0; i < n; i++) gone[i] |= iou(boxes[best], boxes[i]) > threshold;
    }
    return count;
}

/* The line that was read, in the fixed form that the protocol promises. */
static char line[1 << 16];
static const char *after(const char *key) { /* the text after "key": */
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(line, quoted);
    return at ? at + strlen(quoted) : "";
}
static int says(const char *key, const char *text) { return !strncmp(after(key), text, strlen(text)); }
static double parameter(const char *key) { return says(key, "null") ? NAN : strtod(after(key), NULL); }
static int array(const char *key, double *into, int most) { /* how many numbers stand before its bracket closes; -1: too many */
    const char *at = after(key);
    int depth = 0, count = 0;
    do {
        if (*at == '[') depth++, at++;
        else if (*at == ']') depth--, at++;
        else if (*at == ',') at++;
        else if (count == most) return -1;
        else into[count++] = strtod(at, (char **)&at);
    } while (depth > 0);
    return count;
}

static void run(void) {
    static int kept[MOST];
    if (!says("function", "\"boxes.nms\"")) printf("\"errored\":true,\"message\":\"unknown function\"}\n");
    else if (!says("kind", "\"iou\"")) printf("\"skipped\":true,\"reason\":\"plain IoU only\"}\n");
    else if (array("boxes", boxes[0], 4 * MOST) < 0) printf("\"skipped\":true,\"reason\":\"more than %d boxes\"}\n", MOST);
    else {
        int n = array("scores", scores, MOST), count = nms(n, parameter("iou_threshold"), parameter("max_detections"), kept);
        printf("\"results\":[{\"indices\":[");
        for (int i = 0; i < count; i++) printf("%s%d", i ? "," : "", kept[i]);
        printf("]}]}\n");
    }
}

int main(void) {
    while (fgets(line, sizeof line, stdin) && !says("cmd", "\"stop\"")) {
        printf("{\"seq\":%.0f,", parameter("seq"));
        if (says("cmd", "\"run\"")) run();
        else if (!says("protocol", "1}")) printf("\"errored\":true,\"message\":\"unknown protocol\"}\n");
        else printf("\"name\":\"nms.c\",\"version\":\"1\",\"language\":\"C\",\"functions\":[\"boxes.nms\"]}\n");
        fflush(stdout);
    }
    return 0;
}
