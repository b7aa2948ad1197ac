"""Which letters stand side by side, and which are typed for one another."""

from search.understanding.letter_pairs import LetterPairs


def test_pairs_are_of_neighbouring_han_in_their_order() -> None:
    pairs = LetterPairs(["针形阀", "a针b阀", ""])

    assert pairs.together("针", "形")
    assert not pairs.together("形", "针")
    assert not pairs.together("针", "阀")
    # At the edge of a text there is no letter to stand beside.
    assert not pairs.together("", "针")
    assert not pairs.together("阀", "")


def test_letters_sound_alike_only_where_a_text_has_them_and_look_alike_anyway() -> None:
    pairs = LetterPairs(["针形", "真丝", "震动"])

    assert {"真", "震"} <= pairs.alike("针")
    assert "珍" not in pairs.alike("针")
    assert "针" not in pairs.alike("针")
    assert "曰" in pairs.alike("日")
