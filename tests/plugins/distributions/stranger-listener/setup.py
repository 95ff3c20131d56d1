from setuptools import setup

setup(
    name="stranger-listener",
    version="0.5",
    py_modules=["stranger_listener"],
    entry_points={"backy2.listeners": ["diary = stranger_listener"]},
)
