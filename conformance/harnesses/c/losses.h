/* Losses over dual numbers: a value, and its derivatives by the (up to four) numbers of the first input.

All is computed in double, also for float32. `parameter` and `says` read the parameters of the message. */
typedef struct { double v, d[4]; } D;

/* f(a, b), of which the value and the two partial derivatives are known */
static D chain(double v, D a, double da, D b, double db) {
    D r = {v, {0}};
    for (int i = 0; i < 4; i++) r.d[i] = da * a.d[i] + db * b.d[i];
    return r;
}
static D of(double v) { return (D){v, {0}}; }
static D add(D a, D b) { return chain(a.v + b.v, a, 1, b, 1); }
static D sub(D a, D b) { return chain(a.v - b.v, a, 1, b, -1); }
static D mul(D a, D b) { return chain(a.v * b.v, a, b.v, b, a.v); }
static D times(double k, D a) { return chain(k * a.v, a, k, a, 0); }
static D larger(D a, D b) { return a.v > b.v ? a : b; }
static D smaller(D a, D b) { return a.v < b.v ? a : b; }
static D size_of(D a) { return a.v > 0 ? a : a.v < 0 ? times(-1, a) : of(a.v); }
static D ratio(D a, D b) { /* 0 where there is nothing to divide by */
    if (b.v < 0x1p-126) return of(0);
    return chain(a.v / b.v, a, 1 / b.v, b, -(a.v / b.v) / b.v);
}
static D angle(D y, D x) {
    double r = x.v * x.v + y.v * y.v;
    return r == 0 ? of(0) : chain(atan2(y.v, x.v), y, x.v / r, x, -y.v / r);
}
static D sigmoid(D x) {
    double e = exp(-fabs(x.v)), r = 1 / (1 + e);
    return chain(x.v >= 0 ? r : e * r, x, e * r * r, x, 0);
}
static D softplus(D x) { return chain(fmax(x.v, 0) + log1p(exp(-fabs(x.v))), x, sigmoid(x).v, x, 0); }
static D power(D a, double g) {
    double v = pow(a.v, g);
    return chain(v, a, g == 0 || a.v == 0 ? 0 : g * v / a.v, a, 0);
}

static D weigh(D loss, double t) { /* by alpha_t */
    double alpha = parameter("alpha");
    return isnan(alpha) ? loss : times(t * alpha + (1 - t) * (1 - alpha), loss);
}
static D cross_entropy(D x, double t, double rest) {
    return add(times(t, softplus(times(-1, x))), times(rest, softplus(x)));
}
static D bce(const D *x, const D *t) {
    double s = parameter("label_smoothing"), y = t->v;
    return weigh(cross_entropy(*x, y * (1 - s) + s / 2, (1 - y) * (1 - s) + s / 2), y);
}
static D focal(const D *x, const D *t) {
    D miss = add(times(t->v, sigmoid(times(-1, *x))), times(1 - t->v, sigmoid(*x)));
    return weigh(mul(power(miss, parameter("gamma")), cross_entropy(*x, t->v, 1 - t->v)), t->v);
}
static D l1(const D *x, const D *t) { return size_of(sub(*x, *t)); }
static D squared(const D *x, const D *t) { return times(parameter("factor"), mul(sub(*x, *t), sub(*x, *t))); }
static D smooth_l1(const D *x, const D *t) {
    double beta = parameter("beta");
    D d = l1(x, t);
    return d.v < beta ? times(1 / (2 * beta), mul(d, d)) : sub(d, of(beta / 2));
}
static D huber(const D *x, const D *t) {
    double delta = parameter("delta");
    D d = l1(x, t);
    return d.v < delta ? times(0.5, mul(d, d)) : times(delta, sub(d, of(delta / 2)));
}

static D boxes(const D *x, const D *t) { /* IoU, GIoU, DIoU or CIoU */
    D one = of(1), eps = of(parameter("eps")), a[4], b[4], w, h, u, v;
    if (says("box_format", "\"xyxy\"")) {
        memcpy(a, x, sizeof a), memcpy(b, t, sizeof b);
        w = sub(x[2], x[0]), h = sub(x[3], x[1]), u = sub(t[2], t[0]), v = sub(t[3], t[1]);
    } else {
        w = x[2], h = x[3], u = t[2], v = t[3];
        for (int i = 0; i < 4; i++) {
            a[i] = (i < 2 ? sub : add)(x[i % 2], times(0.5, x[2 + i % 2]));
            b[i] = (i < 2 ? sub : add)(t[i % 2], times(0.5, t[2 + i % 2]));
        }
    }
    D inter = mul(larger(sub(smaller(a[2], b[2]), larger(a[0], b[0])), of(0)), larger(sub(smaller(a[3], b[3]), larger(a[1], b[1])), of(0)));
    D outer = add(sub(mul(w, h), inter), mul(u, v)), iou = ratio(inter, add(outer, eps)), loss = sub(one, iou);
    if (says("loss", "\"iou_loss\"")) {
        if (says("kind", "\"squared\"")) return sub(one, mul(iou, iou));
        if (says("kind", "\"log\"")) return iou.v > 1e-6 ? chain(-log(iou.v), iou, -1 / iou.v, iou, 0) : of(-log(1e-6));
        return loss;
    }
    D hull_w = sub(larger(a[2], b[2]), smaller(a[0], b[0])), hull_h = sub(larger(a[3], b[3]), smaller(a[1], b[1]));
    if (says("loss", "\"giou_loss\"")) {
        D hull = mul(hull_w, hull_h);
        return add(loss, ratio(sub(hull, outer), add(hull, eps)));
    }
    D dx = times(0.5, add(sub(a[0], b[0]), sub(a[2], b[2]))), dy = times(0.5, add(sub(a[1], b[1]), sub(a[3], b[3])));
    loss = add(loss, ratio(add(mul(dx, dx), mul(dy, dy)), add(add(mul(hull_w, hull_w), mul(hull_h, hull_h)), eps)));
    if (says("loss", "\"diou_loss\"")) return loss;
    D turn = angle(sub(mul(u, h), mul(w, v)), add(mul(w, u), mul(h, v))), aspect = times(0.40528473456935108577, mul(turn, turn));
    D alpha = ratio(aspect, add(add(sub(one, iou), aspect), eps)); /* 4 / pi^2 = 0.405... */
    return add(loss, mul(says("differentiate_alpha", "true") ? alpha : of(alpha.v), aspect));
}

static const struct { const char *name, *first, *second; int width; D (*loss)(const D *, const D *); } known[] = {
    {"binary_cross_entropy", "logits", "targets", 1, bce}, {"focal_loss", "logits", "targets", 1, focal},
    {"squared_error", "predictions", "targets", 1, squared}, {"l1_loss", "predictions", "targets", 1, l1},
    {"smooth_l1_loss", "predictions", "targets", 1, smooth_l1}, {"huber_loss", "predictions", "targets", 1, huber},
    {"iou_loss", "boxes", "target_boxes", 4, boxes}, {"giou_loss", "boxes", "target_boxes", 4, boxes},
    {"diou_loss", "boxes", "target_boxes", 4, boxes}, {"ciou_loss", "boxes", "target_boxes", 4, boxes},
};
enum { LOSSES = sizeof known / sizeof *known };

