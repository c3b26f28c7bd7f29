"""The one file that imports Keras, which has no types: everything of it is Any from here on."""

import keras
from keras import ops

# Not public, but what Keras's own losses are made of: nothing else reads a mask, and what the reductions mean is theirs to say.
from keras.src.backend import get_keras_mask
from keras.src.losses.loss import reduce_weighted_values

__all__ = ["get_keras_mask", "keras", "ops", "reduce_weighted_values"]
