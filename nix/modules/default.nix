# The modules, as a flake exports them.
{ self }:
let
  # With keys, because a host may import several of them.
  module = name: imports: {
    key = "homelab-deploy#${name}";
    _file = "homelab-deploy#${name}";
    inherit imports;
  };
  package = module "package" [ (import ./package-option.nix { inherit self; }) ];
in
rec {
  builder = module "builder" [
    package
    ./builder.nix
    ./former-names.nix
  ];
  update = module "update" [
    package
    ./update.nix
  ];
  cache-host = module "cache-host" [
    package
    ./cache-host.nix
    ./homelab-names.nix
  ];
  listener = module "listener" [
    package
    (import ./built-after.nix { inherit self; })
    ./listener.nix
    ./former-listener-names.nix
  ];
  dashboard = module "dashboard" [
    package
    ./dashboard.nix
  ];
  deployer = module "deployer" [
    package
    ./deployer.nix
  ];
  nats-server = module "nats-server" [
    package
    ./nats-server.nix
  ];
  default = module "default" [
    builder
    listener
    update
    cache-host
    dashboard
    deployer
    nats-server
  ];
}
