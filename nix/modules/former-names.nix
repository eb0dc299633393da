# Names under which earlier versions of homelab-deploy had their options, so that a configuration goes on evaluating.
{
  config,
  lib,
  options,
  ...
}:
let
  cfg = config.services.homelab-deploy;
  isDeployed = (options ? homelab && options.homelab ? deploy) && config.homelab.deploy.enable;
in
{
  imports = [
    (lib.mkRenamedOptionModule
      [ "services" "homelab-deploy" "builder" "nkeyFile" ]
      [ "services" "homelab-deploy" "builder" "nats" "nkeyFile" ]
    )
    (lib.mkChangedOptionModule
      [ "services" "homelab-deploy" "builder" "natsUrl" ]
      [ "services" "homelab-deploy" "builder" "nats" "servers" ]
      (config: [ config.services.homelab-deploy.builder.natsUrl ])
    )
  ];

  options.services.homelab-deploy.listener = lib.mkOption {
    type = lib.types.submodule {
      freeformType = lib.types.attrsOf lib.types.anything;
      options.enable = lib.mkOption {
        type = lib.types.bool;
        default = false;
        internal = true;
      };
    };
    default = { };
    internal = true;
  };

  config.warnings = lib.optional (cfg.listener.enable || isDeployed) (
    "This version of homelab-deploy has no listener: ${
      if cfg.listener.enable then "services.homelab-deploy.listener" else "homelab.deploy.enable"
    } is accepted and does nothing, and this host is activated as before it had one, for example by nixos-rebuild."
  );
}
