# Every unit's [Service] section with example values, so that tests can have systemd judge them without nixpkgs:
#   nix-instantiate --eval --strict --json nix/modules/units.nix
let
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
  homelab-deploy-cache-key = import ./cache-key-service.nix {
    execStart = "/bin/true";
    loadCredential = [ ];
    stateDirectory = "homelab-deploy-cache";
  };
}
