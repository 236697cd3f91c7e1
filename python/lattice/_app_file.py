# SPDX-License-Identifier: MIT
"""From `app.py[:name]` to the object to serve.

Loads the file as a module under its own folder, then picks: the named object; else `app`; else
the file's only component; else `main`. Whatever is wrong becomes one AppFileError whose text is
one line that says where and what to do; the command line prints it and ends with code 2.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any


class AppFileError(Exception):
    """The app file cannot be served; the text is one line for the person who typed the command."""


def split_target(target: str) -> tuple[Path, str | None]:
    """Split `app.py:name` into the file and the name, which may be missing."""
    file, colon, name = target.rpartition(":")
    if colon and name.isidentifier():
        return Path(file), name
    return Path(target), None


def load(file: Path) -> ModuleType:
    """Run an app file as a module; its folder comes first on the import path."""
    if file.is_dir():
        raise AppFileError(f"{file} is a folder; name the file: lattice run {file / 'app.py'}")
    if not file.is_file():
        raise AppFileError(
            f"{file} does not exist; give the path of a Python file, or start with: lattice new DIR"
        )
    spec = importlib.util.spec_from_file_location(module_name(file), file)
    if spec is None or spec.loader is None:
        raise AppFileError(f"{file} is no Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.resolve().parent))
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise AppFileError(describe_syntax_error(error)) from error
    except Exception as error:
        raise AppFileError(describe_exception(error, file)) from error
    return module


def module_name(file: Path) -> str:
    """The file's stem, unless a module of that name is loaded already (an app called json.py)."""
    return file.stem if file.stem not in sys.modules else f"lattice_app_{file.stem}"


def shown(path: str) -> str:
    """A path as short as it can be typed here."""
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except ValueError:
        return path


def describe_syntax_error(error: SyntaxError) -> str:
    place = f"{shown(error.filename or '?')}:{error.lineno or '?'}"
    source = (error.text or "").strip()
    return f"{place}: {error.msg}" + (f": {source}" if source else "")


def describe_exception(error: Exception, file: Path) -> str:
    """`file:line: Type: message`, where the line is the innermost one of the user's own files."""
    frames = traceback.extract_tb(error.__traceback__)
    folder = file.resolve().parent
    own = [frame for frame in frames if is_users(frame.filename, folder)]
    frame = own[-1] if own else frames[-1]
    text = " ".join(str(error).split())
    kind = type(error).__name__
    return f"{shown(frame.filename)}:{frame.lineno}: {kind}" + (f": {text}" if text else "")


def is_users(filename: str, folder: Path) -> bool:
    path = Path(filename).resolve()
    return path.is_relative_to(folder) and "site-packages" not in path.parts


def is_component(value: object) -> bool:
    return hasattr(value, "__lattice_component__") and not isinstance(value, type)


def components(module: ModuleType) -> dict[str, Any]:
    """The components that the file itself defines, else those it imports; each object once."""
    found = {
        id(value): (name, value) for name, value in vars(module).items() if is_component(value)
    }
    own = {
        name: value
        for name, value in found.values()
        if getattr(getattr(value, "__wrapped__", value), "__module__", None) == module.__name__
    }
    return own or dict(found.values())


def find_app(module: ModuleType, file: Path, name: str | None, app_type: type) -> Any:
    """The object to serve: an instance of `app_type` or a component."""
    found = components(module)
    if name is not None:
        value = getattr(module, name, None)
        if isinstance(value, app_type) or is_component(value):
            return value
        what = "is neither a component nor an App" if hasattr(module, name) else "does not exist"
        raise AppFileError(f"{file}: {name} {what}; {there_is(found)}")
    app = getattr(module, "app", None)
    if isinstance(app, app_type) or is_component(app):
        return app
    if len(found) == 1:
        return next(iter(found.values()))
    if "main" in found:
        return found["main"]
    if found:
        raise AppFileError(
            f"{file} has several components ({', '.join(found)}); say which one, as in: "
            f"lattice run {file}:{next(iter(found))}, or call one of them main"
        )
    raise AppFileError(
        f"{file} has no component; decorate a function with @lattice.component ({defines(module)})"
    )


def there_is(found: dict[str, Any]) -> str:
    if not found:
        return "the file has no component (decorate a function with @lattice.component)"
    return f"there is {', '.join(found)}"


def defines(module: ModuleType) -> str:
    """What the file does define, so that a forgotten decorator is seen at once."""
    names = [
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
    ]
    return f"it defines {', '.join(names)}" if names else "it defines nothing"
