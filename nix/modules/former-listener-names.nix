# Options of the archived tool's listener: those that have a successor go on working, the others say what took their place.
{ lib, ... }:
let
  listener = name: [
    "services"
    "homelab-deploy"
    "listener"
    name
  ];
  removed = name: instead: lib.mkRemovedOptionModule (listener name) instead;
in
{
  imports = [
    (lib.mkRenamedOptionModule (listener "nkeyFile") (
      listener "nats"
      ++ [ "nkeyFile" ]
    ))
    (lib.mkChangedOptionModule (listener "natsUrl") (listener "nats" ++ [ "servers" ]) (config: [
      config.services.homelab-deploy.listener.natsUrl
    ]))
    (lib.mkRenamedOptionModule (listener "hostname") (listener "host"))
    (removed "tier" "Set homelab.host.tier.")
    (removed "role" "Set homelab.host.role.")
    (removed "flakeUrl" "A host no longer builds: it activates what the builder built. Name the repo in services.homelab-deploy.listener.repo.")
    (removed "timeout" "There are services.homelab-deploy.listener.timeouts.fetch and .activate.")
    (removed "deploySubjects" "Orders come to each host on a subject of its own.")
    (removed "discoverSubject" "`homelab-deploy hosts` shows what every host says of itself.")
    (removed "heartbeatInterval" "A host speaks every minute.")
    (removed "extraArgs" "Every setting is an option now.")
  ];
}
