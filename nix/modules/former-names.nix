# Names under which earlier versions of homelab-deploy had the builder's options, so that a configuration goes on
# evaluating.
{ lib, ... }:
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
}
