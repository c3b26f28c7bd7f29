/* A refloss harness for a whole criterion, YOLOv1's loss, in C11 without any library. cc -O2 -std=c11 -o yolov1 yolov1.c -lm
   refloss check --command ./yolov1 --as criteria.yolov1

Your own takes the place of image(). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 8192, IMAGES = 64, CELLS = 1024 };
typedef struct {
    double at[MOST];
    int count, lists, ends[IMAGES]; /* how many numbers stand before the end of each list, one for each image */
} Array;
static Array output, boxes, labels, size; /* size: height, width */
static double slope[MOST], box_term, objectness, class_term, coordinate_weight, no_object_weight, object_weight, class_weight;
static int S, B, C, of_iou, positives;
static char responsible[MOST]; /* where the number is the confidence of a predictor with a truth */

/* The line that was read, in the fixed form that the protocol promises. */
static char line[1 << 16];
static const char *after(const char *key) { /* the text after "key": */
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(line, quoted);
    return at ? at + strlen(quoted) : "";
}
static int says(const char *key, const char *text) { return !strncmp(after(key), text, strlen(text)); }
static double parameter(const char *key) { return strtod(after(key), NULL); }
static int array(const char *key, Array *into) { /* until its bracket closes; whether there is room for it */
    const char *at = after(key);
    int depth = 0;
    into->count = into->lists = 0;
    do {
        if (*at == '[') depth++, at++;
        else if (*at == ']') {
            if (depth-- == 2 && into->lists < IMAGES) into->ends[into->lists++] = into->count;
            at++;
        } else if (*at == ',') at++;
        else if (into->count == MOST || into->lists == IMAGES) return 0;
        else into->at[into->count++] = strtod(at, (char **)&at);
    } while (depth > 0);
    return 1;
}

/* Boxes are centre and size, as fractions of the image. */
static double iou(const double *a, const double *b) {
    double inter = 1;
    for (int i = 0; i < 2; i++)
        inter *= fmax(0, fmin(a[i] + a[i + 2] / 2, b[i] + b[i + 2] / 2) - fmax(a[i] - a[i + 2] / 2, b[i] - b[i + 2] / 2));
    double both = a[2] * a[3] + b[2] * b[3] - inter;
    return both < 0x1p-126 ? 0 : inter / both;
}
static double distance(const double *a, const double *b) {
    double sum = 0;
    for (int i = 0; i < 4; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}
/* weight (x - target)^2, added to a term; its derivative goes where x came from. */
static void squared(double *term, double weight, const double *x, double target) {
    *term += weight * (*x - target) * (*x - target);
    slope[x - output.at] = 2 * weight * (*x - target);
}
/* A truth in its cell: the predictor that overlaps it most is responsible; where none does, the nearest one. */
static void truth(double *cell, int column, int row, const double *wanted, int label) {
    double best = 0, least = INFINITY, *chosen = cell;
    for (int j = 0; j < B; j++) {
        double *p = cell + 5 * j, box[4] = {(column + p[0]) / S, (row + p[1]) / S, p[2] * p[2], p[3] * p[3]};
        double overlap = iou(box, wanted), apart = distance(box, wanted);
        if (overlap > best || (best == 0 && overlap == 0 && apart < least)) best = overlap, least = apart, chosen = p;
    }
    double places[4] = {wanted[0] * S - column, wanted[1] * S - row, sqrt(wanted[2]), sqrt(wanted[3])};
    for (int i = 0; i < 4; i++) squared(&box_term, coordinate_weight, chosen + i, places[i]);
    squared(&objectness, object_weight, chosen + 4, of_iou ? best : 1);
    responsible[chosen + 4 - output.at] = 1;
    for (int c = 0; c < C; c++) squared(&class_term, class_weight, cell + 5 * B + c, c == label);
    positives++;
}
static void image(double *cells, const double *box, const double *label, int count) {
    char held[CELLS] = {0};
    for (int t = 0; t < count; t++, box += 4) {
        double h = size.at[0], w = size.at[1];
        double wanted[4] = {(box[0] + box[2]) / 2 / w, (box[1] + box[3]) / 2 / h, (box[2] - box[0]) / w, (box[3] - box[1]) / h};
        int column = (int)fmin(S - 1, wanted[0] * S), row = (int)fmin(S - 1, wanted[1] * S), i = row * S + column;
        if (wanted[2] * wanted[3] > 0 && !held[i]) held[i] = 1, truth(cells + i * (5 * B + C), column, row, wanted, (int)label[t]);
    }
    for (int i = 0; i < S * S; i++)
        for (int j = 0; j < B; j++) {
            double *confidence = cells + i * (5 * B + C) + 5 * j + 4;
            if (!responsible[confidence - output.at]) squared(&objectness, no_object_weight, confidence, 0);
        }
}

static void print(int *next, int depth, const int *shape, double divisor) { /* the gradient, nested as the output is */
    for (int i = 0; i < *shape; i++) {
        printf(i ? "," : "[");
        if (depth > 1) print(next, depth - 1, shape + 1, divisor);
        else printf("%.17g", slope[(*next)++] / divisor);
    }
    printf("]");
}
static void run(void) {
    if (!says("function", "\"criteria.yolov1\"")) { printf("\"errored\":true,\"message\":\"unknown function\"}\n"); return; }
    if (!says("dialect", "\"paper\"")) { printf("\"skipped\":true,\"reason\":\"the paper's rules only\"}\n"); return; }
    S = (int)parameter("grid"), B = (int)parameter("boxes"), C = (int)parameter("number_of_classes"), positives = 0;
    if (!array("output", &output) || !array("gt_boxes", &boxes) || !array("gt_labels", &labels) || !array("image_size", &size) ||
        S * S > CELLS) { printf("\"skipped\":true,\"reason\":\"too large for this program\"}\n"); return; }
    coordinate_weight = parameter("coordinate_weight"), no_object_weight = parameter("no_object_weight");
    object_weight = parameter("object_weight"), class_weight = parameter("class_weight"), of_iou = says("iou_as_confidence", "true");
    memset(slope, 0, sizeof slope), memset(responsible, 0, sizeof responsible);
    box_term = objectness = class_term = 0;
    for (int i = 0, first = 0; i < labels.lists; first = labels.ends[i++])
        image(output.at + i * S * S * (5 * B + C), boxes.at + 4 * first, labels.at + first, labels.ends[i] - first);
    double divisor = says("normalizer", "\"batch\"") ? fmax(1, positives) : parameter("normalizer");
    int shape[4] = {labels.lists, S, S, 5 * B + C}, next = 0;
    printf("\"results\":[{\"terms\":{\"box\":%.17g,\"objectness\":%.17g,\"classes\":%.17g},\"gradient\":{\"output\":",
           box_term / divisor, objectness / divisor, class_term / divisor);
    print(&next, 4, shape, divisor);
    printf("}}]}\n");
}

int main(void) {
    while (fgets(line, sizeof line, stdin) && !says("cmd", "\"stop\"")) {
        printf("{\"seq\":%.0f,", parameter("seq"));
        if (says("cmd", "\"run\"")) run();
        else if (!says("protocol", "1}")) printf("\"errored\":true,\"message\":\"unknown protocol\"}\n");
        else printf("\"name\":\"yolov1.c\",\"version\":\"1\",\"language\":\"C\",\"functions\":[\"criteria.yolov1\"]}\n");
        fflush(stdout);
    }
    return 0;
}
