from usertcp.tcp.congestion.windowed_max import WindowedMax


def test_the_largest_of_the_last_rounds() -> None:
    window = WindowedMax(3)
    assert window.best == 0
    for round_number, value, best in ((1, 5.0, 5), (1, 9.0, 9), (2, 4.0, 9), (3, 6.0, 9), (4, 1.0, 6), (5, 2.0, 6)):
        window.add(value, round_number)
        assert window.best == best
    window.add(1.0, 6)
    assert window.best == 2


def test_rounds_without_values_age_nothing_until_the_next_value() -> None:
    window = WindowedMax(3)
    window.add(9.0, 1)
    assert window.best == 9
    window.add(1.0, 3)
    assert window.best == 9
    window.add(1.0, 100)
    assert window.best == 1
