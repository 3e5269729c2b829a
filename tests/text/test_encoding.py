import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgenrnn.errors import ConfigError, DataError, TextgenrnnError
from textgenrnn.text import decode_bytes

TANG_POEMS = """春眠不觉晓，处处闻啼鸟。
夜来风雨声，花落知多少。
床前明月光，疑是地上霜。
举头望明月，低头思故乡。
白日依山尽，黄河入海流。
欲穷千里目，更上一层楼。
千山鸟飞绝，万径人踪灭。
孤舟蓑笠翁，独钓寒江雪。
红豆生南国，春来发几枝。
"""
TRADITIONAL_POEMS = """空山不見人，但聞人語響。
返景入深林，復照青苔上。
獨坐幽篁裡，彈琴復長嘯。
深林人不知，明月來相照。
國破山河在，城春草木深。
"""
JAPANESE = """吾輩は猫である。名前はまだ無い。
どこで生れたかとんと見当がつかぬ。
古池や蛙飛びこむ水の音
国境の長いトンネルを抜けると雪国であった。
"""
KOREAN = """나 보기가 역겨워 가실 때에는
말없이 고이 보내 드리우리다
영변에 약산 진달래꽃
아름 따다 가실 길에 뿌리우리다
"""
RUSSIAN = """Мороз и солнце; день чудесный!
Еще ты дремлешь, друг прелестный —
Пора, красавица, проснись.
"""
EUROPEAN = {
    "german": "Der Bär geht über die Brücke.\nEin schöner Tag für Müßiggang.\nNichts sonst.\n",
    "french": "Où est passé le garçon ?\nLe café est fermé, « dommage ».\nIl a vécu à Paris.\n",
    "spanish": "El niño llegó mañana.\n¿Dónde está el camión?\nEso es todo.\n",
    "portuguese": "A situação não mudou.\nEle é irmão de João.\nUma canção.\n",
    "finnish": "Älä mene pois, ystävä.\nHän näki pöydän.\nKaikki on hyvin.\n",
    "danish": "Rødgrød med fløde på.\nSå går vi æbler i møde.\n",
    "one accent": "A plain English text.\nIt has one naïve word.\nAnd then no more.\n" * 20,
    "quotation marks": "He said “no” – and left.\nIt’s over…\nThe price: 5€.\n",
}


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        (TANG_POEMS, "gbk", "gb18030"),
        (TANG_POEMS, "gb2312", "gb18030"),
        (TANG_POEMS[:12], "gbk", "gb18030"),
        (TRADITIONAL_POEMS, "gbk", "gb18030"),
        ("The words 春眠不觉晓 mean a late morning.\n" * 3, "gbk", "gb18030"),
        (TANG_POEMS * 500 + "𠮷野家㐂𪚥", "gb18030", "gb18030"),
        (TRADITIONAL_POEMS, "big5", "big5"),
        (TRADITIONAL_POEMS + "恒裏粧嫺", "cp950", "cp950"),
        (JAPANESE, "shift_jis", "shift_jis"),
        (JAPANESE + "①②㈱", "cp932", "cp932"),
        (JAPANESE, "euc_jp", "euc_jp"),
        (KOREAN, "euc_kr", "euc_kr"),
        (KOREAN + "똠방각하 펲시", "cp949", "cp949"),
        (RUSSIAN, "cp1251", "cp1251"),
        *((text, "cp1252", "cp1252") for text in EUROPEAN.values()),
        ("é", "latin-1", "cp1252"),
    ],
)
def test_older_encodings_are_found(text: str, encoding: str, found: str) -> None:
    data = text.encode(encoding)
    assert decode_bytes(data, name="poems.txt") == (text, found)
    windows = text.replace("\n", "\r\n")
    assert decode_bytes(windows.encode(encoding), name="poems.txt") == (windows, found)


def test_the_only_accent_may_come_late() -> None:
    text = "A plain English line.\n" * 50_000 + "Adiós, señor.\n"
    assert decode_bytes(text.encode("cp1252"), name="dump.txt") == (text, "cp1252")


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_mark_decides_and_is_no_text(mark: bytes, encoding: str) -> None:
    data = mark + TANG_POEMS.encode(encoding)
    assert decode_bytes(data, name="poems.txt") == (TANG_POEMS, encoding)
    assert decode_bytes(data, name="poems.txt", encoding=encoding) == (TANG_POEMS, encoding)


@given(st.text())
def test_utf8_comes_back_as_it_was(text: str) -> None:
    if "\0" not in text and not text.startswith(("\ufeff", "%PDF-", "{\\rtf", "PK\x03\x04")):
        assert decode_bytes(text.encode(), name="x") == (text, "utf-8")


@given(st.binary(max_size=60), st.sampled_from([None, "utf-8", "gbk", "utf-16", "idna", "hex"]))
def test_any_bytes_are_decoded_or_refused(data: bytes, encoding: str | None) -> None:
    try:
        text, found = decode_bytes(data, name="x", encoding=encoding)
    except TextgenrnnError:
        return
    assert decode_bytes(data, name="x", encoding=found) == (text, found)


def test_an_encoding_that_is_asked_for_goes_before_all_else() -> None:
    assert decode_bytes("é".encode(), name="x", encoding="latin-1") == ("Ã©", "iso8859-1")
    assert decode_bytes(b"", name="x", encoding="UTF8") == ("", "utf-8")


@pytest.mark.parametrize(
    ("data", "kind", "remedy"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a PNG image", "save its text as a plain .txt file"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG image", "save its text"),
        (b"%PDF-1.7\n", "a PDF document", "save its text"),
        (b"{\\rtf1\\ansi", "a rich text (.rtf) document", "save its text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document", "save its text"),
        (b"PK\x03\x04\x14\0", "a zip archive or an Office document (.docx, .xlsx)", "unpack it"),
        (b"\x1f\x8b\x08\0", "a gzip archive", "decompress it first"),
        (b"\xfd7zXZ\0", "an xz archive", "decompress it first"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "give a text file"),
    ],
)
@pytest.mark.parametrize("encoding", [None, "latin-1"])
def test_what_is_no_text_is_named(
    data: bytes, kind: str, remedy: str, encoding: str | None
) -> None:
    with pytest.raises(DataError) as caught:
        decode_bytes(data, name="`report`", encoding=encoding)
    assert str(caught.value).startswith(f"`report` looks like {kind}")
    assert remedy in str(caught.value)


def test_nul_bytes_are_binary_or_utf16_without_its_mark() -> None:
    with pytest.raises(DataError) as caught:
        decode_bytes("Paris\n".encode("utf-16-le"), name="`cities.txt`")
    assert str(caught.value) == (
        "`cities.txt` holds NUL bytes, so it looks like a binary file, or UTF-16 without its mark; "
        "if it is text, name its encoding, for example encoding='utf-16-le'."
    )
    text, _ = decode_bytes("Paris".encode("utf-16-le"), name="x", encoding="utf-16-le")
    assert text == "Paris"


def test_bytes_outside_the_encoding_asked_for_are_located() -> None:
    with pytest.raises(DataError) as caught:
        decode_bytes(b"one\r\ntwo\rthr\xe9e\n", name="`x.txt`", encoding="UTF-8")
    assert str(caught.value) == (
        "`x.txt` was to be read as utf-8, but byte 12 (line 3) is not valid in it; name another "
        "encoding, or None to have it found."
    )


def test_damaged_utf8_is_no_other_encoding() -> None:
    with pytest.raises(DataError) as caught:
        decode_bytes((TANG_POEMS + "春").encode()[:-1], name="`x.txt`")
    offset = len(TANG_POEMS.encode())
    assert str(caught.value) == (
        f"`x.txt` looks like utf-8, but byte {offset} (line 10) is not valid in it; correct that "
        "place in an editor and save the file as UTF-8."
    )


def test_damaged_legacy_text_is_located() -> None:
    lines = TANG_POEMS.encode("gbk").split(b"\n")
    lines[4] += b"\xff"
    with pytest.raises(
        DataError, match=r"looks like gb18030, but byte \d+ \(line 5\) is not valid"
    ):
        decode_bytes(b"\n".join(lines), name="x")


def test_a_damaged_marked_file_is_located() -> None:
    data = codecs.BOM_UTF16_LE + "a\nb\n".encode("utf-16-le") + b"\0\xdc"
    with pytest.raises(DataError, match=r"is marked as utf-16-le, but byte 10 \(line 3\) is not"):
        decode_bytes(data, name="x")


@pytest.mark.parametrize(
    ("encoding", "near"),
    [
        ("utf-9", r" \(did you mean `utf_8`\?\)"),
        ("GB18300", r" \(did you mean `gb18030`\?\)"),
        ("hex", ""),
        ("", ""),
        ("a\0b", ""),
        (5, ""),
    ],
)
def test_an_unknown_encoding_is_refused(encoding: str, near: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode_bytes(b"text", name="x", encoding=encoding)
    assert str(caught.value).startswith("`encoding` must be the name of a text encoding, got ")
    assert caught.match(near)
