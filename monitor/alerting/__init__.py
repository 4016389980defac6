"""Alerting: evaluates alert rules, groups, routes and silences alerts, and delivers notifications of them."""
