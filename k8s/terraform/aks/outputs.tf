output "next" {
  description = "Command that writes the kubeconfig; it needs kubelogin."
  value = join(" ", [
    "az aks get-credentials --resource-group ${azurerm_resource_group.rondo.name}",
    "--name ${azurerm_kubernetes_cluster.rondo.name} --file kubeconfig && kubelogin convert-kubeconfig -l azurecli --kubeconfig kubeconfig",
  ])
}
