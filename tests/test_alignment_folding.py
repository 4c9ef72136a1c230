import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_batch.alignment.folding import normalise

# Few letters, so that texts agree in part, and what normalisation looks at.
texts = st.text(alphabet="abrnm .-_~\n\t\r’“—•ſ´ﬁ½\u00ad\ufeffAE", max_size=40)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("  a \t b\n\nc\u00a0d ", "a b c d"),
        ("‘a’ ‚b‛ c`d e´ f′", "'a' 'b' c'd e' f'"),
        ("“a” „b‟ 3″", '"a" "b" 3"'),
        ("a–b a—b a‐b a‑b a−b a―b a‒b", "a-b a-b a-b a-b a-b a-b a-b"),
        ("• · ∙ ●", "* * * *"),
        ("wiſh co\u00adoperate \ufeffa", "wish cooperate a"),
        ("ﬁrst eﬀect oﬃce ½ ™ Ａ１", "first effect office 1⁄2 TM A1"),
        ("e\u0301", "é"),
        # A word broken over two lines is joined, a compound is left alone.
        ("exam-\nple", "example"),
        ("exam- \t\n  ple", "example"),
        ("exam-\r\nple", "example"),
        ("exam—\nple", "example"),
        ("well-known", "well-known"),
        ("well- known", "well- known"),
        ("one -\ntwo", "one - two"),
        ("(a-\n(b", "(a- (b"),
        # A letter ends one broken word and can not begin the next.
        ("ab-\nc-\nde", "abc- de"),
        # Leaders.
        ("1 .. 2", "1 .. 2"),
        ("1 ... 2", "1 ... 2"),
        ("1......2", "1...2"),
        ("1 . . . . 2", "1 ... 2"),
        ("1 .  . . 2", "1 . . . 2"),
        ("a____b ---- c", "a___b --- c"),
        ("..-..", "..-.."),
        ("a…", "a..."),
    ],
)
def test_normalise(text, expected):
    assert normalise(text) == expected


@given(texts)
def test_normalised_text_has_single_spaces_only(text):
    result = normalise(text)
    assert result.split(" ") == result.split() or result == ""
