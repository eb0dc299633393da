# NixOS tests in virtual machines: `nix flake check`, or one with `nix build .#checks.x86_64-linux.builder`.
# They were written where neither nixpkgs nor a virtual machine could be had: they parse, and have not been run.
{ self, pkgs }:
let
  test = file: pkgs.testers.runNixOSTest (import file { inherit self; });
in
{
  builder = test ./builder.nix;
  update = test ./update.nix;
  cache = test ./cache.nix;
  deploy = test ./deploy.nix;
}
