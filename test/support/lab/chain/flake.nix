# A fleet whose systems come from inputs: nixpkgs says their version, and apps what web.service is.
{
  inputs.nixpkgs.url = "git+file:///lab/inputs/nixpkgs";
  inputs.apps.url = "git+file:///lab/inputs/apps";

  outputs = { self, nixpkgs, apps }:
    let
      system = "x86_64-linux";
      systemOf = import ./toplevel.nix { inherit system; };
      failing = host: derivation {
        name = "nixos-system-${host}";
        inherit system;
        builder = "/bin/sh";
        args = [ "-c" "echo 'E: web does not compile' >&2; exit 1" ];
      };
      toplevel = host: spec:
        if builtins.elem host apps.state.breaks then failing host
        else systemOf (spec // {
          inherit (nixpkgs.state) version;
          etc = spec.etc // { "systemd/system/web.service" = apps.state.web; };
        });
    in
    {
      nixosConfigurations = builtins.mapAttrs
        (host: spec: { config.system.build.toplevel = toplevel host spec; })
        (builtins.fromJSON (builtins.readFile ./hosts.json));
    };
}
