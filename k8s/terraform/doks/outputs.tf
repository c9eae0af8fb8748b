output "next" {
  description = "Command that writes the kubeconfig."
  value       = "KUBECONFIG=kubeconfig doctl kubernetes cluster kubeconfig save ${digitalocean_kubernetes_cluster.rondo.id}"
}
