{
  description = "Example of a fleet: a machine that builds, updates and serves, and two hosts";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    homelab-deploy = {
      # Where you keep it.
      url = "git+https://git.lan/infra/homelab-deploy.git";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    { nixpkgs, homelab-deploy, ... }:
    let
      host =
        name:
        nixpkgs.lib.nixosSystem {
          modules = [
            homelab-deploy.nixosModules.default
            ./hosts/common.nix
            ./hosts/hardware.nix
            ./hosts/${name}.nix
            { networking.hostName = name; }
          ];
        };
    in
    {
      nixosConfigurations = nixpkgs.lib.genAttrs [
        "nix-cache01"
        "ns1"
        "web01"
      ] host;
    };
}
