"use strict";
// Decisions on golden scenes: name -> (inputs by name, parameters) -> the parts of the answer by name.
// JavaScript computes in double, and compares with the threshold as it is written: so equality at a threshold is met in float32 too.

const above = (x) => Math.max(0, x);
const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);
function iou(a, b) {
  const inter = above(Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * above(Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const union = area(a) + area(b) - inter;
  return union < 2 ** -126 ? 0 : inter / union;
}
function apart(a, b) {
  // The squared distance of the centres over the squared diagonal of the box around both.
  const dx = (a[0] - b[0] + (a[2] - b[2])) / 2, dy = (a[1] - b[1] + (a[3] - b[3])) / 2;
  const w = Math.max(a[2], b[2]) - Math.min(a[0], b[0]), h = Math.max(a[3], b[3]) - Math.min(a[1], b[1]);
  const diagonal = w * w + h * h;
  return diagonal < 2 ** -126 ? 0 : (dx * dx + dy * dy) / diagonal;
}

// Greedy: the best score left is kept, and removes what overlaps it by more than the threshold. Array.sort is stable: of equal scores
// the smaller index comes first.
function nms({ boxes, scores }, { iou_threshold: threshold, kind, beta, max_detections: most }) {
  const likeness = (a, b) => iou(a, b) - (kind === "diou" ? apart(a, b) ** beta : 0);
  let left = boxes.map((_, i) => i).sort((i, j) => scores[j] - scores[i]);
  const indices = [];
  while (left.length > 0 && indices.length < (most ?? Infinity)) {
    const [best, ...rest] = left;
    indices.push(best);
    left = rest.filter((i) => !(likeness(boxes[best], boxes[i]) > threshold));
  }
  return { indices };
}

// RetinaNet's rule, and the proposal network's low-quality matches: each prior has the truth that overlaps it most, the first of equal
// ones, if by positive_threshold or more; from negative_threshold on it is ignored. All priors that attain the best IoU of a truth which
// meets any are positive too, and keep the truth that overlaps them most.
const BACKGROUND = -1, IGNORED = -2;
function maxIou({ priors, gt_boxes: truths }, { positive_threshold, negative_threshold, low_quality_matches, dialect }) {
  if (dialect !== "paper") return { skipped: true, reason: "only the paper's rule is here" };
  const table = priors.map((prior) => truths.map((truth) => iou(prior, truth)));
  const best = table.map((row) => Math.max(0, ...row));
  const top = truths.map((_, t) => Math.max(0, ...table.map((row) => row[t])));
  const kept = (row) => low_quality_matches && row.some((x, t) => x > 0 && x === top[t]);
  const code = (row, p) => {
    if (truths.length > 0 && (best[p] >= positive_threshold || kept(row))) return row.indexOf(best[p]);
    return truths.length > 0 && best[p] >= negative_threshold ? IGNORED : BACKGROUND;
  };
  return { gt_index: table.map(code) };
}

module.exports = { "boxes.nms": nms, "assign.max_iou": maxIou };
