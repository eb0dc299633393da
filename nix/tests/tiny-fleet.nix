# A flake with two hosts that need nothing from outside: their systems are built by the sandbox's own /bin/sh.
{ pkgs }:
let
  inherit (pkgs.stdenv.hostPlatform) system;
in
pkgs.writeTextDir "flake.nix" ''
  {
    outputs = _: {
      nixosConfigurations = builtins.mapAttrs (name: greeting: {
        config.system.build.toplevel = derivation {
          name = "nixos-system-''${name}";
          system = "${system}";
          builder = "/bin/sh";
          args = [ "-c" "echo ''${greeting} > $out" ];
        };
      }) {
        alpha = "hello";
        beta = "hello";
      };
    };
  }
''
