"""Read pages from Python: one page, or files one after another."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ocr_batch.batch.classifying import classifying
from ocr_batch.batch.inputs import find_inputs
from ocr_batch.batch.job import PageJob
from ocr_batch.batch.local import DEFAULT_TIMEOUT, available_cores, run_here, run_processes
from ocr_batch.batch.options import ReadOptions
from ocr_batch.batch.pipeline import Models, load_models, read_sheets
from ocr_batch.batch.result import Result
from ocr_batch.batch.work import Opened
from ocr_batch.document import Page
from ocr_batch.errors import UsageError
from ocr_batch.imaging.load import load_page, sheet_from_array
from ocr_batch.recognition.bundle import find_bundle

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Reader", "read", "read_page"]

#: A path as Python's own functions take it.
PathLike = str | os.PathLike[str]


class Reader:
    """Read pages with one set of models, loaded when the first page is read.

    Parameters
    ----------
    model : str or path
        Name of a shipped bundle, or path of a bundle's folder.
    options : ReadOptions, optional
        How pages are read.
    backend : str
        What runs the classifier; "auto" takes LiteRT where it is installed. With "keras", `read`
        starts one process that classifies for all reading processes, on a GPU if Keras has one.

    Examples
    --------
    >>> reader = Reader()  # doctest: +SKIP
    >>> reader.read_page("letter.png").text  # doctest: +SKIP
    'Dear Sir,'
    """

    def __init__(
        self,
        model: PathLike = "english",
        *,
        options: ReadOptions | None = None,
        backend: str = "auto",
    ) -> None:
        self._model = os.fspath(model)
        self._options = ReadOptions() if options is None else options
        self._backend = backend
        self._models: Models | None = None

    def _load(self) -> Models:
        if self._models is None:
            self._models = load_models(self._model, backend=self._backend)
        return self._models

    def read_page(self, source: PathLike | NDArray[Any], *, page: int = 1) -> Page:
        """Read one page in this process.

        Parameters
        ----------
        source : path or ndarray
            A file, or an image: (H, W) grey or (H, W, 3) RGB, uint8, bool, uint16 or float.
        page : int
            Page of the file, from 1.

        Returns
        -------
        Page
            Without blocks when there is no text on it.

        Raises
        ------
        ImageError
            When the page can not be decoded.
        BundleError
            When the models can not be loaded.
        """
        if isinstance(source, str | os.PathLike):
            sheet = load_page(os.fspath(source), page)
        else:
            sheet = sheet_from_array(source)
        return read_sheets([sheet], self._load(), self._options)[0]

    def read(
        self,
        inputs: PathLike | Iterable[PathLike],
        *,
        jobs: int | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Iterator[Result]:
        """Read files, folders and globs.

        Parameters
        ----------
        inputs : path or iterable of paths
            Files, folders (with what is in them) or globs.
        jobs : int, optional
            Reading processes; one for each core when not given. 0 reads in this process, which
            has no time limit and does not survive a crash in a decoder.
        timeout : float
            Seconds a page may take, 0 for no limit.

        Returns
        -------
        iterator of Result
            One for each page, in input order. Pages are read as results are asked for, some
            ahead. A page that can not be read is a result with its error.

        Raises
        ------
        InputError
            At once, when no input is found.
        BundleError
            With the first result, when the models can not be loaded.
        """
        if jobs is not None and jobs < 0:
            raise UsageError(f"jobs is {jobs}; it must be 0 or more.")
        if timeout < 0:
            raise UsageError(f"timeout is {timeout:g}; it must be 0 (no limit) or more.")
        if isinstance(inputs, str | os.PathLike):
            inputs = [inputs]
        found = find_inputs([os.fspath(path) for path in inputs])
        return self._results([str(item.path) for item in found], jobs, timeout)

    def _results(
        self, sources: list[str], jobs: int | None, timeout: float
    ) -> Generator[Result, None, None]:
        job = PageJob(self._model, self._backend, self._options)
        with ExitStack() as stack:
            if jobs == 0:
                job.models = self._load()
                events = run_here(sources, job)
            else:
                folder = find_bundle(self._model)
                process = stack.enter_context(classifying(folder, self._backend))
                job.address = process.address if process else ""
                count = jobs or available_cores() + (process is not None)
                events = run_processes(sources, job, jobs=count, timeout=timeout, in_order=True)
            stack.enter_context(closing(events))
            for event in events:
                if not isinstance(event, Opened):
                    source = sources[event.index]
                    yield Result(source, event.number, event.value, event.error)


@lru_cache(maxsize=2)
def _reader(model: str) -> Reader:
    return Reader(model)


def read_page(
    source: PathLike | NDArray[Any], *, page: int = 1, model: PathLike = "english"
) -> Page:
    """Read one page; the models stay loaded for the next one.

    Parameters
    ----------
    source : path or ndarray
        A file, or an image (see `Reader.read_page`).
    page : int
        Page of the file, from 1.
    model : str or path
        Name of a shipped bundle, or path of a bundle's folder.

    Returns
    -------
    Page
        Blocks of lines of words of characters.

    Raises
    ------
    ImageError
        When the page can not be decoded.
    BundleError
        When the models can not be loaded.
    """
    return _reader(os.fspath(model)).read_page(source, page=page)


def read(
    inputs: PathLike | Iterable[PathLike],
    *,
    jobs: int | None = None,
    model: PathLike = "english",
    timeout: float = DEFAULT_TIMEOUT,
) -> Iterator[Result]:
    """Read files, folders and globs; one bad page does not stop the others.

    Parameters
    ----------
    inputs : path or iterable of paths
        Files, folders (with what is in them) or globs.
    jobs : int, optional
        Reading processes; one for each core when not given, 0 for none besides this one.
    model : str or path
        Name of a shipped bundle, or path of a bundle's folder.
    timeout : float
        Seconds a page may take, 0 for no limit.

    Returns
    -------
    iterator of Result
        One for each page, in input order, read as they are asked for.

    Raises
    ------
    InputError
        When no input is found.
    BundleError
        With the first result, when the models can not be loaded.
    """
    return _reader(os.fspath(model)).read(inputs, jobs=jobs, timeout=timeout)
