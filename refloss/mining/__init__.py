"""Mining: which priors a classification loss counts. Masks, no gradients."""

from .hard import hard_negatives, ohem
from .sample import random_sample

__all__ = ["hard_negatives", "ohem", "random_sample"]
