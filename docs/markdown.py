"""Markdown to HTML: headings with anchors, formulas, coloured code, and names that link to what they name."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from .formulas import mathml

SECTIONS = ("Arguments", "Returns", "Errors", "Source", "Fields", "Accuracy", "Scaling", "Assumptions")
_SECTION = re.compile(rf"^({'|'.join(SECTIONS)})(?: of [^:]*)?:(?=\s|$)")
_KEY = re.compile(r"\[([a-z]+\d{4}[a-z]*)\]")


@dataclass
class Names:
    """What can be linked to: by `[key]` in the text (references, figures), or in backticks (the names of the code)."""

    references: dict[str, tuple[str, str]] = field(default_factory=dict)  # key: address, title
    code: dict[str, str] = field(default_factory=dict)

    def relative(self, root: str) -> "Names":
        """The same, seen from a page whose path to the site's folder is `root`."""
        return Names(
            {key: (root + address, title) for key, (address, title) in self.references.items()},
            {name: root + address for name, address in self.code.items()},
        )


def slug(text: str) -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-")


def coloured(code: str, language: str) -> str:
    """A block of code, coloured; as it is, where the language is not known."""
    if language == "python" and ">>> " in code:
        language = "pycon"
    try:
        lexer = get_lexer_by_name(language or "text")
    except ClassNotFound:
        lexer = get_lexer_by_name("text")
    return highlight(code.strip("\n") + "\n", lexer, HtmlFormatter(cssclass="code", wrapcode=True))


class Renderer(RendererHTML):
    """With anchors of headings, and links of the names in backticks that are names of the site."""

    def fence(self, tokens, idx, options, env) -> str:
        return coloured(tokens[idx].content, tokens[idx].info.strip())

    def code_block(self, tokens, idx, options, env) -> str:
        return coloured(tokens[idx].content, "text")

    def code_inline(self, tokens, idx, options, env) -> str:
        text = tokens[idx].content
        code = f"<code>{escape(text)}</code>"
        name = re.match(r"[\w.-]+", text.removeprefix("hamtheory.").removeprefix("ht."))
        address = env["names"].code.get(name[0]) if name and not env.get("in_link") else None
        if address is None or not re.fullmatch(r"(hamtheory\.|ht\.)?[\w.-]+(\(.*\))?", text):
            return code
        return f'<a class="name" href="{address}">{code}</a>'

    def heading_open(self, tokens, idx, options, env) -> str:
        anchor = env["prefix"] + slug("".join(t.content for t in tokens[idx + 1].children or []))
        env["headings"].append((tokens[idx].tag, anchor, tokens[idx + 1]))
        return f'<{tokens[idx].tag} id="{anchor}">'

    def link_open(self, tokens, idx, options, env) -> str:
        env["in_link"] = True
        tokens[idx].attrs["href"] = env["resolve"](str(tokens[idx].attrs["href"]))
        return self.renderToken(tokens, idx, options, env)

    def link_close(self, tokens, idx, options, env) -> str:
        env["in_link"] = False
        return self.renderToken(tokens, idx, options, env)

    def image(self, tokens, idx, options, env) -> str:
        source = env["resolve"](str(tokens[idx].attrs["src"]))
        if not source:
            return f'<span class="absent">{escape(tokens[idx].content)}: not drawn in this build.</span>'
        tokens[idx].attrs["src"] = source
        return super().image(tokens, idx, options, env)

    def table_open(self, tokens, idx, options, env) -> str:
        return '<div class="wide"><table>'

    def table_close(self, tokens, idx, options, env) -> str:
        return "</table></div>"


def _engine(*, formulas: bool) -> MarkdownIt:
    engine = MarkdownIt("commonmark", {"html": False}, renderer_cls=Renderer).enable("table")
    if formulas:
        convert = lambda latex, options: mathml(latex, display=options["display_mode"])  # noqa: E731
        dollarmath_plugin(engine, allow_space=False, allow_digits=True, renderer=convert)
    return engine


_PAGES, _DOCSTRINGS = _engine(formulas=True), _engine(formulas=False)


@dataclass
class Text:
    """Rendered Markdown: its HTML, its headings (tag, anchor, HTML), and the `[keys]` that nothing is known of."""

    html: str
    headings: list[tuple[str, str, str]]
    unknown: list[str]


def render(
    text: str,
    names: Names,
    *,
    resolve: Callable[[str], str] = lambda address: address,
    formulas: bool = False,
    prefix: str = "",
    inline: bool = False,
) -> Text:
    """HTML of Markdown.

    `resolve`: turns addresses of links and images into those of the site, of images that are not there into "".
    `formulas`: LaTeX between dollars.
    `prefix`: of the anchors of headings. `inline`: a line, without paragraphs.
    Errors: `ValueError` for a formula that cannot be converted.
    """
    known = {key.upper(): {"href": address, "title": title} for key, (address, title) in names.references.items()}
    targets = {address for address, _ in names.references.values()}
    env = {
        "references": known,
        "names": names,
        "headings": [],
        "prefix": prefix,
        "resolve": lambda address: address if address in targets else resolve(address),
    }
    engine = _PAGES if formulas else _DOCSTRINGS
    html = engine.renderInline(text, env) if inline else engine.render(text, env)
    headings = [(tag, anchor, _plain(token)) for tag, anchor, token in env["headings"]]
    prose = re.sub(r"<(code|pre|math)\b.*?</\1>", "", html, flags=re.S)
    if formulas and "$" in prose:
        raise ValueError(f"a dollar is left over: {re.sub(r'<.*?>', '', prose[prose.index('$') - 40 :])[:80]!r}")
    return Text(html, headings, _KEY.findall(prose))


def _plain(heading: Token) -> str:
    return escape("".join(child.content for child in heading.children or []))


def from_docstring(text: str) -> str:
    """The Markdown of a docstring: its sections, which are headings at the margin, become labels with what they hold.

    A section is either a paragraph (`Returns: …`, continued by indented lines), or a list, one item for each line of
    the least indentation.
    """
    lines, found, i, fenced = text.expandtabs().split("\n"), [], 0, False
    while i < len(lines):
        line = lines[i]
        fenced ^= line.lstrip().startswith("```")
        section = None if fenced else _SECTION.match(line)
        if not section:
            found.append(line)
            i += 1
            continue
        end = i + 1
        while end < len(lines) and (lines[end].startswith(" ") or not lines[end].strip()):
            end += 1
        body = lines[i + 1 : end]
        while body and not body[-1].strip():
            body.pop()
        found += ["", f"**{section[0].rstrip(':')}.**" + line[section.end() :]]
        if line[section.end() :].strip():  # a paragraph
            found += [part.strip() for part in body]
        else:
            found += ["", *_items(body)]
        found.append("")
        i = end
    return "\n".join(found)


def _items(body: list[str]) -> list[str]:
    least = min((len(line) - len(line.lstrip()) for line in body if line.strip()), default=0)
    return [
        ("- " if len(line) - len(line.lstrip()) == least else "  ") + line.strip() if line.strip() else ""
        for line in body
    ]
