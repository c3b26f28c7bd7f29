"use strict";
// A refloss harness in JavaScript: refloss check --command "node harness.js" --as ciou_loss
// Your own losses take the place of losses.js: name -> (first input, second input, parameters) -> [value, gradient].
// Your own suppression or assigner takes the place of scenes.js: name -> (inputs, parameters) -> the answer.
const losses = require("./losses.js");
const scenes = require("./scenes.js");

const number = (text) => ({ nan: NaN, inf: Infinity, "-inf": -Infinity })[text] ?? text;
const plain = (x) => {
  if (Array.isArray(x)) return x.map(plain);
  return Number.isFinite(x) ? x : Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf"; // JSON.stringify would write null
};

function start({ protocol }) {
  if (protocol !== 1) return { errored: true, message: `unknown protocol ${protocol}` };
  return { name: "harness.js", version: "1", language: "JavaScript", losses: Object.keys(losses), functions: Object.keys(scenes) };
}

function run({ loss, function: scene, count, parameters, inputs }) {
  const given = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, number(value)]));
  if (scene in scenes) return { results: [scenes[scene](inputs, given)] };
  if (!(loss in losses)) return { errored: true, message: `unknown loss ${loss ?? scene}` };
  const [first, second] = Object.values(inputs);
  const results = [];
  for (let i = 0; i < count; i++) {
    const [value, gradient] = losses[loss](first[i], second[i], given);
    results.push({ value: plain(value), gradient: plain(gradient) });
  }
  return { results };
}

require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const message = JSON.parse(line);
  if (message.cmd === "stop") process.exit(0);
  let answer;
  try {
    answer = (message.cmd === "start" ? start : run)(message);
  } catch (error) {
    answer = { errored: true, message: String(error) };
  }
  process.stdout.write(JSON.stringify({ seq: message.seq, ...answer }) + "\n");
});
