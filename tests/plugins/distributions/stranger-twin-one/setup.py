from setuptools import setup

setup(
    name="stranger-twin-one",
    version="1.0",
    py_modules=["stranger_twin_one"],
    entry_points={"backy2.sources": ["twin = stranger_twin_one"]},
)
