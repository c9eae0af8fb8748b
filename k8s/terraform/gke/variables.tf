variable "project" {
  description = "Id of the project that pays for the cluster."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project is a project's id: `gcloud projects list`."
  }
}

variable "name" {
  description = "Name of the cluster, its network and its nodes' service account."
  type        = string
  default     = "rondo"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}[a-z0-9]$", var.name))
    error_message = "name has 3 to 22 lower-case letters, digits and hyphens."
  }
}

variable "zone" {
  description = "Zone of the cluster, such as europe-west4-a. The first zonal cluster of a billing account is free."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+-[a-z]$", var.zone))
    error_message = "zone is a zone's name: `gcloud compute zones list`."
  }
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes at creation, such as 1.36. The release channel upgrades it."
  type        = string

  validation {
    condition     = can(regex("^1\\.(3[0-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version is 1.30 or newer: `gcloud container get-server-config` lists what there is."
  }
}

variable "machine_type" {
  description = "Machine type of the nodes."
  type        = string
  default     = "e2-medium"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*-[a-z0-9-]+$", var.machine_type))
    error_message = "machine_type is a type such as e2-medium."
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

variable "deletion_protection" {
  description = "Whether the cluster cannot be destroyed."
  type        = bool
  default     = true
}
