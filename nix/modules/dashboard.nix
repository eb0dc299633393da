# services.homelab-deploy.dashboard: the pages.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkIf mkOption types;
  cfg = config.services.homelab-deploy.dashboard;
  common = import ./settings.nix { inherit lib pkgs; };
  option = "services.homelab-deploy.dashboard";

  settings = lib.recursiveUpdate { nats.inboxPrefix = "_INBOX_dashboard"; } cfg.settings;
  configFile = common.settingsFile {
    name = "homelab-deploy-dashboard.json";
    role = "client";
    inherit (cfg) package;
    inherit settings;
  };
  isLoopback = builtins.match "(127\\.[0-9.]+|localhost|\\[::1]):[0-9]+" cfg.listen != null;
  port = lib.toInt (lib.last (lib.splitString ":" cfg.listen));
  link =
    what:
    mkOption {
      type = types.nullOr types.str;
      default = null;
      description = what;
    };
in
{
  options.services.homelab-deploy.dashboard = {
    enable = lib.mkEnableOption "the dashboard of homelab-deploy, which shows the fleet, builds and logs in a browser";

    package = mkOption {
      type = types.package;
      default = config.services.homelab-deploy.package;
      defaultText = lib.literalExpression "config.services.homelab-deploy.package";
      description = "The package of the dashboard.";
    };

    listen = mkOption {
      type = types.str;
      default = "127.0.0.1:9482";
      description = "Address to listen on. Addresses beyond the loopback need `auth.mode` `proxy`.";
    };

    publicUrl = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "https://deploy.lan";
      description = "URL at which people open the dashboard. Its host is added to `allowedHosts`.";
    };

    allowedHosts = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "deploy.lan" ];
      description = "Host names that browsers may use, besides `localhost` and the loopback addresses.";
    };

    nats = common.natsOptions "dashboard" "_INBOX_dashboard";

    auth = {
      mode = mkOption {
        type = types.enum [
          "none"
          "proxy"
        ];
        default = "none";
        description = "`none` shows the pages to everybody who can connect; `proxy` only to a proxy that signs people in.";
      };
      trustedProxies = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "127.0.0.1" ];
        description = "IP addresses of that proxy.";
      };
      proxySecretFile = mkOption {
        type = types.nullOr common.secretPath;
        default = null;
        example = "/run/secrets/dashboard-proxy";
        description = "File with the secret that the proxy sends in `X-Proxy-Secret`.";
      };
    };

    logs = mkOption {
      type = types.enum [
        "everybody"
        "login"
      ];
      default = "everybody";
      description = "Who sees logs, which can contain secrets: everybody who sees the pages, or only users that the proxy names.";
    };

    links = {
      grafana = link "Where the Grafana dashboard is.";
      prometheus = link "Prometheus, such as `http://prometheus.lan:9090`. Health shows the alerts of our rules that it fires.";
      forge = link "The repository's pages; commits link there. Only where all repos are in one.";
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether to open the port in the firewall.";
    };

    settings = common.settingsOption { cache.url = "http://nix-cache.lan:5000"; };

    credentials = common.credentialsOption;
  };

  config = mkIf cfg.enable {
    assertions =
      common.natsAssertions option cfg.nats
      ++ common.settingsAssertions option settings
      ++ [
        {
          assertion = isLoopback || cfg.auth.mode == "proxy";
          message = "${option}.listen is ${cfg.listen}, where everybody could read the pages: listen on 127.0.0.1 behind a reverse proxy, or set ${option}.auth.mode to \"proxy\".";
        }
        {
          assertion = cfg.auth.mode == "proxy" -> cfg.auth.trustedProxies != [ ] && cfg.auth.proxySecretFile != null;
          message = "${option}.auth.mode is \"proxy\": set ${option}.auth.trustedProxies and ${option}.auth.proxySecretFile too.";
        }
        {
          assertion = cfg.openFirewall -> !isLoopback;
          message = "${option}.openFirewall is of no use while ${option}.listen is ${cfg.listen}.";
        }
      ];

    services.homelab-deploy.dashboard.settings = {
      nats = common.natsSettings cfg.nats;
      dashboard = lib.filterAttrs (_: value: value != null && value != [ ] && value != { }) {
        inherit (cfg)
          listen
          publicUrl
          allowedHosts
          logs
          ;
        auth = lib.filterAttrs (_: value: value != null && value != [ ]) cfg.auth;
        links = lib.filterAttrs (_: value: value != null) cfg.links;
      };
    };

    networking.firewall.allowedTCPPorts = lib.optional cfg.openFirewall port;

    systemd.services.homelab-deploy-dashboard = {
      description = "Dashboard of homelab-deploy";
      documentation = [ "man:homelab-deploy(1)" ];
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      environment = removeAttrs (common.serviceEnvironment config) [ "NIX_REMOTE" ];
      # It waits as long as NATS is away.
      unitConfig.StartLimitIntervalSec = 0;
      serviceConfig = import ./dashboard-service.nix {
        execStart = "${lib.getExe cfg.package} --config ${configFile} dashboard";
        loadCredential = common.loadCredential settings cfg.credentials;
      };
    };
  };
}
