"use strict";
// tf.image.nonMaxSuppression of TensorFlow.js. Beside this file: npm install @tensorflow/tfjs-core @tensorflow/tfjs-backend-cpu
// refloss check --command "node tfjs_nms.js" --as boxes.nms
const tf = require("@tensorflow/tfjs-core");
require("@tensorflow/tfjs-backend-cpu");

const who = { name: "@tensorflow/tfjs-core", version: tf.version_core, language: "JavaScript" };
const stated = { ...who, functions: ["boxes.nms"], dtypes: ["float32"] };

function nms({ boxes, scores }, { kind, iou_threshold: threshold, max_detections: most }) {
  if (kind !== "iou") return { skipped: true, reason: "it compares plain IoU only" };
  // Its boxes are y1, x1, y2, x2; IoU is the same.
  const kept = tf.image.nonMaxSuppression(tf.tensor2d(boxes, [boxes.length, 4]), tf.tensor1d(scores), most ?? boxes.length, threshold);
  return { results: [{ indices: Array.from(kept.dataSync()) }] };
}

require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { seq, cmd, inputs, parameters } = JSON.parse(line);
  if (cmd === "stop") process.exit(0);
  let answer;
  try {
    answer = cmd === "start" ? stated : nms(inputs, parameters);
  } catch (error) {
    answer = { errored: true, message: String(error) };
  }
  process.stdout.write(JSON.stringify({ seq, ...answer }) + "\n");
});
