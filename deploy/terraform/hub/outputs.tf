output "role_arn" {
  description = "For the annotation or association of the service account, and for hub_role of the spokes."
  value       = aws_iam_role.headroom.arn
}
