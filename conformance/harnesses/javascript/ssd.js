"use strict";
// A refloss harness for a whole criterion, SSD's loss: refloss check --command "node ssd.js" --as criteria.ssd
// Your own takes the place of ssd(): (config, inputs, parameters) -> {terms, gradient}, with gradients by hand.

// What the dialects do otherwise. shared: truths may want the same prior, and the last one gets it; twice: where negatives run out,
// positives are mined too; background: its column (null: the last one); least: what each image adds to the divisor, at least.
const RULES = {
  paper: { shared: false, twice: false, background: 0, least: 0 },
  torchvision: { shared: true, twice: true, background: 0, least: 0 },
  mmdet: { shared: true, twice: false, background: null, least: 1 },
};
const plain = (x) => (Number.isFinite(x) ? x : Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf"); // JSON.stringify would write null

const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);
function iou(a, b) {
  const side = (i) => Math.max(0, Math.min(a[i + 2], b[i + 2]) - Math.max(a[i], b[i]));
  const inter = side(0) * side(1), union = area(a) + area(b) - inter;
  return union < 2 ** -126 ? 0 : inter / union;
}
const middle = (box, i) => (box[i] + box[i + 2]) / 2, size = (box, i) => box[i + 2] - box[i];
function encode(box, prior, weights) {
  const offsets = [0, 1].map((i) => (weights[i] * (middle(box, i) - middle(prior, i))) / size(prior, i));
  return [...offsets, ...[0, 1].map((i) => weights[i + 2] * Math.log(size(box, i) / size(prior, i)))];
}

// The truth of each prior, or -1. Each truth has its best prior first; where none is shared, the best free pair of all, time and again.
function match(priors, truths, threshold, shared) {
  const table = priors.map((prior) => truths.map((truth) => iou(prior, truth))), found = priors.map(() => -1);
  if (shared) {
    truths.forEach((truth, t) => {
      const column = table.map((row) => row[t]);
      if (area(truth) > 0) found[column.indexOf(Math.max(...column))] = t;
    });
  } else {
    const pairs = table.flatMap((row, p) => row.map((x, t) => [x, p, t])).filter(([x]) => x > 0).sort((a, b) => b[0] - a[0]);
    for (const [, p, t] of pairs) if (found[p] < 0 && !found.includes(t)) found[p] = t;
  }
  const others = table.map((row) => (Math.max(-1, ...row) >= threshold ? row.indexOf(Math.max(...row)) : -1));
  return found.map((t, p) => (t >= 0 ? t : others[p]));
}
// The priors whose "background" counts, the hardest ones. Array.sort is stable: of equal losses the smaller index comes first.
function mine(truths, losses, count, twice) {
  const rank = (p) => (truths[p] < 0 ? losses[p] : -1);
  const hardest = truths.map((_, p) => p).sort((p, q) => rank(q) - rank(p));
  return new Set(hardest.filter((p) => twice || truths[p] < 0).slice(0, count));
}
// The cross entropy of a row of logits, and its gradient.
function softmax(logits, column) {
  const top = Math.max(...logits), shares = logits.map((x) => Math.exp(x - top)), total = shares.reduce((a, b) => a + b);
  return { value: Math.log(total) - (logits[column] - top), slope: shares.map((x, c) => x / total - (c === column ? 1 : 0)) };
}
const smoothL1 = (d, beta) => (Math.abs(d) < beta ? [(d * d) / 2 / beta, d / beta] : [Math.abs(d) - beta / 2, Math.sign(d)]);

function ssd({ priors, number_of_classes: many }, { classes, codes, gt_boxes: boxes, gt_labels: labels }, parameters) {
  const { alpha, beta, threshold, ratio, min_negatives: least, weights, dialect } = parameters, rules = RULES[dialect];
  const background = rules.background ?? many, first = background === 0 ? 1 : 0;
  const terms = { box: 0, classes: 0 }, zeros = (rows) => rows.map((row) => row.map(() => 0));
  const gradient = { classes: classes.map(zeros), codes: codes.map(zeros) };
  let divisor = 0;
  classes.forEach((logits, image) => {
    const truths = match(priors, boxes[image], threshold, rules.shared), positives = truths.filter((t) => t >= 0).length;
    const losses = truths.map((t, p) => softmax(logits[p], t < 0 ? background : labels[image][t] + first));
    const mined = mine(truths, losses.map((one) => one.value), Math.max(Math.floor(ratio * positives), least), rules.twice);
    truths.forEach((t, p) => {
      const times = (t < 0 ? 0 : 1) + (mined.has(p) ? 1 : 0);
      terms.classes += times * losses[p].value;
      gradient.classes[image][p] = losses[p].slope.map((x) => times * x);
      if (t < 0) return;
      encode(boxes[image][t], priors[p], weights).forEach((target, i) => {
        const [value, slope] = smoothL1(codes[image][p][i] - target, beta);
        terms.box += alpha * value;
        gradient.codes[image][p][i] = alpha * slope;
      });
    });
    divisor += Math.max(rules.least, positives);
  });
  const divided = (x) => (Array.isArray(x) ? x.map(divided) : plain(x / Math.max(1, divisor)));
  for (const part of [terms, gradient]) for (const name in part) part[name] = divided(part[name]);
  return { terms, gradient };
}

require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { seq, cmd, protocol, config, inputs, parameters } = JSON.parse(line);
  if (cmd === "stop") process.exit(0);
  let answer = { name: "ssd.js", version: "1", language: "JavaScript", functions: ["criteria.ssd"] };
  if (cmd === "run") answer = { results: [ssd(config, inputs, parameters)] };
  else if (protocol !== 1) answer = { errored: true, message: `unknown protocol ${protocol}` };
  process.stdout.write(JSON.stringify({ seq, ...answer }) + "\n");
});
