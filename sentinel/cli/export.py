"""export: files for other supervisors."""

from sentinel.cli.call import Call


def export(call: Call) -> int:
    values = call.values
    made = call.supervisor.export(
        values.words("names"),
        values.required("to"),
        values.text("output"),
        show_env=values.flag("show_env"),
        scope=values.text("scope"),
    )
    if call.out.json:
        call.out.data({"files": made.files, "text": made.text or None, "warnings": made.warnings})
    elif made.text:
        call.out.bytes(made.text.encode("utf-8", "surrogateescape"))
    else:
        for path in made.files:
            call.out.line(f"Wrote {path}")
    call.out.warnings(made.warnings)
    return 0
