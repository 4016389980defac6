output "role_arn" {
  description = "role_arn of the account in Headroom's configuration."
  value       = aws_iam_role.headroom.arn
}
