"""The studio: a local web page for rendering, mixing and saving the faces of trained runs.

It is a set of thin routes over `anime_dcgan.explore` (operations on a generator) and `store` (the
database). FastAPI derives validation and API documentation from the types of the routes;
SQLAlchemy and Alembic keep stored data readable across versions of the program.
"""
