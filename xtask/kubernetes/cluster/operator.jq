# The Deployment that spin-operator 0.6 makes of a SpinApp with a RuntimeClass.
. as $app
| ($app.metadata.name) as $name
| {"core.spinkube.dev/app-name": $name, ("core.spinkube.dev/app.\($name).status"): "ready"} as $ready
| def probe: . + {httpGet: (.httpGet + {port: 80})};
{
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: {
    name: $name,
    namespace: $app.metadata.namespace,
    labels: {"core.spinkube.dev/app-name": $name},
    # The Deployment goes when the SpinApp does.
    ownerReferences: [{
      apiVersion: $app.apiVersion, kind: $app.kind, name: $name, uid: $app.metadata.uid,
      controller: true, blockOwnerDeletion: true
    }]
  },
  spec: {
    replicas: $app.spec.replicas,
    selector: {matchLabels: $ready},
    template: {
      metadata: {labels: ($app.spec.podLabels + $ready), annotations: $app.spec.podAnnotations},
      spec: {
        serviceAccountName: $app.spec.serviceAccountName,
        runtimeClassName: "wasmtime-spin-v2",
        imagePullSecrets: $app.spec.imagePullSecrets,
        containers: [{
          name: $name,
          image: $app.spec.image,
          command: ["/"],
          ports: [{name: "http-app", containerPort: 80}],
          env: (
            [$app.spec.variables[] | .name = "SPIN_VARIABLE_" + (.name | ascii_upcase)]
            + [{name: "SPIN_HTTP_LISTEN_ADDR", value: "0.0.0.0:80"}, {name: "SPIN_MAX_INSTANCE_MEMORY", value: "67108864"}]
          ),
          resources: $app.spec.resources,
          livenessProbe: ($app.spec.checks.liveness | probe),
          readinessProbe: ($app.spec.checks.readiness | probe)
        }]
      }
    }
  }
}
