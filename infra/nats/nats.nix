# NixOS: nats-server with the configuration that `homelab-deploy nats config` prints, made again whenever users.nix changes.
{ ... }:
let
  certificates = "/var/lib/acme/nats.lan";
in
{
  services.homelab-deploy.natsServer = {
    enable = true;
    listen = "[::]:4222";
    openFirewall = true;
    users = import ./users.nix;
    tls = {
      certFile = "${certificates}/fullchain.pem";
      keyFile = "${certificates}/key.pem";
    };
  };

  # The certificate that security.acme keeps for this name.
  systemd.services.nats = {
    wants = [ "acme-nats.lan.service" ];
    after = [ "acme-nats.lan.service" ];
  };
}
