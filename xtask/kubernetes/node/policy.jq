# Turns NetworkPolicies into rules of nftables. Input: a list of all pods, namespaces and policies. A field that the
# chart does not use is an error.
def selects($labels):
  if .matchExpressions then error("matchExpressions") else . end
  | (.matchLabels // {}) as $wanted
  | all($wanted | keys[]; $labels[.] == $wanted[.]);

.items as $all
| ($all | map(select(.kind == "Pod" and .status.podIP and (.spec.hostNetwork | not)))) as $pods
| ($all | map(select(.kind == "Namespace"))) as $namespaces
| ($all | map(select(.kind == "NetworkPolicy"))) as $policies
# The peer as conditions, where $side is saddr or daddr.
| def conditions($namespace; $side):
    if .ipBlock then
      (if .ipBlock.cidr | contains(":") then "ip6" else "ip" end) as $family
      | "\($family) \($side) \(.ipBlock.cidr)"
        + ((.ipBlock.except // []) | if . == [] then "" else " \($family) \($side) != { \(join(", ")) }" end)
    else
      .podSelector as $pod
      | .namespaceSelector as $space
      | [$namespaces[]
          | select(if $space then .metadata.labels as $labels | $space | selects($labels) else .metadata.name == $namespace end)
          | .metadata.name] as $names
      | [$pods[]
          | select(.metadata.namespace as $name | $names | index($name))
          | select((.metadata.labels // {}) as $labels | ($pod // {}) | selects($labels))
          | .status.podIP]
      | select(. != [])
      | "ip \($side) { \(unique | join(", ")) }"
    end;
  def allowed($namespace; $peers; $side):
    .[$peers] as $who
    | .ports as $ports
    | (if $who then ($who[] | conditions($namespace; $side)) else "" end) as $conditions
    | (if $ports then
         $ports[]
         | if (.port | type) == "number" and (.endPort | not) then "\(.protocol | ascii_downcase) dport \(.port)" else error("port") end
       else "" end) as $port
    | "    \($conditions) \($port) return\n";
  # What one direction of a pod's traffic may be, if a policy restricts it.
  def chain($pod; $type; $rules; $peers; $own; $other):
    [$policies[]
      | select(.metadata.namespace == $pod.metadata.namespace and (.spec.policyTypes | index($type)))
      | select(.spec.podSelector | selects($pod.metadata.labels // {}))] as $chosen
    | select($chosen != [])
    | ($pod.status.podIP | gsub("[.]"; "-")) as $name
    | {
        jump: "    ip \($own) \($pod.status.podIP) jump \($type)-\($name)\n",
        chain: ("  chain \($type)-\($name) {\n"
          + ([$chosen[].spec[$rules][]? | allowed($pod.metadata.namespace; $peers; $other)] | add // "")
          + "    drop\n  }\n")
      };
  [$pods[] | . as $pod
    | chain($pod; "Egress"; "egress"; "to"; "saddr"; "daddr"), chain($pod; "Ingress"; "ingress"; "from"; "daddr"; "saddr")]
| "table inet restrict\ndelete table inet restrict\ntable inet restrict {\n"
  + (map(.chain) | add // "")
  + "  chain check {\n    ct state established,related return\n" + (map(.jump) | add // "") + "  }\n"
  + "  chain forward {\n    type filter hook forward priority 0\n    jump check\n  }\n"
  # What pods send to the node.
  + "  chain input {\n    type filter hook input priority 0\n    jump check\n  }\n}\n"
