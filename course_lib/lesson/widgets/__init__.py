"""Things to move. Each is a picture too where nothing can be moved (web page, PDF, tests)."""

from course_lib.lesson.widgets.detail import detail_explorer
from course_lib.lesson.widgets.dose import dose_explorer
from course_lib.lesson.widgets.slices import slice_explorer
from course_lib.lesson.widgets.views import views_explorer

__all__ = ["detail_explorer", "dose_explorer", "slice_explorer", "views_explorer"]
