# homelab.host and homelab.deploy.enable, under which the hosts of a home lab say what they are. A configuration may
# declare them itself as well: these declarations have no default, description or example of their own, so that they
# merge, and their values are weaker than any default.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  weakest = lib.mkOverride 2000;
in
{
  options.homelab = {
    deploy.enable = mkOption {
      type = types.bool;
      internal = true;
    };
    host = {
      tier = mkOption {
        type = types.enum [
          "test"
          "prod"
        ];
        internal = true;
      };
      priority = mkOption {
        type = types.enum [
          "high"
          "low"
        ];
        internal = true;
      };
      role = mkOption {
        type = types.nullOr types.str;
        internal = true;
      };
      labels = mkOption {
        type = types.attrsOf types.str;
        internal = true;
      };
    };
  };

  config.homelab = {
    deploy.enable = weakest false;
    host = {
      tier = weakest "prod";
      priority = weakest "high";
      role = weakest null;
      labels = weakest { };
    };
  };
}
