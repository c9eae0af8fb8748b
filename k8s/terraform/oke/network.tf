# The API server and the load balancers are in a public subnet, the nodes in a private one.
locals {
  anywhere       = "0.0.0.0/0"
  network        = "10.50.0.0/16"
  public_subnet  = cidrsubnet(local.network, 8, 0)
  private_subnet = cidrsubnet(local.network, 8, 1)
  tcp            = "6"
  icmp           = "1"
}

resource "oci_core_vcn" "rondo" {
  compartment_id = var.compartment_id
  display_name   = var.name
  dns_label      = var.name
  cidr_blocks    = [local.network]
}

resource "oci_core_internet_gateway" "rondo" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.rondo.id
  display_name   = var.name
}

resource "oci_core_nat_gateway" "rondo" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.rondo.id
  display_name   = var.name
}

resource "oci_core_route_table" "public" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.rondo.id
  display_name   = "${var.name}-public"

  route_rules {
    destination       = local.anywhere
    network_entity_id = oci_core_internet_gateway.rondo.id
  }
}

resource "oci_core_route_table" "private" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.rondo.id
  display_name   = "${var.name}-private"

  route_rules {
    destination       = local.anywhere
    network_entity_id = oci_core_nat_gateway.rondo.id
  }
}

resource "oci_core_security_list" "public" {
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.rondo.id
  display_name   = "${var.name}-public"

  egress_security_rules {
    description = "To the nodes"
    protocol    = "all"
    destination = local.network
  }

  egress_security_rules {
    description = "To Oracle's services, from the control plane"
    protocol    = local.tcp
    destination = local.anywhere

    tcp_options {
      min = 443
      max = 443
    }
  }

  dynamic "ingress_security_rules" {
    for_each = toset(var.administrator_networks)

    content {
      description = "API server, for administrators"
      protocol    = local.tcp
      source      = ingress_security_rules.key

      tcp_options {
        min = 6443
        max = 6443
      }
    }
  }

  # 12250 is the port of OKE's own agents.
  dynamic "ingress_security_rules" {
    for_each = toset([6443, 12250])

    content {
      description = "API server, for nodes"
      protocol    = local.tcp
      source      = local.private_subnet

      tcp_options {
        min = ingress_security_rules.value
        max = ingress_security_rules.value
      }
    }
  }

  # OKE would add the same for each load balancer, unless its Service has the annotation
  # service.beta.kubernetes.io/oci-load-balancer-security-list-management-mode: None.
  dynamic "ingress_security_rules" {
    for_each = toset([80, 443])

    content {
      description = "Load balancer"
      protocol    = local.tcp
      source      = local.anywhere

      tcp_options {
        min = ingress_security_rules.value
        max = ingress_security_rules.value
      }
    }
  }

  ingress_security_rules {
    description = "Path MTU discovery"
    protocol    = local.icmp
    source      = local.network

    icmp_options {
      type = 3
      code = 4
    }
  }
}

resource "oci_core_security_list" "private" {
  # checkov:skip=CKV_OCI_19: The rule for any address is for ICMP alone.
  # checkov:skip=CKV_OCI_20: The rule for any address is for ICMP alone.
  compartment_id = var.compartment_id
  vcn_id         = oci_core_vcn.rondo.id
  display_name   = "${var.name}-private"

  egress_security_rules {
    description = "Registries, mail servers and webhooks"
    protocol    = "all"
    destination = local.anywhere
  }

  ingress_security_rules {
    description = "Pods, control plane and load balancers"
    protocol    = "all"
    source      = local.network
  }

  ingress_security_rules {
    description = "Path MTU discovery"
    protocol    = local.icmp
    source      = local.anywhere

    icmp_options {
      type = 3
      code = 4
    }
  }
}

resource "oci_core_subnet" "public" {
  compartment_id    = var.compartment_id
  vcn_id            = oci_core_vcn.rondo.id
  display_name      = "${var.name}-public"
  dns_label         = "public"
  cidr_block        = local.public_subnet
  route_table_id    = oci_core_route_table.public.id
  security_list_ids = [oci_core_security_list.public.id]
}

resource "oci_core_subnet" "private" {
  compartment_id             = var.compartment_id
  vcn_id                     = oci_core_vcn.rondo.id
  display_name               = "${var.name}-private"
  dns_label                  = "private"
  cidr_block                 = local.private_subnet
  route_table_id             = oci_core_route_table.private.id
  security_list_ids          = [oci_core_security_list.private.id]
  prohibit_public_ip_on_vnic = true
}
