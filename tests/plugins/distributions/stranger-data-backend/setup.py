from setuptools import setup

setup(
    name="stranger-data-backend",
    version="0.1",
    py_modules=["stranger_data_backend"],
    entry_points={"backy2.data_backends": ["one_file = stranger_data_backend:plugin"]},
)
