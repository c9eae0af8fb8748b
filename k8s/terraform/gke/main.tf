locals {
  region = regex("^(.*)-[a-z]$", var.zone)[0]
}

resource "google_compute_network" "rondo" {
  # checkov:skip=CKV2_GCP_18: GKE creates its own rules, and nothing else may enter.
  name                    = var.name
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "rondo" {
  # checkov:skip=CKV_GCP_26: Flow logs are billed by volume. Turn them on to investigate.
  name                     = var.name
  region                   = local.region
  network                  = google_compute_network.rondo.id
  ip_cidr_range            = "10.10.0.0/20"
  private_ip_google_access = true

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = "10.20.0.0/16"
  }

  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = "10.30.0.0/20"
  }
}

# Private nodes reach registries, mail servers and webhooks through it.
resource "google_compute_router" "rondo" {
  name    = var.name
  region  = local.region
  network = google_compute_network.rondo.id
}

resource "google_compute_router_nat" "rondo" {
  name                               = var.name
  region                             = local.region
  router                             = google_compute_router.rondo.name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
}

resource "google_service_account" "node" {
  account_id   = "${var.name}-node"
  display_name = "Nodes of ${var.name}"
}

resource "google_project_iam_member" "node" {
  for_each = toset(["roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader"])

  project = var.project
  role    = each.key
  member  = google_service_account.node.member
}

resource "google_container_cluster" "rondo" {
  # checkov:skip=CKV_GCP_12: Dataplane V2 enforces NetworkPolicies; this check knows Calico alone.
  # checkov:skip=CKV_GCP_21: A label says nothing that the name does not.
  # checkov:skip=CKV_GCP_61: Flow logs inside a node are billed by volume. Turn them on to investigate.
  # checkov:skip=CKV_GCP_65: Groups for RBAC need a Google Workspace domain.
  # checkov:skip=CKV_GCP_66: Images are by digest. Binary Authorization is billed for each cluster.
  # checkov:skip=CKV_GCP_69: The default pool, which this check looks at, is removed. The other one has the metadata server.
  name                     = var.name
  location                 = var.zone
  network                  = google_compute_network.rondo.id
  subnetwork               = google_compute_subnetwork.rondo.id
  min_master_version       = var.kubernetes_version
  remove_default_node_pool = true
  initial_node_count       = 1
  deletion_protection      = var.deletion_protection
  # Dataplane V2 enforces the chart's NetworkPolicies.
  datapath_provider     = "ADVANCED_DATAPATH"
  enable_shielded_nodes = true

  release_channel {
    channel = "REGULAR"
  }

  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }

  private_cluster_config {
    enable_private_nodes    = true
    enable_private_endpoint = false
    master_ipv4_cidr_block  = "172.16.0.0/28"
  }

  master_authorized_networks_config {
    dynamic "cidr_blocks" {
      for_each = toset(var.administrator_networks)

      content {
        cidr_block = cidr_blocks.key
      }
    }
  }

  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }

  workload_identity_config {
    workload_pool = "${var.project}.svc.id.goog"
  }

  # For the chart's ingress.kind=gateway.
  gateway_api_config {
    channel = "CHANNEL_STANDARD"
  }
}

resource "google_container_node_pool" "rondo" {
  name       = var.name
  location   = var.zone
  cluster    = google_container_cluster.rondo.name
  node_count = var.node_count

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  node_config {
    machine_type = var.machine_type
    # The Spin shim does not support Container-Optimized OS.
    image_type      = "UBUNTU_CONTAINERD"
    disk_size_gb    = 30
    disk_type       = "pd-standard"
    service_account = google_service_account.node.email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]

    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }

    workload_metadata_config {
      mode = "GKE_METADATA"
    }
  }
}
