"""Deep learning in medical imaging: the library behind the lessons and the benchmark.

Importing this package is instant; its rooms import torch when they are used. Data flows one way:
`data` → `tasks` → `fit` → `methods` → `metrics` → `benchmark`.
"""

__version__ = "0.1.0"
