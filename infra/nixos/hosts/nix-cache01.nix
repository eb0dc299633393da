# The machine that builds every host, serves what it built, and updates the flakes' inputs once a week.
{ ... }:
let
  nats = {
    servers = [ "tls://nats.lan:4222" ];
  };
  # The paths of sops-nix; agenix has /run/agenix/…, and Vault's agent writes where its template says.
  secret = name: "/run/secrets/homelab-deploy/${name}";
  repository = name: credentials: {
    url = "https://git.lan/infra/${name}.git";
    inherit credentials;
  };
in
{
  homelab.host = {
    tier = "prod";
    priority = "high";
  };

  services.homelab-deploy = {
    builder = {
      enable = true;
      nats = nats // {
        nkeyFile = secret "builder.nk";
      };
      metrics = {
        enable = true;
        address = "[::]";
        openFirewall = true;
      };
      settings = {
        repos.nixos-servers = repository "nixos-servers" {
          username = "builder";
          tokenFile = secret "read-token";
        };
        cache = {
          url = "http://nix-cache01.lan:5000";
          publicKeys = [ "nix-cache01-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" ];
          # Off until the key above is the one that this machine told at its first boot.
          verifyBuilds = false;
        };
        # Then also, so that hosts believe what it built: see trustedBuilders in common.nix.
        # builder.statementKeyFile = secret "statement.key";
      };
    };

    update = {
      enable = true;
      nats = nats // {
        nkeyFile = secret "update.nk";
      };
      settings = {
        repos.nixos-servers =
          repository "nixos-servers" {
            username = "update-bot";
            tokenFile = secret "forge-token";
          }
          // {
            update = {
              forge = {
                kind = "gitea";
                url = "https://git.lan";
                owner = "infra";
                repository = "nixos-servers";
                tokenFile = secret "forge-token";
              };
              identity = {
                name = "update-bot";
                email = "update-bot@git.lan";
              };
            };
          };
      };
    };

    listener.serves = [
      "builder"
      "cache"
    ];

    cacheHost = {
      enable = true;
      openFirewall = true;
      store.device = "/dev/disk/by-label/nixstore";
      runner = {
        enable = true;
        url = "https://git.lan";
        tokenFile = secret "runner-token";
      };
    };
  };
}
