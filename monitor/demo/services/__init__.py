"""The simulated AWS services, one file each."""

from monitor.demo.services import (
    apigateway,
    apigatewayv2,
    autoscaling,
    ec2,
    kinesis,
    lambda_,
    quotas,
    s3,
    sqs,
)

SERVICES = (
    apigateway.SERVICE,
    apigatewayv2.SERVICE,
    autoscaling.SERVICE,
    ec2.SERVICE,
    kinesis.SERVICE,
    lambda_.SERVICE,
    quotas.SERVICE,
    s3.SERVICE,
    sqs.SERVICE,
)
