"""Turn a page into plain text."""

from __future__ import annotations

from ocr_batch.document import Page

__all__ = ["PAGE_BREAK", "format_text"]

#: Stands between two pages where several are written to one stream.
PAGE_BREAK = "\f"


def format_text(page: Page) -> str:
    """Return the page's lines, with a blank line between blocks.

    Parameters
    ----------
    page : Page
        Its blocks are written in reading order.

    Returns
    -------
    str
        Ends with one newline; the empty string for a page without text.
    """
    return page.text + "\n" if page.text else ""
