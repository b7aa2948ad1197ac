"""Why a whole feed is refused. A single bad row is never one of these: it is counted."""

from __future__ import annotations

from kernel.errors import NotFound, Problem


class FeedNotFound(NotFound):
    code = "feed_not_found"
    title = "没有找到这个文件"


class FeedEmpty(Problem):
    code = "feed_empty"
    status = 422
    title = "文件里没有商品行"


class FeedNotATable(Problem):
    """Neither text in rows nor a workbook: a picture, a PDF, an archive."""

    code = "feed_not_a_table"
    status = 422
    title = "这个文件不是 CSV、JSON Lines 或 Excel 表格"


class FeedEncodingUnknown(Problem):
    code = "feed_encoding_unknown"
    status = 422
    title = "看不懂文件的编码，请另存为 UTF-8 或 GB18030 后再上传"


class FeedHeadersMissing(Problem):
    """``errors`` names each missing column."""

    code = "feed_headers_missing"
    status = 422
    title = "表头缺少必需的列"


class FeedTooLarge(Problem):
    code = "feed_too_large"
    status = 413
    title = "Excel 文件太大，请改用 CSV"


class FeedImportRunning(Problem):
    code = "feed_import_running"
    status = 409
    title = "这家商户有一个导入正在进行"


class FeedTooManyErrors(Problem):
    """``extra`` holds the counts so far; what had landed before stays."""

    code = "feed_too_many_errors"
    status = 422
    title = "错误行太多，导入已停止"
