"""Anatomy: real label maps become a population of people, seen by several scanners.

    from course_lib.data.anatomy import population
    cases = population(100, contrasts=("t1", "ct"), seed=0)

`template` holds the real pieces (completed by `donor` and `chest`), `population` deforms them and
keeps the truth, `tissues` and `scanner` say what they are made of and who looks, `render` makes the
pictures.
"""

from course_lib.data.anatomy.population import pair_field, population
from course_lib.data.anatomy.template import subjects
from course_lib.data.anatomy.tissues import labels

__all__ = ["labels", "pair_field", "population", "subjects"]
