from usertcp.drill.errors import ScriptError, Unsupported


def test_an_error_says_its_line():
    problem = ScriptError(7, "expected a time")
    assert (problem.line, problem.reason, str(problem)) == (7, "expected a time", "line 7: expected a time")


def test_what_concerns_the_whole_script_has_no_line():
    assert str(Unsupported(0, "the option --wire_server")) == "the option --wire_server"


def test_unsupported_is_no_error_of_the_script():
    assert not issubclass(Unsupported, ScriptError)
    assert not issubclass(ScriptError, Unsupported)
