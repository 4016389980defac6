variable "name" {
  description = "Name of the role; role_name of an organization in Headroom's configuration."
  type        = string
  default     = "headroom"
}

variable "hub_role" {
  description = "ARN of Headroom's own role, or of the last role of `via`."
  type        = string
}

variable "external_id" {
  description = "external_id of the account in Headroom's configuration. It is in the state, and no secret to AWS."
  type        = string

  validation {
    condition     = can(regex("^[\\w+=,.@:/-]{2,1224}$", var.external_id))
    error_message = "Expected 2 to 1224 letters, digits or +=,.@:/-_."
  }
}

variable "policies" {
  description = "The parts of `headroom iam-policy --of account`, in JSON."
  type        = list(string)

  validation {
    condition     = length(var.policies) > 0 && alltrue([for one in var.policies : can(jsondecode(one).Statement)])
    error_message = "Expected the output of `headroom iam-policy --of account --part N`, at least one."
  }
}

variable "tags" {
  description = "Tags of the role and its policies."
  type        = map(string)
  default     = {}
}
