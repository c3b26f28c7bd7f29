"""What a check found, for others to read: Markdown, HTML, JUnit XML, a badge; and several checks as one document."""

from .badge import badge
from .html import html
from .junit import junit
from .load import load
from .markdown import markdown
from .merge import merge, slim

__all__ = ["badge", "html", "junit", "load", "markdown", "merge", "slim"]
