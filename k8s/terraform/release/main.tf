# Installs what k8s/deploy.sh would. Secrets and namespace exist before (docs/deployment.md), so that no secret is in
# the state.
locals {
  chart = "${path.module}/../../chart"
}

resource "helm_release" "rondo" {
  name      = "rondo"
  namespace = "rondo-${var.environment}"
  chart     = local.chart

  values = [
    for file in concat(
      ["${local.chart}/values/${var.environment}.yaml", "${local.chart}/values/${var.cloud}.yaml"],
      [for file in var.values_files : pathexpand(file)],
    ) : file(file)
  ]

  set = flatten([
    for name, digest in var.digests : [
      { name = "image.${name}.repository", value = "${var.registry}/${name}", type = "string" },
      { name = "image.${name}.digest", value = digest, type = "string" },
    ]
  ])

  atomic          = true
  cleanup_on_fail = true
  lint            = true
  max_history     = 20
  timeout         = 900
}
