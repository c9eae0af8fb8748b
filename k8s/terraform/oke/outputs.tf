output "next" {
  description = "Command that writes the kubeconfig."
  value = join(" ", [
    "oci ce cluster create-kubeconfig --cluster-id ${oci_containerengine_cluster.rondo.id}",
    "--region ${var.region} --file kubeconfig --token-version 2.0.0 --kube-endpoint PUBLIC_ENDPOINT",
  ])
}
