{
  description = "Builds, caches and updates a fleet of NixOS hosts over NATS";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      eachSystem =
        f:
        lib.genAttrs [
          "x86_64-linux"
          "aarch64-linux"
        ] (system: f nixpkgs.legacyPackages.${system});
      # nix run github:… or a checkout with changes; without git nobody knows.
      commit = self.rev or self.dirtyRev or null;
      modules = import ./nix/modules { inherit self; };
    in
    {
      packages = eachSystem (pkgs: rec {
        homelab-deploy = pkgs.callPackage ./nix/package.nix { inherit commit; };
        default = homelab-deploy;
      });

      overlays.default = final: _previous: {
        homelab-deploy = final.callPackage ./nix/package.nix { inherit commit; };
      };

      devShells = eachSystem (pkgs: {
        default = pkgs.mkShell {
          packages = [
            pkgs.nodejs_24
            pkgs.nats-server
            pkgs.git
            pkgs.prometheus.cli or pkgs.prometheus
            pkgs.shellcheck
          ]
          ++ lib.optional (pkgs ? nix-eval-jobs) pkgs.nix-eval-jobs;
        };
      });

      nixosModules = modules;

      checks = eachSystem (
        pkgs:
        {
          package = self.packages.${pkgs.stdenv.hostPlatform.system}.default;
        }
        // import ./nix/tests { inherit self pkgs; }
      );
    };
}
