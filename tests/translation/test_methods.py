"""Which methods there are, and which data sets they answer."""

from course_lib import catalogue


def test_methods_are_listed_with_their_reference_and_what_they_can_answer():
    refs = {e.id: e.ref for e in catalogue.methods("translation") if not e.baseline}
    assert refs == {"pix2pix": 46, "cyclegan": 47, "gc_cyclegan": 54}
    sources = list(catalogue.datasets("translation"))
    fits = {
        e.id: [d for d in sources if catalogue.fits(e, d)] for e in catalogue.methods("translation")
    }
    pairs = [name for name in sources if "unpaired" not in name]
    assert fits["pix2pix"] == fits["regression_forest"] == pairs
    assert fits["cyclegan"] == fits["histogram_matching"] == sources
