# One node of three, with a user of each role.
{ ... }:
{
  networking.hostName = "nats1";
  services.homelab-deploy.natsServer = {
    enable = true;
    listen = "[::]:4222";
    openFirewall = true;
    users = import ../../infra/nats/users.nix;
    maxStoreGiB = 20;
    domain = "hub";
    monitoring = "127.0.0.1:8222";
    tls = {
      certFile = "/run/secrets/nats1.pem";
      keyFile = "/run/secrets/nats1.key";
      caFile = "/etc/ssl/cluster-ca.pem";
    };
    cluster = {
      name = "homelab";
      listen = "10.0.0.1:6222";
      routes = [
        "nats1.lan:6222"
        "nats2.lan:6222"
        "nats3.lan:6222"
      ];
      advertise = "nats1.lan";
    };
  };
}
