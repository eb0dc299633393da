# Every unit's [Service] section with example values, so that tests can have systemd judge them without nixpkgs:
#   nix-instantiate --eval --strict --json nix/modules/units.nix
let
  journalDirectory = "/var/lib/homelab-deploy-host";
  loadCredential = [ "nats.nkeyFile:/run/secrets/nats.nk" ];
in
{
  homelab-deploy-builder = import ./builder-service.nix {
    execStart = "/bin/true --config /etc/homelab-deploy.json builder";
    inherit loadCredential;
    stateDirectory = "homelab-deploy";
    stopSeconds = 15;
  };
  homelab-deploy-update = import ./update-service.nix {
    execStart = "/bin/true --config /etc/homelab-deploy.json update";
    inherit loadCredential;
    stateDirectory = "homelab-deploy-update/nixos-servers";
  };
  homelab-deploy-dashboard = import ./dashboard-service.nix {
    execStart = "/bin/true --config /etc/homelab-deploy.json dashboard";
    inherit loadCredential;
  };
  homelab-deploy-deployer = import ./deployer-service.nix {
    execStart = "/bin/true --config /etc/homelab-deploy.json deployer";
    inherit loadCredential;
  };
  homelab-deploy-cache-key = import ./cache-key-service.nix {
    execStart = "/bin/true";
    loadCredential = [ ];
    stateDirectory = "homelab-deploy-cache";
  };
  homelab-deploy-listener = import ./listener-service.nix {
    execStart = "/bin/true --config /etc/homelab-deploy.json listener";
    inherit loadCredential;
  };
  "homelab-deploy-activate@" = import ./answer-service.nix {
    execStart = "/bin/true host answer --peer %i";
    inherit journalDirectory;
  };
  homelab-deploy-recover = import ./recover-service.nix {
    execStart = "/bin/true host recover --boot";
    inherit journalDirectory;
  };
}
