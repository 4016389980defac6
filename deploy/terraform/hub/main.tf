# Headroom's own role, in the account that it runs in.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

locals {
  actions = {
    "pods.eks.amazonaws.com" = ["sts:AssumeRole", "sts:TagSession"]
  }

  by_service = var.service == null ? [] : [{
    Effect    = "Allow"
    Action    = lookup(local.actions, var.service, ["sts:AssumeRole"])
    Principal = { Service = var.service }
  }]

  by_irsa = var.irsa == null ? [] : [{
    Effect    = "Allow"
    Action    = ["sts:AssumeRoleWithWebIdentity"]
    Principal = { Federated = var.irsa.provider_arn }
    Condition = {
      StringEquals = {
        "${var.irsa.issuer}:aud" = "sts.amazonaws.com"
        "${var.irsa.issuer}:sub" = "system:serviceaccount:${var.irsa.namespace}:${var.irsa.service_account}"
      }
    }
  }]
}

resource "aws_iam_role" "headroom" {
  name = var.name
  tags = var.tags
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.by_service, local.by_irsa)
  })

  lifecycle {
    precondition {
      condition     = var.service != null || var.irsa != null
      error_message = "Give service or irsa: nobody could assume the role."
    }
  }
}

# Sessions of EKS Pod Identity have tags, which go on to the roles that they assume.
resource "aws_iam_role_policy" "tags" {
  count = var.service == "pods.eks.amazonaws.com" ? 1 : 0
  name  = "session-tags"
  role  = aws_iam_role.headroom.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:TagSession", Resource = "*" }]
  })
}

resource "aws_iam_policy" "headroom" {
  count       = length(var.policies)
  name        = "${var.name}-${count.index + 1}"
  description = "What Headroom reads: headroom iam-policy --of caller"
  policy      = var.policies[count.index]
  tags        = var.tags
}

resource "aws_iam_role_policy_attachment" "headroom" {
  count      = length(var.policies)
  role       = aws_iam_role.headroom.name
  policy_arn = aws_iam_policy.headroom[count.index].arn
}
