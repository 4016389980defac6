# The role that Headroom assumes in another account.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

resource "aws_iam_role" "headroom" {
  name = var.name
  tags = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      # Sessions of EKS Pod Identity have tags, which go on to the roles that they assume.
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Principal = { AWS = var.hub_role }
      Condition = { StringEquals = { "sts:ExternalId" = var.external_id } }
    }]
  })
}

resource "aws_iam_policy" "headroom" {
  count       = length(var.policies)
  name        = "${var.name}-${count.index + 1}"
  description = "What Headroom reads: headroom iam-policy --of account"
  policy      = var.policies[count.index]
  tags        = var.tags
}

resource "aws_iam_role_policy_attachment" "headroom" {
  count      = length(var.policies)
  role       = aws_iam_role.headroom.name
  policy_arn = aws_iam_policy.headroom[count.index].arn
}
