resource "azurerm_resource_group" "rondo" {
  name     = var.name
  location = var.location
}

resource "azurerm_kubernetes_cluster" "rondo" {
  # checkov:skip=CKV_AZURE_4: A log workspace is billed by volume. The chart brings metrics and alerts.
  # checkov:skip=CKV_AZURE_6: var.administrator_networks has no default, which this check needs to see.
  # checkov:skip=CKV_AZURE_115: A private API server needs a network that the pipeline is part of. Only var.administrator_networks reach this one.
  # checkov:skip=CKV_AZURE_117: Disks are encrypted with the platform's keys, and hold no data of Rondo's.
  # checkov:skip=CKV_AZURE_168: Small nodes run fewer than 50 pods.
  # checkov:skip=CKV_AZURE_170: var.sku_tier chooses between cost and guarantee.
  # checkov:skip=CKV_AZURE_172: Secrets are Kubernetes' own; External Secrets is the chart's option.
  # checkov:skip=CKV_AZURE_226: Small VM sizes have no local disk for the system.
  # checkov:skip=CKV_AZURE_227: Encryption at the host must be registered for the subscription first.
  # checkov:skip=CKV_AZURE_232: The system pool runs Rondo as well, because a second pool doubles the cost.
  name                = var.name
  location            = azurerm_resource_group.rondo.location
  resource_group_name = azurerm_resource_group.rondo.name
  dns_prefix          = var.name
  kubernetes_version  = var.kubernetes_version
  sku_tier            = var.sku_tier

  automatic_upgrade_channel         = "patch"
  node_os_upgrade_channel           = "NodeImage"
  azure_policy_enabled              = true
  local_account_disabled            = true
  role_based_access_control_enabled = true
  oidc_issuer_enabled               = true
  workload_identity_enabled         = true

  default_node_pool {
    name       = "system"
    vm_size    = var.node_size
    node_count = var.node_count
    # The default is a larger disk, which costs as much as the machine.
    os_disk_size_gb             = 32
    temporary_name_for_rotation = "rotating"

    upgrade_settings {
      max_surge = "1"
    }
  }

  identity {
    type = "SystemAssigned"
  }

  azure_active_directory_role_based_access_control {
    azure_rbac_enabled     = true
    admin_group_object_ids = var.administrator_group_ids
  }

  api_server_access_profile {
    authorized_ip_ranges = var.administrator_networks
  }

  # Cilium enforces the chart's NetworkPolicies.
  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    network_data_plane  = "cilium"
    network_policy      = "cilium"
  }
}
