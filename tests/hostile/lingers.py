"""Right, but stays when told to stop, or leaves with an error."""

import sys
import time

from honest import serve

serve(stop=lambda: time.sleep(3600) if sys.argv[1] == "stays" else sys.exit(3))
