"""What a figure says."""

from matplotlib.text import Text


def words(figure):
    """All text of a figure, on one line."""
    return " ".join(" ".join(text.get_text() for text in figure.findobj(Text)).split())
