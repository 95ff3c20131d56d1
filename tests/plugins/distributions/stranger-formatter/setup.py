from setuptools import setup

setup(
    name="stranger-formatter",
    version="0.4",
    py_modules=["stranger_formatter"],
    entry_points={"backy2.formatters": ["markdown = stranger_formatter"]},
)
