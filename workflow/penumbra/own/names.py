"""Names and texts in the config file of a world of one's own."""

import json
import re
import unicodedata

from penumbra.errors import PenumbraError
from penumbra.images.names import readable
from penumbra.own.sets import CALLED

PLAIN = re.compile(r"[A-Za-z/](?:[\w ./-]*[\w./-])?", re.ASCII)
# Characters that YAML refuses or takes for a line's end, and JSON does not.
UNREAD = re.compile("[\x7f-\x9f\u2028\u2029\ufffe\uffff]")
SHOWN = 30  # characters of a name that is too long
LONGEST = 100  # characters of a name: files are called by it, and by more
WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def slug(name: str) -> str:
    """A name as those of entries are: lower-case letters, digits, dots and hyphens.

    Raises:
        PenumbraError: nothing is left of it, it is too long for a file's name, or holds a control
            character, which no YAML could hold.
    """
    if len(name) > LONGEST:
        raise PenumbraError(
            f"the name {readable(name[:SHOWN])!r}… has {len(name)} characters; give one of at most "
            f"{LONGEST}: --name, or --ood NAME=FOLDER"
        )
    if any(unicodedata.category(c) == "Cc" for c in name):
        raise PenumbraError(f"the name {readable(name)!r} holds a control character; take it out")
    made = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")
    if not made:
        raise PenumbraError(f"{readable(name)!r} is no name; use letters, digits and hyphens")
    return made


def world_name(name: str) -> str:
    """A name as those of worlds are: a slug without dots.

    Raises:
        PenumbraError: as `slug`.
    """
    return slug(name.replace(".", "-"))


def quote(text: str) -> str:
    """A text as YAML has it between brackets."""
    if PLAIN.fullmatch(text) and text.lower() not in WORDS:
        return text
    plain = json.dumps(text, ensure_ascii=False)  # JSON's texts are YAML's, but for these
    return UNREAD.sub(lambda each: f"\\u{ord(each[0]):04x}", plain)


def check_names(places: list[str]) -> None:
    """Refuse names of sets that are alike, or that an ID split has.

    Raises:
        PenumbraError: naming both.
    """
    taken = dict.fromkeys(CALLED, "an ID split")
    for name in places:
        if slug(name) in taken:
            raise PenumbraError(
                f"{readable(name)} is called like {taken[slug(name)]}, {slug(name)!r}; give "
                "another name: --ood NAME=FOLDER"
            )
        taken[slug(name)] = readable(name)
