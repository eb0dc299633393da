# services.homelab-deploy.package: that of the overlay where there is one, else that of this flake.
{ self }:
{ lib, pkgs, ... }:
{
  options.services.homelab-deploy.package = lib.mkOption {
    type = lib.types.package;
    default = pkgs.homelab-deploy or self.packages.${pkgs.stdenv.hostPlatform.system}.default;
    defaultText = lib.literalExpression "pkgs.homelab-deploy, or the package of the flake that this module is from";
    description = "The package for every part of homelab-deploy.";
  };
}
