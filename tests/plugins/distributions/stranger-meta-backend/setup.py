from setuptools import setup

setup(
    name="stranger-meta-backend",
    version="0.2",
    py_modules=["stranger_meta_backend"],
    entry_points={"backy2.meta_backends": ["audited = stranger_meta_backend"]},
)
