from setuptools import setup

setup(
    name="stranger-transform",
    version="0.3",
    py_modules=["stranger_transform"],
    entry_points={"backy2.transforms": ["zlib = stranger_transform"]},
)
