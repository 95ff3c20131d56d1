from setuptools import setup

setup(
    name="stranger-source",
    version="1.2.3",
    py_modules=["stranger_source"],
    entry_points={"backy2.sources": ["gz = stranger_source"]},
)
