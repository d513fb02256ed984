"""The studio: a local web page on which one draws, mixes and keeps the faces of one's own runs.

Thin routes over `anime_dcgan.explore` (what can be done with a generator) and `store` (what is
kept). FastAPI, because it makes the types of the routes the checks and the documentation of the
interface; SQLAlchemy and Alembic, because what people keep outlives the versions of a program.
"""
