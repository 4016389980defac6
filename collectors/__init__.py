"""What is: usage and limits of AWS resources, one file per AWS service. This is the table of contents."""

from collectors import apigateway, autoscaling, kinesis, lambda_, s3, sqs

COLLECTORS = (
    apigateway.COLLECTOR,
    lambda_.COLLECTOR,
    sqs.COLLECTOR,
    s3.COLLECTOR,
    kinesis.COLLECTOR,
    autoscaling.COLLECTOR,
)
