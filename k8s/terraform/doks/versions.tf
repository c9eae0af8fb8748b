terraform {
  required_version = ">= 1.10"

  required_providers {
    digitalocean = {
      source  = "digitalocean/digitalocean"
      version = "2.71.0"
    }
  }
}

# Reads DIGITALOCEAN_TOKEN.
provider "digitalocean" {}
