"""Write pieces of a self-contained HTML page: text escaped, pictures inline, no scripts."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["cell", "data_uri", "figure", "fold", "page", "recipe_rows", "section", "table", "text"]

_STYLE = """\
:root{color-scheme:light dark;--ground:#fff;--paper:#f3f3f0;--ink:#1c1c1a;--faint:#5f5e58;
--line:#deddd6;--first:#1f6fc4;--warn:#c2570c;--warn-ground:#fdf1e6}
@media (prefers-color-scheme:dark){:root{--ground:#1b1c1e;--paper:#27292c;--ink:#eceae4;
--faint:#a9a79f;--line:#3b3d41;--first:#6ab0f3;--warn:#f0994f;--warn-ground:#33271c}
.ink img{filter:invert(.86)}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
main{max-width:62rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.7rem;line-height:1.25;margin:.5rem 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.75rem 0 .5rem;padding-top:1rem;border-top:1px solid var(--line)}
p{margin:.35rem 0 .75rem;max-width:44rem}
.faint,figcaption,.under{color:var(--faint);font-size:.9rem}
nav{display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.9rem;margin:.75rem 0 0}
a{color:var(--first)}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.75rem;
margin:1.25rem 0}
dl>div{background:var(--paper);border-radius:.5rem;padding:.75rem 1rem}
dt{color:var(--faint);font-size:.85rem}
dd{margin:0;font-size:1.55rem;line-height:1.3;font-weight:600;font-variant-numeric:tabular-nums}
dd.under{font-size:.85rem;font-weight:400;line-height:1.4}
ul.notes{list-style:none;margin:.75rem 0;padding:0}
ul.notes li{background:var(--paper);border-left:4px solid var(--line);
padding:.4rem .85rem;margin:.4rem 0;border-radius:0 .35rem .35rem 0;overflow-wrap:anywhere}
ul.notes li.warning{background:var(--warn-ground);border-color:var(--warn)}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch;margin:.5rem 0}
figure{margin:.75rem 0}
figure img{display:block;width:100%;height:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{padding:.34rem .7rem;text-align:right;border-bottom:1px solid var(--line);
vertical-align:middle}
th{color:var(--faint);font-weight:600;font-size:.85rem;white-space:nowrap;vertical-align:bottom}
.left{text-align:left}
.name{text-align:left;font-weight:600;white-space:pre-wrap;overflow-wrap:anywhere;min-width:3rem}
.value{text-align:left;overflow-wrap:anywhere;
font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.85rem}
.strip{display:flex;flex-wrap:wrap;gap:.3rem;padding:0}
.strip img{width:2.9rem;height:2.9rem;border-radius:.2rem;border:1px solid #dcdcdc}
.mark{display:inline-block;margin-left:.4rem;padding:0 .4rem;border-radius:.6rem;
font-size:.75rem;color:var(--warn);background:var(--warn-ground);border:1px solid var(--warn);
white-space:nowrap}
pre{background:var(--paper);border-radius:.5rem;padding:1rem;overflow-x:auto;line-height:1.25;
font:.78rem ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
summary{cursor:pointer;color:var(--first);padding:.5rem 0}
@media (max-width:40rem){th,td{padding:.34rem .4rem}th{white-space:normal}.wide{display:none}}
@media print{details>*{display:block}.scroll{overflow:visible}}
"""


def text(value: object) -> str:
    """Return a value as HTML text; bytes of a name that are no UTF-8 are spelt out."""
    return html.escape(str(value).encode("utf-8", "backslashreplace").decode("utf-8"))


def data_uri(png: bytes) -> str:
    """Return a PNG as an address that holds the picture itself."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def figure(light: bytes, dark: bytes, alt: str, caption: str = "", *, least: int = 0) -> str:
    """Return a picture that follows the reader's theme.

    Parameters
    ----------
    light, dark : bytes
        PNGs.
    alt, caption : str
        Plain text.
    least : int
        On screens narrower than this, in CSS pixels, the picture scrolls instead of shrinking.
    """
    wide = f' style="min-width:{least}px"' if least else ""
    below = f"<figcaption>{text(caption)}</figcaption>" if caption else ""
    return (
        f'<figure><div class="scroll"><picture{wide}>'
        f'<source media="(prefers-color-scheme: dark)" srcset="{data_uri(dark)}">'
        f'<img{wide} src="{data_uri(light)}" alt="{text(alt)}"></picture></div>{below}</figure>\n'
    )


def cell(content: str, kind: str = "") -> str:
    """Return a cell of a table; `content` is HTML, `kind` a class of the style sheet."""
    return f'<td class="{kind}">{content}</td>' if kind else f"<td>{content}</td>"


def table(head: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]]) -> str:
    """Return a table from (title, style class) and rows of finished cells."""
    titles = "".join(
        f'<th scope="col" class="{kind}">{text(title)}</th>'
        if kind
        else f'<th scope="col">{text(title)}</th>'
        for title, kind in head
    )
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{titles}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>\n"
    )


def fold(summary: str, content: str) -> str:
    """Return HTML that is hidden until its summary (plain text) is clicked."""
    return f"<details><summary>{text(summary)}</summary>{content}</details>\n"


def section(anchor: str, title: str, content: str) -> str:
    """Return a section; `title` is plain text, `content` HTML."""
    return f'<section id="{anchor}"><h2>{text(title)}</h2>\n{content}</section>\n'


def recipe_rows(recipe: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return the settings of a recipe as names and values, nested ones with dotted names."""
    rows: list[tuple[str, str]] = []
    for name, value in recipe.items():
        if isinstance(value, Mapping) and value:
            rows += recipe_rows(value, f"{prefix}{name}.")
        elif isinstance(value, str):
            rows.append((f"{prefix}{name}", value))
        else:
            rows.append((f"{prefix}{name}", json.dumps(value, ensure_ascii=False, default=str)))
    return rows


def page(title: str, head: str, sections: Sequence[tuple[str, str, str]]) -> str:
    """Return the whole page.

    Parameters
    ----------
    title : str
        Plain text.
    head : str
        HTML that follows the title.
    sections : sequence of (str, str, str)
        Anchor, title, HTML of each.
    """
    links = "".join(f'<a href="#{anchor}">{text(name)}</a>' for anchor, name, _ in sections)
    body = "".join(section(*part) for part in sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{text(title)}</h1>\n{head}<nav>{links}</nav>\n{body}</main>\n</body>\n</html>\n"
    )
