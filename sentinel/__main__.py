"""`python -m sentinel` and the `sentinel` script."""


def main() -> None:
    from sentinel.cli.app import run

    run()


if __name__ == "__main__":
    main()
