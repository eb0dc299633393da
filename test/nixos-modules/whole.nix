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
    dashboard = {
      enable = true;
      publicUrl = "https://deploy.lan";
      nats = {
        servers = [ "tls://nats.lan:4222" ];
        nkeyFile = "/run/secrets/dashboard.nk";
      };
      auth = {
        mode = "proxy";
        trustedProxies = [ "127.0.0.1" ];
        proxySecretFile = "/run/secrets/dashboard-proxy";
      };
      logs = "login";
    };
    deployer = {
      enable = true;
      nats = {
        servers = [ "tls://nats.lan:4222" ];
        nkeyFile = "/run/secrets/deployer.nk";
      };
      keyFile = "/run/secrets/deployer.key";
      publicKey = "ADGQUQ47HWOBD7OQHMYOXBRARBH7VUTAF7DZJDPS3NG3HM3GU26SOPCF";
      metrics.enable = true;
      rollouts.nixos-servers = {
        automatic = true;
        allowedSigners = "/etc/homelab-deploy/allowed-signers";
        waves = [
          {
            name = "canary";
            wave = 0;
          }
          {
            name = "rest";
            manual = true;
          }
        ];
        gates = [
          {
            kind = "prometheus";
            name = "errors";
            url = "http://prometheus.lan:9090";
            query = "sum(rate(errors_total[5m])) < bool 1";
          }
        ];
        windows = [
          {
            days = [ "sun" ];
            start = "02:00";
            minutes = 120;
            zone = "Europe/Berlin";
          }
        ];
        reboots = "in-window";
      };
      settings = {
        deployer.notify.ntfyFile = "/run/secrets/ntfy-topic";
        repos.nixos-servers = {
          url = "ssh://git@git.lan/nixos-servers.git";
          credentials.sshKeyFile = "/run/secrets/deployer-git";
        };
      };
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
