"use strict";
// Losses over dual numbers: v, a value, and d, its derivatives by the numbers of the first input.

const of = (v) => ({ v, d: [] });
const chain = (v, ...terms) => {
  const d = [];
  for (const [rate, of_] of terms) of_.d.forEach((x, i) => (d[i] = (d[i] ?? 0) + rate * x));
  return { v, d };
};
const add = (a, b) => chain(a.v + b.v, [1, a], [1, b]);
const sub = (a, b) => chain(a.v - b.v, [1, a], [-1, b]);
const mul = (a, b) => chain(a.v * b.v, [b.v, a], [a.v, b]);
const times = (k, a) => chain(k * a.v, [k, a]);
const larger = (a, b) => (a.v > b.v ? a : b);
const smaller = (a, b) => (a.v < b.v ? a : b);
const abs = (a) => times(Math.sign(a.v), a);
const ratio = (a, b) => (b.v < 2 ** -126 ? of(0) : chain(a.v / b.v, [1 / b.v, a], [-a.v / b.v / b.v, b]));
const angle = (y, x) => {
  const square = x.v * x.v + y.v * y.v;
  return square === 0 ? of(0) : chain(Math.atan2(y.v, x.v), [x.v / square, y], [-y.v / square, x]);
};
const sigmoid = (x) => {
  const e = Math.exp(-Math.abs(x.v)), r = 1 / (1 + e);
  return chain(x.v >= 0 ? r : e * r, [e * r * r, x]);
};
const softplus = (x) => chain(Math.max(x.v, 0) + Math.log1p(Math.exp(-Math.abs(x.v))), [sigmoid(x).v, x]);
const power = (a, g) => chain(a.v ** g, [g === 0 || a.v === 0 ? 0 : (g * a.v ** g) / a.v, a]);
const sum = (all) => all.reduce(add, of(0));

const weight = (alpha, t) => (alpha === null ? 1 : t * alpha + (1 - t) * (1 - alpha));
const crossEntropy = (x, y, z) => add(times(y, softplus(times(-1, x))), times(z, softplus(x)));
function focal(x, t, { alpha, gamma }) {
  const miss = add(times(t, sigmoid(times(-1, x))), times(1 - t, sigmoid(x)));
  return times(weight(alpha, t), mul(power(miss, gamma), crossEntropy(x, t, 1 - t)));
}
function softmaxFocal(logits, label, { alpha, gamma }) {
  if (label === -2 || logits.length === 1) return of(0);
  const others = logits.filter((_, i) => i !== label);
  const top = Math.max(...others.map((x) => x.v));
  const shares = others.map((x) => chain(Math.exp(x.v - top), [Math.exp(x.v - top), x]));
  const total = sum(shares);
  const gap = sub(add(of(top), chain(Math.log(total.v), [1 / total.v, total])), logits[label]);
  return times(weight(alpha, label === 0 ? 0 : 1), mul(power(sigmoid(gap), gamma), softplus(gap)));
}

function geometry(p, q, { box_format: format, eps }) {
  const corners = ([a, b, c, d]) =>
    format === "xyxy" ? [a, b, c, d] : [sub(a, times(0.5, c)), sub(b, times(0.5, d)), add(a, times(0.5, c)), add(b, times(0.5, d))];
  const sides = ([a, b, c, d]) => (format === "xyxy" ? [sub(c, a), sub(d, b)] : [c, d]);
  const a = corners(p), b = corners(q), [w, h] = sides(p), [u, v] = sides(q), small = of(eps);
  const overlap = (i) => larger(sub(smaller(a[i + 2], b[i + 2]), larger(a[i], b[i])), of(0));
  const hull = (i) => sub(larger(a[i + 2], b[i + 2]), smaller(a[i], b[i]));
  const shift = (i) => times(0.5, add(sub(a[i], b[i]), sub(a[i + 2], b[i + 2])));
  const inter = mul(overlap(0), overlap(1));
  const union = add(sub(mul(w, h), inter), mul(u, v));
  return { w, h, u, v, union, small, iou: ratio(inter, add(union, small)), W: hull(0), H: hull(1), dx: shift(0), dy: shift(1) };
}
function iou(p, q, parameters) {
  const { iou } = geometry(p, q, parameters);
  if (parameters.kind === "log") return iou.v > 1e-6 ? chain(-Math.log(iou.v), [-1 / iou.v, iou]) : of(-Math.log(1e-6));
  return sub(of(1), parameters.kind === "squared" ? mul(iou, iou) : iou);
}
function giou(p, q, parameters) {
  const g = geometry(p, q, parameters), hull = mul(g.W, g.H);
  return add(sub(of(1), g.iou), ratio(sub(hull, g.union), add(hull, g.small)));
}
function diou(p, q, parameters) {
  const g = geometry(p, q, parameters);
  const apart = ratio(add(mul(g.dx, g.dx), mul(g.dy, g.dy)), add(add(mul(g.W, g.W), mul(g.H, g.H)), g.small));
  return add(sub(of(1), g.iou), apart);
}
function ciou(p, q, parameters) {
  const g = geometry(p, q, parameters);
  const turn = angle(sub(mul(g.u, g.h), mul(g.w, g.v)), add(mul(g.w, g.u), mul(g.h, g.v)));
  const V = times(4 / Math.PI ** 2, mul(turn, turn));
  const A = ratio(V, add(add(sub(of(1), g.iou), V), g.small));
  return add(diou(p, q, parameters), mul(parameters.differentiate_alpha ? A : of(A.v), V));
}

// What is exported takes plain numbers; a seed of derivatives is put on the first input.
const one = (result) => [result.v, result.d[0] ?? 0];
const scalar = (loss) => (x, t, parameters) => one(loss({ v: x, d: [1] }, t, parameters));
const row = (loss) => (x, t, parameters) => {
  const result = loss(x.map((v, i) => ({ v, d: x.map((_, j) => (i === j ? 1 : 0)) })), t, parameters);
  return [result.v, x.map((_, i) => result.d[i] ?? 0)];
};
const pair = (loss) => (x, t, parameters) => row((p) => loss(p, t.map(of), parameters))(x);
const each = (x, label, parameters) => {
  const results = x.map((v, i) => (label === -2 ? [0, 0] : scalar(focal)(v, label === i ? 1 : 0, parameters)));
  return [results.map((r) => r[0]), results.map((r) => r[1])];
};
module.exports = {
  l1_loss: scalar((x, t) => abs(sub(x, of(t)))),
  squared_error: scalar((x, t, { factor }) => times(factor, mul(sub(x, of(t)), sub(x, of(t))))),
  smooth_l1_loss: scalar((x, t, { beta }) => {
    const d = abs(sub(x, of(t)));
    return d.v < beta ? times(1 / (2 * beta), mul(d, d)) : sub(d, of(beta / 2));
  }),
  huber_loss: scalar((x, t, { delta }) => {
    const d = abs(sub(x, of(t)));
    return d.v < delta ? times(0.5, mul(d, d)) : times(delta, sub(d, of(delta / 2)));
  }),
  binary_cross_entropy: scalar((x, t, { alpha, label_smoothing: s }) =>
    times(weight(alpha, t), crossEntropy(x, t * (1 - s) + s / 2, (1 - t) * (1 - s) + s / 2))),
  focal_loss: scalar(focal),
  focal_loss_with_integer_labels: each,
  softmax_cross_entropy_with_integer_labels: row((x, t) => softmaxFocal(x, t, { alpha: null, gamma: 0 })),
  softmax_focal_loss_with_integer_labels: row(softmaxFocal),
  iou_loss: pair(iou), giou_loss: pair(giou), diou_loss: pair(diou), ciou_loss: pair(ciou),
};
