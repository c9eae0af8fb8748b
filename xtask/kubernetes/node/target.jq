# What Prometheus scrapes: the ports that the chart's PodMonitors name, with their labels. Input: a list of pods.
[.items[]
  | select(.status.podIP and .status.phase == "Running" and (.metadata.deletionTimestamp | not))
  | .metadata as {$name, $namespace, $labels}
  | .status.podIP as $address
  | .spec.containers[].ports[]?
  | select(.name == "operations")
  | {
      targets: ["\($address):\(.containerPort)"],
      labels: {job: $labels["app.kubernetes.io/component"], namespace: $namespace, pod: $name}
    }]
