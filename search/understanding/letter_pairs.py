"""Which letters of Han stand side by side in what is sold and said, and which sound alike.

A letter that stands beside neither of its neighbours anywhere is likely a slip, or what is left of
a word.
"""

from collections.abc import Iterable
from itertools import pairwise

from search.tokens import is_han
from search.understanding.similar_letters import look_alikes, sounds


class LetterPairs:
    """The pairs of neighbouring Han letters of some texts."""

    def __init__(self, texts: Iterable[str]) -> None:
        after: dict[str, set[str]] = {}
        letters: set[str] = set()
        for text in texts:
            for left, right in pairwise(text):
                if is_han(left) and is_han(right):
                    after.setdefault(left, set()).add(right)
                    letters.update((left, right))
        # One text for each letter takes a tenth of what a set would.
        self._after = {left: "".join(rights) for left, rights in after.items()}
        self._sounding: dict[str, list[str]] = {}
        for letter in sorted(letters):
            for sound in sounds(letter):
                self._sounding.setdefault(sound, []).append(letter)

    def together(self, left: str, right: str) -> bool:
        """Whether the right letter stands after the left one somewhere; no letter never does."""
        return right != "" and right in self._after.get(left, "")

    def alike(self, letter: str) -> set[str]:
        """Letters of these texts that sound like one, and all that look like it."""
        found = set(look_alikes(letter))
        for sound in sounds(letter):
            found.update(self._sounding.get(sound, ()))
        return found - {letter}
