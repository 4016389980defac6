variable "name" {
  description = "Name of the role."
  type        = string
  default     = "headroom"
}

variable "policies" {
  description = "The parts of `headroom iam-policy --of caller`, in JSON."
  type        = list(string)

  validation {
    condition     = length(var.policies) > 0 && alltrue([for one in var.policies : can(jsondecode(one).Statement)])
    error_message = "Expected the output of `headroom iam-policy --of caller --part N`, at least one."
  }
}

variable "service" {
  description = "The service that assumes the role for Headroom: pods.eks.amazonaws.com, ec2.amazonaws.com, ecs-tasks.amazonaws.com."
  type        = string
  default     = null
}

variable "irsa" {
  description = "The service account that assumes the role by an EKS cluster's OIDC provider; issuer without https://."
  type = object({
    provider_arn    = string
    issuer          = string
    namespace       = optional(string, "headroom")
    service_account = optional(string, "headroom")
  })
  default = null
}

variable "tags" {
  description = "Tags of the role and its policies."
  type        = map(string)
  default     = {}
}
