"""What a record says of the licence of a teacher and of what its answers may be used for."""

from lmdistill.records.schema import Part


class TeacherTerms(Part):
    """Licence of a teacher and use of its answers, as the recipe or the teacher's own card states them."""

    teacher: str
    """Folder or hub id of the teacher, or the file of its answers; several are separated by commas."""
    licence: str | None = None
    """Its licence; None if it is not stated."""
    answers_use: str | None = None
    """What its answers may be used for; None if it is not stated."""
