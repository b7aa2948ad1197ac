"""The form of a query under which rules are kept and searches are counted."""

from search.tokens import normalise

MAX_QUERY = 64
# As much of a text as a search reads.
_MAX_READ = 100


def query_key(text: str) -> str:
    """The text as rules and counts know it: normalised, single spaces, at most 64 characters.

    One function for both, so that a row of a report can be made a rule as it stands. Longer
    queries are cut, and share what is counted and ruled of their first 64 characters.
    """
    return " ".join(normalise(text[:_MAX_READ]).split())[:MAX_QUERY].rstrip()
