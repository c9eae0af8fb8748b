terraform {
  required_version = ">= 1.10"

  required_providers {
    oci = {
      source  = "oracle/oci"
      version = "8.2.0"
    }
  }
}

# Reads ~/.oci/config.
provider "oci" {
  region = var.region
}
