# services.homelab-deploy.builder: the daemon that builds.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkIf mkOption types;
  cfg = config.services.homelab-deploy.builder;
  common = import ./settings.nix { inherit lib pkgs; };
  metrics = import ./metrics.nix {
    inherit lib;
    port = 9480;
  };
  option = "services.homelab-deploy.builder";

  settings = lib.recursiveUpdate {
    nats.inboxPrefix = "_INBOX_builder-${cfg.settings.builder.name}";
  } cfg.settings;
  stateDirectory = settings.builder.stateDirectory;
  configFile = common.settingsFile {
    name = "homelab-deploy-builder.json";
    role = "builder";
    inherit (cfg) package;
    inherit settings;
  };
  execStart = "${lib.getExe cfg.package} --config ${configFile} builder";
  # root's own files in the builder's directories would keep the builder out of them. What is kept there between
  # calls is apart from what the daemon keeps, except for the GC roots.
  byHand = pkgs.writeShellScriptBin "homelab-deploy-builder" ''
    export HOMELAB_DEPLOY_CONFIG=${configFile}
    export CREDENTIALS_DIRECTORY=/run/credentials/homelab-deploy-builder.service
    export XDG_STATE_HOME=${stateDirectory}/by-hand
    exec ${pkgs.util-linux}/bin/runuser --user homelab-deploy -- ${lib.getExe cfg.package} "$@"
  '';
in
{
  options.services.homelab-deploy.builder = {
    enable = lib.mkEnableOption "the builder of homelab-deploy, which builds hosts for whoever asks over NATS";

    package = mkOption {
      type = types.package;
      default = config.services.homelab-deploy.package;
      defaultText = lib.literalExpression "config.services.homelab-deploy.package";
      description = "The package of the builder.";
    };

    settings = common.settingsOption {
      repos.nixos-servers = {
        url = "https://git.lan/infra/nixos-servers.git";
        credentials = {
          username = "builder";
          tokenFile = "/run/secrets/git-token";
        };
      };
      # For private inputs of its flake.
      inputs.credentials."git.lan" = {
        username = "builder";
        tokenFile = "/run/secrets/git-token";
      };
      builder.build.timeoutSeconds = 14400;
    };

    nats = common.natsOptions "builder" "_INBOX_builder-<builder.name>";

    credentials = common.credentialsOption;

    metrics = metrics.options;

    restartWhenIdle = mkOption {
      type = types.bool;
      default = true;
      description = ''
        A switch never stops a running builder. With this option, an outdated builder restarts as soon as it is idle. Without
        it, it restarts at the next `systemctl restart homelab-deploy-builder` or boot.
      '';
    };
  };

  config = mkIf cfg.enable {
    assertions =
      common.natsAssertions option cfg.nats
      ++ common.settingsAssertions option settings
      ++ metrics.assertionsOf option cfg.metrics
      ++ [
        (common.nixAssertion config option)
        (common.trustAssertion config "homelab-deploy")
        {
          assertion = settings.repos or { } != { };
          message = "${option}.settings.repos is empty: a builder needs at least one repo, such as settings.repos.nixos-servers.url = \"https://…\".";
        }
        {
          assertion = lib.hasPrefix "/var/lib/" stateDirectory;
          message = "${option}.settings.builder.stateDirectory must be below /var/lib, which is all that the service can write to, and is ${stateDirectory}.";
        }
      ];

    services.homelab-deploy.builder.settings = {
      nats = common.natsSettings cfg.nats;
      # What NATS permissions allow in a name; the program itself does the same.
      builder.name = lib.mkDefault (
        lib.concatMapStrings (char: if builtins.match "[A-Za-z0-9_-]" char == null then "-" else char) (
          lib.stringToCharacters config.networking.hostName
        )
      );
      builder.stateDirectory = lib.mkDefault "/var/lib/homelab-deploy";
      metrics = mkIf cfg.metrics.enable { listen = metrics.listenOf cfg.metrics; };
    };

    environment.systemPackages = [
      cfg.package
      byHand
    ];

    users.users.homelab-deploy = {
      isSystemUser = true;
      group = "homelab-deploy";
      description = "Builder of homelab-deploy";
    };
    users.groups.homelab-deploy = { };

    # May use the daemon. Not trusted-users: whoever is trusted by the daemon is root.
    nix.settings.extra-allowed-users = [ "homelab-deploy" ];

    networking.firewall.allowedTCPPorts = lib.optional cfg.metrics.openFirewall cfg.metrics.port;

    systemd.services.homelab-deploy-builder = {
      description = "Builder of homelab-deploy";
      documentation = [ "man:homelab-deploy(1)" ];
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [
        "network-online.target"
        "nix-daemon.socket"
      ];
      # A switch would otherwise end builds that run.
      restartIfChanged = false;
      path = [
        config.nix.package
        pkgs.git
        pkgs.openssh
        pkgs.util-linux # flock, prlimit
      ];
      environment = common.serviceEnvironment config;
      # Builds wait as long as NATS is away; giving up would need a person to start it again.
      unitConfig.StartLimitIntervalSec = 0;
      serviceConfig = import ./builder-service.nix {
        inherit execStart;
        loadCredential = common.loadCredential settings cfg.credentials;
        stateDirectory = lib.removePrefix "/var/lib/" stateDirectory;
        stopSeconds = settings.builder.stopSeconds or 15;
      };
    };

    systemd.services.homelab-deploy-builder-renewal = mkIf cfg.restartWhenIdle {
      description = "Restart of an outdated builder, as soon as it is idle";
      wantedBy = [ "multi-user.target" ];
      after = [ "homelab-deploy-builder.service" ];
      # Started again by every switch that changes the builder.
      restartTriggers = [ execStart ];
      path = [ config.systemd.package or pkgs.systemd ];
      environment.WANTED = execStart;
      serviceConfig = {
        # Not oneshot: a switch would wait for it, and so for the builds.
        Type = "exec";
        ExecStart = "${pkgs.runtimeShell} ${./restart-when-idle.sh}";
        RemainAfterExit = true;
        Restart = "on-failure";
        RestartSec = "1min";
        # It speaks with systemd, as root, and with nobody else.
        CapabilityBoundingSet = "";
        NoNewPrivileges = true;
        PrivateNetwork = true;
        PrivateTmp = true;
        ProtectHome = true;
        ProtectSystem = "strict";
        RestrictAddressFamilies = [ "AF_UNIX" ];
      };
    };
  };
}
