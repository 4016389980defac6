# Streams the CloudWatch metrics that Headroom reads, in one account and region, to Headroom.
# Firehose delivers to port 443 only, with a certificate that a public authority signed.

variable "headroom_url" {
  description = "https://, the host, and /firehose/v1"
  type        = string
}

variable "headroom_access_key" {
  description = "One of the keys in Headroom's stream.access_keys_file"
  type        = string
  sensitive   = true
}

data "aws_caller_identity" "headroom" {}

# Firehose requires a backup bucket for records that it could not deliver.
resource "aws_s3_bucket" "headroom" {
  bucket_prefix = "headroom-undelivered-"
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "headroom" {
  bucket                  = aws_s3_bucket.headroom.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "headroom" {
  bucket = aws_s3_bucket.headroom.id

  rule {
    id     = "expire"
    status = "Enabled"
    filter {}
    expiration {
      days = 7
    }
  }
}

resource "aws_iam_role" "headroom_firehose" {
  name_prefix = "headroom-firehose-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "firehose.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.headroom.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "headroom_firehose" {
  role = aws_iam_role.headroom_firehose.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:ListBucket", "s3:PutObject"]
      Resource = [aws_s3_bucket.headroom.arn, "${aws_s3_bucket.headroom.arn}/*"]
    }]
  })
}

resource "aws_kinesis_firehose_delivery_stream" "headroom" {
  name        = "headroom"
  destination = "http_endpoint"

  http_endpoint_configuration {
    name               = "Headroom"
    url                = var.headroom_url
    access_key         = var.headroom_access_key
    role_arn           = aws_iam_role.headroom_firehose.arn
    buffering_interval = 60
    buffering_size     = 1
    retry_duration     = 7200
    s3_backup_mode     = "FailedDataOnly"

    request_configuration {
      content_encoding = "GZIP"
    }

    s3_configuration {
      role_arn   = aws_iam_role.headroom_firehose.arn
      bucket_arn = aws_s3_bucket.headroom.arn
    }
  }
}

resource "aws_iam_role" "headroom_metric_stream" {
  name_prefix = "headroom-metric-stream-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "streams.metrics.cloudwatch.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.headroom.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "headroom_metric_stream" {
  role = aws_iam_role.headroom_metric_stream.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["firehose:PutRecord", "firehose:PutRecordBatch"]
      Resource = aws_kinesis_firehose_delivery_stream.headroom.arn
    }]
  })
}

resource "aws_cloudwatch_metric_stream" "headroom" {
  name          = "headroom"
  role_arn      = aws_iam_role.headroom_metric_stream.arn
  firehose_arn  = aws_kinesis_firehose_delivery_stream.headroom.arn
  output_format = "json"
  # FILTERS
}
