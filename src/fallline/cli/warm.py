"""`fallline warm`: compile the usual kernels now, so that no first fit waits for them."""

import sys
import time

import click


@click.command()
@click.option("-q", "--quiet", is_flag=True, help="Print nothing.")
def warm(quiet: bool) -> None:
    """Compile what the usual fits need, once, so that the first fit of a process is quick.

    fallline turns its formulas into machine code when a loss first meets a kind of table, which takes seconds, and keeps it on
    disk for every later process. This command does that ahead for squared_error, log_loss, huber, hinge, poisson and softmax on
    dense and sparse tables of both float types, by the automatic solver, quick mode and a comparison. It takes some minutes the
    first time, seconds when there is nothing left to do, and begins anew after an upgrade; any other loss compiles at its first
    use. Run it after installing, or when an image is built.

    \b
    The machine code lies beside the package, or in NUMBA_CACHE_DIR if that is set:
      fallline warm
      NUMBA_CACHE_DIR=/srv/cache fallline warm
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from fallline.warming import kept, usual

    began, (place, before, _) = time.perf_counter(), kept()
    jobs = list(usual())
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, transient=True, disable=quiet or not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=len(jobs))
        for text, work in jobs:
            bar.update(task, description=text)
            work()
            bar.advance(task)
    _, after, size = kept()
    if not quiet:
        made = f"{after - before} new" if after > before else "nothing new"
        click.echo(
            f"Ready after {time.perf_counter() - began:.0f} s, {made}: {len(jobs)} kinds of fit, {after} files of "
            f"{size / 1e6:.0f} MB in {place}"
        )
