"""Collectors of usage and limits of AWS resources, one module for each AWS service."""

from collectors import apigateway, autoscaling, kinesis, lambda_, s3, sqs

COLLECTORS = (
    apigateway.COLLECTOR,
    lambda_.COLLECTOR,
    sqs.COLLECTOR,
    s3.COLLECTOR,
    kinesis.COLLECTOR,
    autoscaling.COLLECTOR,
)
