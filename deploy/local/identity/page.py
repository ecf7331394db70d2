"""The page on which one chooses who one is."""

from collections.abc import Iterable
from html import escape

from deploy.local.identity.people import Person

_STYLE = """
body { font: 1.125rem/1.5 system-ui, sans-serif; margin: 0; color: #1a1a1a; background: #fff; }
.banner { background: #ffd400; color: #1a1a1a; font-weight: 700; padding: 1rem; border-bottom: .25rem solid #1a1a1a; }
main { max-width: 40rem; margin: 0 auto; padding: 1rem; }
button { font: inherit; display: block; width: 100%; text-align: left; margin: .5rem 0; padding: .75rem 1rem;
         min-height: 3rem; color: #1a1a1a; background: #fff; border: .125rem solid #595959; border-radius: .25rem; }
button:hover { background: #eef4ff; }
button:focus-visible { outline: .25rem solid #0b57d0; outline-offset: .125rem; }
"""


def choice_page(people: Iterable[Person], action: str) -> str:
    """`action`: where the choice is sent."""
    buttons = "\n".join(
        f'<li><button name="person" value="{escape(one.id)}">{escape(one.name)}: {escape(one.what)}</button></li>'
        for one in people
    )
    return _page(
        "Choose who you are",
        f"""<form method="post" action="{escape(action)}">
<ul role="list" style="list-style: none; padding: 0">
{buttons}
</ul>
<button name="person" value="">Cancel: do not sign in</button>
</form>""",
    )


def message_page(title: str, text: str) -> str:
    return _page(title, f"<p>{escape(text)}</p>")


def _page(title: str, content: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} – local identity provider</title>
<style>{_STYLE}</style>
</head>
<body>
<header class="banner" role="banner">For local use only: this identity provider asks for no password.</header>
<main>
<h1>{escape(title)}</h1>
{content}
</main>
</body>
</html>
"""
