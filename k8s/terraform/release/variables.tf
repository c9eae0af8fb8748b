variable "kubeconfig" {
  description = "Path of the cluster's kubeconfig."
  type        = string

  validation {
    condition     = fileexists(pathexpand(var.kubeconfig))
    error_message = "kubeconfig is a file. The cluster's output `next` is the command that writes it."
  }
}

variable "environment" {
  description = "Environment, which names the namespace: dev, staging or prod."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment is dev, staging or prod."
  }
}

variable "cloud" {
  description = "Cloud, whose values file is used on top of the environment's: aks, gke, oke or doks."
  type        = string

  validation {
    condition     = contains(["aks", "gke", "oke", "doks"], var.cloud)
    error_message = "cloud is aks, gke, oke or doks."
  }
}

variable "values_files" {
  description = "Values files of your own, on top of both."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for file in var.values_files : fileexists(pathexpand(file))])
    error_message = "values_files lists files."
  }
}

variable "registry" {
  description = "Registry and prefix of the images, such as registry.example.org/rondo."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+$", var.registry))
    error_message = "registry is a registry and a prefix in lower case, without a scheme."
  }
}

variable "digests" {
  description = "Digests of the images: rondo, tools, and app for the modes `spinapp` and `runtimeclass`."
  type = object({
    rondo = string
    tools = string
    app   = optional(string, "")
  })

  validation {
    condition = alltrue([
      for name, digest in var.digests :
      can(regex("^sha256:[0-9a-f]{64}$", digest)) || (name == "app" && digest == "")
    ])
    error_message = "A digest is sha256:… with 64 hexadecimal digits."
  }
}
