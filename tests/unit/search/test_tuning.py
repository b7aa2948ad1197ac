"""The weights that tuning finds, and what the folds say of them."""

from search.tuning import Example, cross_validate, fit, reciprocal_ranks


def examples(count: int = 40) -> list[Example]:
    """The answer has more of the first feature; the second is chance, the third always there."""
    made = []
    for number in range(count):
        noise = [((number * 7 + place * 13) % 10) / 10 for place in range(10)]
        answer = number % 10
        rows = [(0.9 if place == answer else 0.4, noise[place], 1.0) for place in range(10)]
        made.append(Example("set", rows, [answer]))
    return made


def test_what_tells_answers_apart_gets_the_weight() -> None:
    known = examples()
    found = fit(known, (0.1, 1.0, 1.0))

    assert found[0] > 5 * found[1]
    assert min(found) >= 0
    assert reciprocal_ranks(known, found) == [1.0] * len(known)
    assert sum(reciprocal_ranks(known, (0.0, 1.0, 0.0))) < len(known) / 2


def test_queries_without_an_answer_count_as_failed_and_teach_nothing() -> None:
    lost = Example("lost", [(0.5, 0.5, 1.0)], [])
    folds = cross_validate([*examples(), lost], (0.1, 1.0, 1.0), folds=2)

    assert folds.held_out == {"set": 1.0, "lost": 0.0}
    assert folds.before["set"] < folds.held_out["set"] == folds.fitted["set"]
