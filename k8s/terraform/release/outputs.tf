output "next" {
  description = "Command that verifies the release."
  value       = "KUBECONFIG=${var.kubeconfig} k8s/rollout.sh ${helm_release.rondo.name} ${helm_release.rondo.namespace}"
}
