variable "name" {
  description = "Name of the cluster and its network."
  type        = string
  default     = "rondo"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name has 3 to 32 lower-case letters, digits and hyphens."
  }
}

variable "region" {
  description = "Region, such as fra1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{3}[0-9]$", var.region))
    error_message = "region is a slug: `doctl kubernetes options regions`."
  }
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes, such as 1.36."
  type        = string

  validation {
    condition     = can(regex("^1\\.(3[0-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version is 1.30 or newer: `doctl kubernetes options versions` lists what there is."
  }
}

variable "node_size" {
  description = "Droplet size of the nodes."
  type        = string
  default     = "s-2vcpu-4gb"

  validation {
    condition     = can(regex("^[a-z0-9-]+-[0-9]+vcpu-[0-9]+gb[a-z0-9-]*$", var.node_size))
    error_message = "node_size is a slug: `doctl kubernetes options sizes`."
  }
}

variable "node_count" {
  description = "Number of nodes."
  type        = number
  default     = 2

  validation {
    condition     = var.node_count >= 1 && var.node_count <= 20
    error_message = "node_count is between 1 and 20."
  }
}

variable "highly_available" {
  description = "Whether the control plane is replicated, which costs extra and cannot be undone."
  type        = bool
  default     = false
}

variable "administrator_networks" {
  description = "Networks that may reach the API server, in CIDR notation."
  type        = list(string)

  validation {
    condition = (
      length(var.administrator_networks) > 0 &&
      alltrue([for network in var.administrator_networks : can(cidrhost(network, 0))]) &&
      !contains(var.administrator_networks, "0.0.0.0/0")
    )
    error_message = "administrator_networks lists networks such as 203.0.113.0/24, and not the whole internet."
  }
}
