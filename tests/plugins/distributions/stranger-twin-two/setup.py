from setuptools import setup

setup(
    name="stranger-twin-two",
    version="2.0",
    py_modules=["stranger_twin_two"],
    entry_points={"backy2.sources": ["twin = stranger_twin_two"]},
)
