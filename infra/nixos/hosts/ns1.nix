# A name server, which also carries NATS, and rolls out what nix-cache01 has built. Not on nix-cache01 itself: whoever gets
# hold of the machine that builds should not get the key that orders as well.
{ ... }:
{
  imports = [ ../../nats/nats.nix ];

  homelab.host = {
    tier = "prod";
    priority = "high";
    role = "dns";
  };

  services.homelab-deploy.listener = {
    # Deployed after the others, by itself.
    serves = [
      "dns"
      "nats"
      "deployer"
    ];
    healthChecks.nats.tcp = "127.0.0.1:4222";
  };

  services.homelab-deploy.deployer = {
    enable = true;
    nats = {
      servers = [ "tls://nats.lan:4222" ];
      nkeyFile = "/run/secrets/homelab-deploy/deployer.nk";
      # As infra/nats/users.nix calls it.
      inboxPrefix = "_INBOX_deployer-ns1";
    };
    # Its public half is trustedKeys.deployer in common.nix.
    keyFile = "/run/secrets/homelab-deploy/deployer.key";
    rollouts.nixos-servers = {
      # Once you trust it: what was built and cached reaches every host by itself.
      automatic = false;
      # web01 has wave 0, and everything else waits until it has been well for so long.
      soakSeconds = 600;
      gates = [
        {
          kind = "http";
          name = "front page";
          url = "https://www.example.org/";
        }
      ];
    };
    metrics = {
      enable = true;
      address = "[::]";
      openFirewall = true;
    };
  };
}
