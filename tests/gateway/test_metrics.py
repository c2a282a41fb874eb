"""Metrics: one table, every line of it exposed, nodes apart from each other."""

from dataclasses import fields

from gateway.metrics import TABLE, Metrics, new_metrics


def test_every_metric_is_a_line_of_the_table_and_is_exposed() -> None:
    text = new_metrics().render().decode()

    assert {line.name for line in TABLE} == {each.name for each in fields(Metrics)} - {"registry"}
    for line in TABLE:
        assert f"# HELP {line.exposed} {line.help}" in text
        assert f"# TYPE {line.exposed} {line.kind.__name__.lower()}" in text


def test_what_is_counted_is_shown() -> None:
    metrics = new_metrics()

    metrics.closes.labels("4106").inc()
    metrics.batch_asks.observe(3)

    text = metrics.render().decode()
    assert 'shopbell_closes_total{code="4106"} 1.0' in text
    assert 'shopbell_batch_asks_bucket{le="4.0"} 1.0' in text


def test_two_nodes_in_one_process_count_apart() -> None:
    first, second = new_metrics(), new_metrics()

    first.pongs_missed.inc()

    assert b"shopbell_pongs_missed_total 0.0" in second.render()
