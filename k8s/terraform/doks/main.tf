data "digitalocean_kubernetes_versions" "rondo" {
  version_prefix = "${var.kubernetes_version}."
}

resource "digitalocean_vpc" "rondo" {
  name     = var.name
  region   = var.region
  ip_range = "10.40.0.0/20"
}

# Its Cilium enforces the chart's NetworkPolicies.
resource "digitalocean_kubernetes_cluster" "rondo" {
  name          = var.name
  region        = var.region
  version       = data.digitalocean_kubernetes_versions.rondo.latest_version
  vpc_uuid      = digitalocean_vpc.rondo.id
  auto_upgrade  = true
  surge_upgrade = true
  ha            = var.highly_available

  maintenance_policy {
    day        = "sunday"
    start_time = "03:00"
  }

  control_plane_firewall {
    enabled           = true
    allowed_addresses = var.administrator_networks
  }

  node_pool {
    name       = var.name
    size       = var.node_size
    node_count = var.node_count
  }

  # auto_upgrade changes it.
  lifecycle {
    ignore_changes = [version]
  }
}
