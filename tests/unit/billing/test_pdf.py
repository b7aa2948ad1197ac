"""The PDF holds, as text that can be taken out again, everything the invoice says."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from pypdf import PdfReader

from billing.documents.capitals import capitals
from billing.documents.fonts import FontFolders, InvoiceFontMissing, prepare_fonts
from billing.documents.invoice import BILLING_NOTICE, InvoiceDocument, decimal_text
from billing.documents.pdf import render_pdf
from kernel.money import format_yuan
from tests.unit.billing.samples import (
    BEDDING,
    DUVET,
    FONT_DIR,
    TEA,
    blue,
    font_folders,
    mixed,
    red_of,
    source_line,
)

pytestmark = pytest.mark.skipif(
    not FONT_DIR.is_dir(), reason=f"the invoice font is not installed in {FONT_DIR}"
)


@pytest.fixture(scope="module")
def fonts(tmp_path_factory: pytest.TempPathFactory) -> FontFolders:
    folders = font_folders(tmp_path_factory.mktemp("fonts"))
    prepare_fonts(folders)
    return folders


def pages_of(pdf: bytes) -> list[str]:
    """Text by page without white space: a name that is wrapped is still that name."""
    reader = PdfReader(io.BytesIO(pdf))
    return [re.sub(r"\s+", "", page.extract_text()) for page in reader.pages]


def packed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def assert_says_everything(text: str, document: InvoiceDocument) -> None:
    totals = document.totals
    for party in (document.buyer, document.seller):
        for value in (party.name, party.tax_number, party.address, party.phone, party.bank):
            assert packed(value) in text
    for line in document.lines:
        for value in (
            line.full_name,
            line.spec,
            line.unit,
            decimal_text(line.quantity),
            format_yuan(line.net_minor),
            line.tax.rate_text,
        ):
            assert packed(value) in text
        if line.tax.rate_bp:
            assert format_yuan(line.tax_minor) in text
    for minor in (totals.net_minor, totals.tax_minor, totals.gross_minor):
        assert f"{'-' if minor < 0 else ''}¥{format_yuan(abs(minor))}" in text
    assert capitals(totals.gross_minor) in text
    assert document.number in text
    assert document.order_id in text
    assert BILLING_NOTICE in text


def test_every_name_and_number_can_be_read_out_of_a_mixed_invoice(fonts: FontFolders) -> None:
    document = mixed()
    (text,) = pages_of(render_pdf(document, fonts=fonts))
    assert_says_everything(text, document)
    # The date is the date in China, where the next day has begun.
    assert "2026年11月25日" in text
    assert "红字" not in text
    # The summary by rate stands beside the remark.
    assert "442.48" in text
    assert "按税率" in text
    assert "***" in text
    assert "第1页/共1页" in text


def test_a_red_invoice_says_so_and_names_the_blue_one(fonts: FontFolders) -> None:
    document = red_of(mixed(), {"a": 50_000, "b": 12_800})
    (text,) = pages_of(render_pdf(document, fonts=fonts))
    assert_says_everything(text, document)
    assert "红字发票" in text
    assert "对应蓝字发票：26009000000000001234" in text
    assert "负陆佰贰拾捌元整" in text
    assert "-¥628.00" in text


def test_many_lines_break_over_pages_with_the_head_on_each(fonts: FontFolders) -> None:
    document = blue(
        *(
            source_line(
                str(i),
                f"第{i}号商品 {'长名' * (i % 19)}",
                (BEDDING, TEA)[i % 2],
                1_999 + 37 * i,
                payable=None if i % 3 else 1_899 + 37 * i,
            )
            for i in range(120)
        )
    )
    pages = pages_of(render_pdf(document, fonts=fonts))
    assert len(pages) > 5
    assert_says_everything("".join(pages), document)
    for number, text in enumerate(pages, start=1):
        assert text.count("项目名称") == 1
        assert f"第{number}页/共{len(pages)}页" in text
        assert document.number in text
        # A discount never opens a page: it stands directly below its item.
        assert not text.split("税额", 1)[1].startswith("折扣")
    assert [("价税合计" in text) for text in pages] == [False] * (len(pages) - 1) + [True]


def test_every_item_is_printed_once(fonts: FontFolders) -> None:
    document = blue(*(source_line(str(i), f"货{i:04d}号", TEA, 100) for i in range(400)))
    text = "".join(pages_of(render_pdf(document, fonts=fonts)))
    assert re.findall(r"货(\d{4})号", text) == [f"{i:04d}" for i in range(400)]


def test_a_rare_character_is_set_in_the_whole_font(fonts: FontFolders) -> None:
    document = blue(source_line("a", "朱镕基题词 喆\u3400 龘", TEA, 100))
    (text,) = pages_of(render_pdf(document, fonts=fonts))
    assert "喆\u3400龘" in text


def test_control_characters_and_line_breaks_in_names_do_no_harm(fonts: FontFolders) -> None:
    document = blue(source_line("a", "茶\x00叶\r\n礼\u2028盒\ud800", TEA, 100, spec="\x1b[31m"))
    (text,) = pages_of(render_pdf(document, fonts=fonts))
    assert "*茶叶*茶叶礼盒" in text


def test_the_same_document_gives_the_same_bytes(fonts: FontFolders) -> None:
    assert render_pdf(mixed(), fonts=fonts) == render_pdf(mixed(), fonts=fonts)


def test_without_a_prepared_copy_the_whole_font_serves(tmp_path: Path) -> None:
    (text,) = pages_of(render_pdf(mixed(), fonts=font_folders(tmp_path / "none")))
    assert packed(DUVET) in text


def test_an_issuers_invoice_carries_no_notice(fonts: FontFolders) -> None:
    document = blue(source_line("a", "茶", TEA, 100), notice="")
    (text,) = pages_of(render_pdf(document, fonts=fonts))
    assert "账单凭证" not in text


def test_a_missing_font_is_a_clear_error(tmp_path: Path) -> None:
    folders = FontFolders(source=tmp_path / "no", prepared=tmp_path / "none")
    for call in (lambda: render_pdf(mixed(), fonts=folders), lambda: prepare_fonts(folders)):
        with pytest.raises(InvoiceFontMissing) as caught:
            call()
        assert caught.value.code == "invoice_font_missing"
