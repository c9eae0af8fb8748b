output "next" {
  description = "Command that writes the kubeconfig; it needs gke-gcloud-auth-plugin."
  value = join(" ", [
    "KUBECONFIG=kubeconfig gcloud container clusters get-credentials ${google_container_cluster.rondo.name}",
    "--zone ${var.zone} --project ${var.project}",
  ])
}
