"""The tables of study notes (SQLAlchemy), the same on SQLite and PostgreSQL.

What must never be broken is held by the database: uniqueness, ownership by cascading foreign keys, and CHECKs for
every column with a closed set of values.
"""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    MetaData,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from systems.common.database.columns import NAMES, TYPES, one_of
from systems.study_notes.domain.lifecycle import SourceStatus, SourceType, Stage, VisualStatus


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar = TYPES


class UserRow(Base):
    """A learner, known by the number the client names."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    created_at: Mapped[datetime]


class FolderRow(Base):
    """A folder of a learner's notes; `parent_id` NULL is the top."""

    __tablename__ = "folders"
    __table_args__ = (
        UniqueConstraint("user_id", "parent_id", "name"),
        # NULLs are never equal to each other in a unique constraint: folders at the top need their own.
        Index(
            "uq_folders_top_name",
            "user_id",
            "name",
            unique=True,
            sqlite_where=text("parent_id IS NULL"),
            postgresql_where=text("parent_id IS NULL"),
        ),
        CheckConstraint("parent_id <> id", name="not_its_own_parent"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("folders.id", ondelete="CASCADE"))
    name: Mapped[str]


class SourceRow(Base):
    """What was handed in, and where its processing stands."""

    __tablename__ = "sources"
    __table_args__ = (
        one_of("type", SourceType),
        one_of("processing_status", SourceStatus),
        one_of("processing_stage", Stage),
        one_of("failed_stage", Stage),
        CheckConstraint("processing_status <> 'COMPLETED' OR processing_stage IS NULL", name="no_stage_when_completed"),
        CheckConstraint("run_number >= 1", name="run_number"),
        # Given to each new row, never again: a deleted source's number must not turn up as another one's, because
        # jobs and events of the old one may still name it.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    folder_id: Mapped[int | None] = mapped_column(ForeignKey("folders.id", ondelete="SET NULL"), index=True)
    type: Mapped[str]
    url: Mapped[str | None]
    filename: Mapped[str | None]
    storage_path: Mapped[str | None]
    title: Mapped[str | None]
    extracted_text: Mapped[str | None] = mapped_column(deferred=True)
    language_code: Mapped[str | None]
    # "metadata" itself is a name SQLAlchemy keeps for its own.
    metadata_json: Mapped[dict[str, Any] | None] = mapped_column("metadata", deferred=True)
    lesson_structure_json: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    processing_status: Mapped[str]
    processing_stage: Mapped[str | None]
    processing_error: Mapped[str | None]
    failed_stage: Mapped[str | None]
    # Part of every job key, so that the jobs of a retry are new ones.
    run_number: Mapped[int] = mapped_column(default=1)
    # The job engine's flow of the present run: what a cancel request stops.
    flow_id: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class VisualRow(Base):
    """A picture wanted for a placeholder, and what became of it."""

    __tablename__ = "visuals"
    __table_args__ = (
        UniqueConstraint("source_id", "placeholder_id"),
        one_of("status", VisualStatus),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id", ondelete="CASCADE"))
    placeholder_id: Mapped[str]
    concept: Mapped[str]
    description: Mapped[str]
    search_query: Mapped[str]
    status: Mapped[str]
    image_url: Mapped[str | None]
    alt_text: Mapped[str | None]
    source_url: Mapped[str | None]
    source_title: Mapped[str | None]
    provider: Mapped[str | None]
    error_message: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class NoteRow(Base):
    """The assembled lesson of one source."""

    __tablename__ = "notes"
    __table_args__ = (
        one_of("source_type", SourceType),
        Index("ix_notes_user_id_created_at", "user_id", "created_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id", ondelete="CASCADE"), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    folder_id: Mapped[int | None] = mapped_column(ForeignKey("folders.id", ondelete="SET NULL"), index=True)
    title: Mapped[str]
    summary: Mapped[str]
    markdown_content: Mapped[str]
    html_content: Mapped[str]
    language_code: Mapped[str]
    is_favorite: Mapped[bool] = mapped_column(default=False)
    source_type: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class TagRow(Base):
    """A word by which a learner finds notes again."""

    __tablename__ = "tags"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str]


class NoteTagRow(Base):
    """A tag on a note."""

    __tablename__ = "note_tags"

    note_id: Mapped[int] = mapped_column(ForeignKey("notes.id", ondelete="CASCADE"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True, index=True)


class QuizRow(Base):
    """One question of a note's quiz; four options, one right."""

    __tablename__ = "quizzes"
    __table_args__ = (
        UniqueConstraint("note_id", "position"),
        CheckConstraint("correct_index BETWEEN 0 AND 3", name="correct_index"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[int] = mapped_column(ForeignKey("notes.id", ondelete="CASCADE"))
    position: Mapped[int]
    question: Mapped[str]
    options: Mapped[list[str]]
    correct_index: Mapped[int]
    explanation: Mapped[str | None]


class FlashcardRow(Base):
    """A term of a note with its definition; `term_key` is the term case-folded and trimmed."""

    __tablename__ = "flashcards"
    __table_args__ = (UniqueConstraint("note_id", "term_key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[int] = mapped_column(ForeignKey("notes.id", ondelete="CASCADE"))
    position: Mapped[int]
    term: Mapped[str]
    term_key: Mapped[str]
    definition: Mapped[str]
