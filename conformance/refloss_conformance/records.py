"""Everything that has golden numbers: the losses, then the codings (each direction of a box coder), by name."""

from collections import ChainMap
from collections.abc import Mapping
from typing import Any

import refloss.coders
import refloss.losses  # noqa: F401  registers the losses
from refloss._engine.coding import CODINGS
from refloss._engine.record import REGISTRY

RECORDS: Mapping[str, Any] = ChainMap[str, Any](CODINGS, REGISTRY)  # a ChainMap lists its last map first
