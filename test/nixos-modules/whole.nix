# Everything at once: a machine that builds, updates and serves.
{ ... }:
let
  repo = {
    url = "https://git.lan/infra/nixos-servers.git";
    credentials = {
      username = "bot";
      tokenFile = "/run/secrets/git-token";
    };
  };
in
{
  services.homelab-deploy = {
    builder = {
      enable = true;
      nats = {
        servers = [ "tls://nats.lan:4222" ];
        nkeyFile = "/run/secrets/builder.nk";
        tls.caFile = "/etc/ssl/internal.pem";
      };
      metrics = {
        enable = true;
        address = "::";
        openFirewall = true;
      };
      credentials.deploy-key = "/run/secrets/deploy-key";
      settings = {
        repos.nixos-servers = repo;
        repos.nixos = {
          url = "ssh://git@git.lan/me/nixos.git";
          credentials.sshKeyFile = "$CREDENTIALS_DIRECTORY/deploy-key";
        };
        inputs.credentials."git.lan:8443" = {
          username = "bot";
          tokenFile = "/run/secrets/input-token";
        };
        builder.stopSeconds = 20;
      };
    };
    update = {
      enable = true;
      nats = {
        servers = [ "tls://nats.lan:4222" ];
        nkeyFile = "/run/secrets/update.nk";
      };
      settings = {
        repos.nixos-servers = repo // {
          update.forge = {
            url = "https://git.lan";
            owner = "infra";
            repository = "nixos-servers";
            tokenFile = "/run/secrets/forge-token";
          };
        };
        repos.nixos.url = "https://git.lan/me/nixos.git";
        update.webhookFile = "/run/secrets/webhook";
      };
      repos.nixos.startAt = "Sat 04:00";
    };
    cacheHost = {
      enable = true;
      openFirewall = true;
      store.device = "/dev/disk/by-label/nixstore";
      runner = {
        enable = true;
        url = "https://git.lan";
        tokenFile = "/run/secrets/runner-token";
      };
    };
  };
}
