# NixOS: nats-server with the configuration that `homelab-deploy nats config` prints, made again whenever users.nix changes.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  credentials = "/run/credentials/nats.service";
  arguments = import ./arguments.nix {
    users = import ./users.nix;
    listen = "[::]:4222";
    store = "/var/lib/nats/jetstream";
    maxStoreGiB = 10;
    serverVersion = pkgs.nats-server.version;
    tls = {
      cert = "${credentials}/cert.pem";
      key = "${credentials}/key.pem";
    };
  };
  configFile = pkgs.runCommand "nats.conf" { preferLocalBuild = true; } ''
    ${lib.getExe config.services.homelab-deploy.package} nats config ${lib.escapeShellArgs arguments} > $out
  '';
in
{
  services.nats = {
    enable = true;
    jetstream = true;
  };

  systemd.services.nats = {
    # The certificate that security.acme keeps for this name.
    wants = [ "acme-nats.lan.service" ];
    after = [ "acme-nats.lan.service" ];
    serviceConfig = {
      # The module's own file comes from its `settings`, which cannot say all of this.
      ExecStart = lib.mkForce "${pkgs.nats-server}/bin/nats-server -c ${configFile}";
      LoadCredential = [
        "cert.pem:/var/lib/acme/nats.lan/fullchain.pem"
        "key.pem:/var/lib/acme/nats.lan/key.pem"
      ];
    };
  };

  networking.firewall.allowedTCPPorts = [ 4222 ];
}
