locals {
  # `Oracle-Linux-…-OKE-1.36.1-…` is for x86, `Oracle-Linux-…-aarch64-…-OKE-1.36.1-…` for Arm.
  is_arm = strcontains(var.node_shape, ".A1.") || strcontains(var.node_shape, ".A2.")
  images = {
    for source in data.oci_containerengine_node_pool_option.rondo.sources : source.source_name => source.image_id
    if strcontains(source.source_name, "-OKE-${var.kubernetes_version}-") &&
    !strcontains(source.source_name, "GPU") &&
    strcontains(source.source_name, "aarch64") == local.is_arm
  }
  newest = try(reverse(sort(keys(local.images)))[0], "")
}

data "oci_identity_availability_domains" "rondo" {
  compartment_id = var.compartment_id
}

data "oci_containerengine_node_pool_option" "rondo" {
  compartment_id      = var.compartment_id
  node_pool_option_id = "all"
}

resource "oci_containerengine_cluster" "rondo" {
  # checkov:skip=CKV2_OCI_3: The subnets have security lists.
  # checkov:skip=CKV2_OCI_6: Pod Security is enforced by namespace labels (k8s/namespace.yaml).
  compartment_id     = var.compartment_id
  name               = var.name
  kubernetes_version = "v${var.kubernetes_version}"
  vcn_id             = oci_core_vcn.rondo.id
  # Without a fee.
  type = "BASIC_CLUSTER"

  cluster_pod_network_options {
    cni_type = "FLANNEL_OVERLAY"
  }

  endpoint_config {
    subnet_id            = oci_core_subnet.public.id
    is_public_ip_enabled = true
  }

  options {
    service_lb_subnet_ids = [oci_core_subnet.public.id]
  }
}

resource "oci_containerengine_node_pool" "rondo" {
  compartment_id     = var.compartment_id
  cluster_id         = oci_containerengine_cluster.rondo.id
  name               = var.name
  kubernetes_version = "v${var.kubernetes_version}"
  node_shape         = var.node_shape

  node_shape_config {
    ocpus         = var.node_cpus
    memory_in_gbs = var.node_memory
  }

  node_source_details {
    source_type = "IMAGE"
    image_id    = lookup(local.images, local.newest, null)
  }

  node_config_details {
    size                                = var.node_count
    is_pv_encryption_in_transit_enabled = true

    dynamic "placement_configs" {
      for_each = data.oci_identity_availability_domains.rondo.availability_domains

      content {
        availability_domain = placement_configs.value.name
        subnet_id           = oci_core_subnet.private.id
      }
    }
  }

  lifecycle {
    # Newer images come with a newer kubernetes_version.
    ignore_changes = [node_source_details]

    precondition {
      condition     = local.newest != ""
      error_message = "OKE has no image for Kubernetes ${var.kubernetes_version} and ${var.node_shape}."
    }
  }
}
