# The arguments of `homelab-deploy nats config` for these users. Plain Nix, so that a test can run it without nixpkgs.
{
  users,
  listen,
  store,
  maxStoreGiB,
  serverVersion,
  # { cert, key, ca or null }: paths where nats-server runs
  tls ? null,
  domain ? null,
  monitoring ? null,
  # { name, node, listen, routes, advertise or null }
  cluster ? null,
}:
let
  named =
    option: users:
    builtins.concatMap (name: [
      option
      "${name}=${users.${name}}"
    ]) (builtins.attrNames users);
  optional =
    option: value:
    if value == null then
      [ ]
    else
      [
        option
        value
      ];
in
[
  "--admin"
  users.admin
]
++ named "--operator" users.operators or { }
++ named "--ci" users.ci or { }
++ named "--updater" users.updaters or { }
++ named "--dashboard" users.dashboards or { }
++ named "--deployer" users.deployers or { }
++ named "--builder" users.builders or { }
# By repo and host: listeners.nixos-servers.web01 = "U…";
++ builtins.concatMap (
  repo:
  named "--listener" (
    builtins.listToAttrs (
      map (host: {
        name = "${repo}/${host}";
        value = users.listeners.${repo}.${host};
      }) (builtins.attrNames users.listeners.${repo})
    )
  )
) (builtins.attrNames users.listeners or { })
++ [
  "--listen"
  listen
  "--store"
  store
  "--max-store"
  (toString maxStoreGiB)
  "--server-version"
  serverVersion
]
++ optional "--domain" domain
++ optional "--monitoring" monitoring
++ (
  if tls == null then
    [ ]
  else
    optional "--server-tls-cert" tls.cert
    ++ optional "--server-tls-key" tls.key
    ++ optional "--server-tls-ca" (tls.ca or null)
)
++ (
  if cluster == null then
    [ ]
  else
    optional "--cluster" cluster.name
    ++ optional "--node" cluster.node
    ++ optional "--cluster-listen" cluster.listen
    ++ builtins.concatMap (optional "--route") cluster.routes
    ++ optional "--advertise" (cluster.advertise or null)
)
