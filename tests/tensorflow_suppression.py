"""TensorFlow's own suppression of the boxes in one file, into another: in a process of its own, since TensorFlow takes much memory."""

import sys

import numpy as np
import tensorflow as tf

with np.load(sys.argv[1]) as given:
    scenes = [(given[f"boxes{i}"][:, [1, 0, 3, 2]], given[f"scores{i}"]) for i in range(len(given.files) // 2)]
out = {}
for i, (boxes, scores) in enumerate(scenes):
    for threshold in (0.0, 0.3, 0.5, 1.0):
        out[f"nms{i}_{threshold}"] = tf.image.non_max_suppression(boxes, scores, len(boxes), threshold).numpy()
    # Its sigma is half of the paper's; with a threshold of 1 it removes nothing.
    soft = tf.image.non_max_suppression_with_scores(boxes, scores, len(boxes), 1.0, 0.001, 0.25)
    out[f"soft{i}"], out[f"scores{i}"] = soft[0].numpy(), soft[1].numpy()
np.savez(sys.argv[2], **out)
