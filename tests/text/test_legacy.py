import pytest

from textgenrnn.text.legacy import LEGACY_CODECS, guess_legacy_encoding, non_ascii_sample


@pytest.mark.parametrize("name", LEGACY_CODECS)
def test_any_bytes_get_a_guess(name: str) -> None:
    for data in (b"", b"ascii", b"\xff", bytes(range(0x80, 0x100)) * 5):
        assert guess_legacy_encoding(data) in LEGACY_CODECS
    assert LEGACY_CODECS[name][0] == name


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        ("落霞与孤鹜齐飞", "gbk", "gb18030"),
        ("落霞與孤鶩齊飛，秋水共長天一色", "big5", "big5"),
        ("カタカナとひらがな", "shift_jis", "shift_jis"),
        ("カタカナとひらがな", "euc_jp", "euc_jp"),
        ("동해물과 백두산이 마르고 닳도록", "euc_kr", "euc_kr"),
        ("Я помню чудное мгновенье", "cp1251", "cp1251"),
        ("für", "cp1252", "cp1252"),
        ("Crème brûlée", "cp1252", "cp1252"),
    ],
)
def test_a_single_line_is_often_enough(text: str, encoding: str, name: str) -> None:
    assert guess_legacy_encoding(text.encode(encoding)) == name


def test_the_sample_holds_only_lines_with_non_ascii_bytes() -> None:
    assert non_ascii_sample(b"a\nb\xe9c\r\n\xe9\rd\n") == b"b\xe9c\n\xe9"


def test_the_sample_is_bounded() -> None:
    assert len(non_ascii_sample(b"a\xe9" * 100_000)) == 65_536
    assert len(non_ascii_sample(b"a\xe9\n" * 100_000)) <= 65_536
