variable "subscription_id" {
  description = "Subscription that pays for the cluster."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.subscription_id))
    error_message = "subscription_id is a UUID in lower case: `az account show --query id`."
  }
}

variable "name" {
  description = "Name of the cluster and of its resource group."
  type        = string
  default     = "rondo"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name has 3 to 32 lower-case letters, digits and hyphens."
  }
}

variable "location" {
  description = "Azure region, such as westeurope."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+[a-z0-9]*$", var.location))
    error_message = "location is a region's short name: `az account list-locations --query [].name`."
  }
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes, such as 1.36."
  type        = string

  validation {
    condition     = can(regex("^1\\.(3[0-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version is 1.30 or newer: `az aks get-versions --location …` lists what there is."
  }
}

variable "node_size" {
  description = "VM size of the nodes. A system pool needs at least 2 CPUs and 4 GiB."
  type        = string
  default     = "Standard_B2als_v2"

  validation {
    condition     = startswith(var.node_size, "Standard_")
    error_message = "node_size is a VM size such as Standard_B2als_v2."
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

variable "sku_tier" {
  description = "Free, or Standard with a guaranteed availability of the API server."
  type        = string
  default     = "Free"

  validation {
    condition     = contains(["Free", "Standard"], var.sku_tier)
    error_message = "sku_tier is Free or Standard."
  }
}

variable "administrator_group_ids" {
  description = "Object ids of the Entra groups that administer the cluster."
  type        = list(string)

  validation {
    condition     = length(var.administrator_group_ids) > 0
    error_message = "administrator_group_ids needs a group, because local accounts are off."
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
