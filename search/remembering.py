"""Forgetting what is remembered once a change of it is committed."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from kernel.db import db
from kernel.remembered import Remembered


def forget_after_commit(remembered: Remembered[Any, Any]) -> None:
    """For services, which do not commit: this process sees their change with the commit.

    Other processes see it when what they remember has run out. Forgetting at once would let
    another thread read the old state again before the commit, and keep it.
    """

    def forget(_session: Session) -> None:
        remembered.forget()

    event.listen(db.session(), "after_commit", forget, once=True)
