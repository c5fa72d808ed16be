"""The command line of the world around the platform: `python -m loadtest COMMAND`."""

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code."""
    from loadtest import card_photo, explore, population, run, seed

    parser = argparse.ArgumentParser(prog="python -m loadtest", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="Show the main job end to end, then stay up.")
    demo.add_argument("--once", action="store_true", help="end after showing it")
    people = commands.add_parser("population", help="Write the eligibility files of a synthetic nation.")
    population.add_arguments(people)
    filling = commands.add_parser("seed", help="Fill a centre that stays on disk with a nation, by COPY.")
    seed.add_arguments(filling)
    morning = commands.add_parser("run", help="Measure a nation's morning on this machine, judge and report it.")
    run.add_arguments(morning)
    photo = commands.add_parser("card-photo", help="Give a virtual card a photo, made from a picture.")
    card_photo.add_arguments(photo)
    exploring = commands.add_parser("explore", help="Run a centre, and Locust's page against it.")
    explore.add_arguments(exploring)
    commands.add_parser("openapi", help="Write docs/openapi/ from the apps.")
    chosen = parser.parse_args(arguments)
    if chosen.command == "population":
        return population.run(chosen)
    if chosen.command == "seed":
        return seed.run(chosen)
    if chosen.command == "explore":
        return explore.run(chosen)
    if chosen.command == "run":
        return run.run(chosen)
    if chosen.command == "card-photo":
        return card_photo.run(chosen)
    if chosen.command == "openapi":
        from loadtest.openapi import write

        write()
        return 0
    from loadtest.demo import run as show

    return show(once=chosen.once)


if __name__ == "__main__":
    sys.exit(main())
