from setuptools import setup

setup(
    name="stranger-command",
    version="0.6",
    py_modules=["stranger_command"],
    entry_points={
        "backy2.commands": [
            "hello_world = stranger_command:HelloWorld",
            "oldest = stranger_command:Oldest",
            "oldest_one = stranger_command:OldestOne",
            "oldest_stored = stranger_command:OldestStored",
        ]
    },
)
