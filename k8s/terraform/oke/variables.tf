variable "compartment_id" {
  description = "Compartment of everything, an OCID."
  type        = string

  validation {
    condition     = can(regex("^ocid1\\.(compartment|tenancy)\\.", var.compartment_id))
    error_message = "compartment_id is the OCID of a compartment or of the tenancy: `oci iam compartment list`."
  }
}

variable "region" {
  description = "Region, such as eu-frankfurt-1. Always Free resources exist in the home region alone."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+-[0-9]$", var.region))
    error_message = "region is a region's name: `oci iam region list`."
  }
}

variable "name" {
  description = "Name of the cluster and its network."
  type        = string
  default     = "rondo"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{2,14}$", var.name))
    error_message = "name has 3 to 15 lower-case letters and digits, because it is a DNS label of the network."
  }
}

variable "kubernetes_version" {
  description = "Version of Kubernetes, such as 1.36.1."
  type        = string

  validation {
    condition     = can(regex("^1\\.(3[0-9]|[4-9][0-9])\\.[0-9]+$", var.kubernetes_version))
    error_message = "kubernetes_version is 1.30.0 or newer: `oci ce cluster-options get --cluster-option-id all` lists what there is."
  }
}

variable "node_shape" {
  description = "Shape of the nodes. VM.Standard.A1.Flex (Arm) is Always Free."
  type        = string
  default     = "VM.Standard.A1.Flex"

  validation {
    condition     = endswith(var.node_shape, ".Flex")
    error_message = "node_shape is a flexible shape. OKE does not run on VM.Standard.E2.1.Micro, the other Always Free shape."
  }
}

variable "node_cpus" {
  description = "CPUs (OCPU) of a node."
  type        = number
  default     = 1

  validation {
    condition     = var.node_cpus >= 1 && var.node_cpus <= 64
    error_message = "node_cpus is between 1 and 64."
  }
}

variable "node_memory" {
  description = "Memory of a node, in GB."
  type        = number
  default     = 6

  validation {
    condition     = var.node_memory >= 2 && var.node_memory <= 1024
    error_message = "node_memory is between 2 and 1024."
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
