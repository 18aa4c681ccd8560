"""Deep learning in medical imaging: the library behind the lessons and the benchmark.

Importing this package is instant; its rooms import torch when they are used. Data flows one way:
`data` → `tasks` → `fit` → `methods` → `metrics` → `benchmark`.
"""

import os

__version__ = "0.1.0"

# Idle threads of OpenMP spin for long by default. Where they meet those of another library on the
# same cores, a training step took sixteen times as long; asleep at once, they made small networks
# take 1.7 times as long. Works only before torch is imported, hence here.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
