# A name server, which also carries NATS.
{ ... }:
{
  imports = [ ../../nats/nats.nix ];

  homelab.host = {
    tier = "prod";
    priority = "high";
    role = "dns";
  };
}
