"""What pyproject.toml cannot say: folders beside the code become part of the package.

They stay where they are in a checkout; `app.shipped` finds them in both.
"""

from setuptools import find_namespace_packages, setup

FOLDERS = {f"app.{name}": name for name in ("templates", "static", "bundled_model")}
CODE = find_namespace_packages(
    include=("app*", "hakken_mcp*", "model_build*"), exclude=("*.__pycache__",)
)

setup(
    packages=[*CODE, *FOLDERS],
    package_dir=FOLDERS,
    package_data={"": ["*"]} | {name: ["*", "*/*", "*/*/*"] for name in FOLDERS},
)
