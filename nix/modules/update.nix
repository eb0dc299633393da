# services.homelab-deploy.update: the safe update of flake inputs, with a timer for each repo.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkIf mkOption types;
  cfg = config.services.homelab-deploy.update;
  common = import ./settings.nix { inherit lib pkgs; };
  option = "services.homelab-deploy.update";

  settings = lib.recursiveUpdate { nats.inboxPrefix = "_INBOX_updater-timer"; } cfg.settings;
  repos = settings.repos or { };
  scheduleOf = name: cfg.repos.${name} or { inherit (cfg) startAt randomizedDelay; };

  # Each repo's service gets a file with that repo alone, and only its secrets.
  settingsOf = name: settings // { repos = lib.getAttrs [ name ] repos; };

  startAt =
    default: extra:
    mkOption (
      {
        type = types.str;
        inherit default;
        example = "Sat 04:00 Europe/Oslo";
        description = "When, as systemd.time(7) has it. A run that was missed while the machine was off follows at its next start.";
      }
      // extra
    );
  randomizedDelay =
    default: extra:
    mkOption (
      {
        type = types.str;
        inherit default;
        description = "By how much it is put off at most, at random, so that not all begin at once.";
      }
      // extra
    );
in
{
  options.services.homelab-deploy.update = {
    enable = lib.mkEnableOption "the safe update of flake inputs: what builds on every host lands, the rest is proposed";

    package = mkOption {
      type = types.package;
      default = config.services.homelab-deploy.package;
      defaultText = lib.literalExpression "config.services.homelab-deploy.package";
      description = "The package of the update.";
    };

    settings = common.settingsOption {
      repos.nixos-servers = {
        url = "https://git.lan/infra/nixos-servers.git";
        credentials = {
          username = "update-bot";
          tokenFile = "/run/secrets/forge-token";
        };
        update.forge = {
          url = "https://git.lan";
          owner = "infra";
          repository = "nixos-servers";
          tokenFile = "/run/secrets/forge-token";
        };
      };
    };

    nats = common.natsOptions "updater" "_INBOX_updater-timer";

    credentials = common.credentialsOption;

    builds = mkOption {
      type = types.enum [
        "nats"
        "local"
      ];
      default = "nats";
      description = "Who builds: a builder, asked over NATS, or the update itself on this machine.";
    };

    startAt = startAt "Sun 02:00" { };
    randomizedDelay = randomizedDelay "15min" { };

    repos = mkOption {
      type = types.attrsOf (
        types.submodule {
          options = {
            startAt = startAt cfg.startAt { defaultText = lib.literalExpression "config.${option}.startAt"; };
            randomizedDelay = randomizedDelay cfg.randomizedDelay {
              defaultText = lib.literalExpression "config.${option}.randomizedDelay";
            };
          };
        }
      );
      default = { };
      example = {
        nixos-servers.startAt = "Sat 04:00";
      };
      description = "Other times for single repos of `settings.repos`. Every repo there has a timer, also without an entry here.";
    };
  };

  config = mkIf cfg.enable {
    assertions =
      lib.optionals (cfg.builds == "nats") (common.natsAssertions option cfg.nats)
      ++ common.settingsAssertions option settings
      ++ [
        (common.nixAssertion config option)
        (common.trustAssertion config "homelab-deploy-update")
        {
          assertion = repos != { };
          message = "${option}.settings.repos is empty: there is nothing to update.";
        }
        {
          assertion = settings.update.stateDirectory or null == null;
          message = "${option}.settings.update.stateDirectory cannot be set: systemd gives each repo's service its own, /var/lib/homelab-deploy-update/<repo>.";
        }
      ]
      ++ map (name: {
        assertion = repos ? ${name};
        message = "${option}.repos.${name} has times for a repo that is not in ${option}.settings.repos; there are: ${lib.concatStringsSep ", " (lib.attrNames repos)}.";
      }) (lib.attrNames cfg.repos);

    services.homelab-deploy.update.settings.nats = common.natsSettings cfg.nats;

    environment.systemPackages = [ cfg.package ];

    users.users.homelab-deploy-update = {
      isSystemUser = true;
      group = "homelab-deploy-update";
      description = "Update of homelab-deploy";
    };
    users.groups.homelab-deploy-update = { };

    # May use the daemon. Not trusted-users: whoever is trusted by the daemon is root.
    nix.settings.extra-allowed-users = [ "homelab-deploy-update" ];

    systemd.services = lib.mapAttrs' (
      name: _:
      let
        alone = settingsOf name;
        configFile = common.settingsFile {
          name = "homelab-deploy-update-${name}.json";
          role = "client";
          inherit (cfg) package;
          settings = alone;
        };
      in
      lib.nameValuePair "homelab-deploy-update-${name}" {
        description = "Safe update of the flake inputs of ${name}";
        documentation = [ "man:homelab-deploy(1)" ];
        wants = [ "network-online.target" ];
        after = [
          "network-online.target"
          "nix-daemon.socket"
        ];
        # A switch does not end a run; the next one has the new configuration.
        restartIfChanged = false;
        path = [
          config.nix.package
          pkgs.git
          pkgs.openssh
          pkgs.util-linux # flock, prlimit
        ];
        environment = common.serviceEnvironment config;
        # With Restart=: at most six tries a day.
        unitConfig = {
          StartLimitIntervalSec = "1d";
          StartLimitBurst = 6;
        };
        serviceConfig = import ./update-service.nix {
          execStart = lib.concatStringsSep " " (
            [
              "${lib.getExe cfg.package} --config ${configFile} update --repo ${name} --proposal-succeeds"
            ]
            ++ lib.optional (cfg.builds == "local") "--builds local"
          );
          loadCredential = common.loadCredential alone cfg.credentials;
          stateDirectory = "homelab-deploy-update/${name}";
        };
      }
    ) repos;

    systemd.timers = lib.mapAttrs' (
      name: _:
      let
        schedule = scheduleOf name;
      in
      lib.nameValuePair "homelab-deploy-update-${name}" {
        description = "Time of the update of ${name}";
        wantedBy = [ "timers.target" ];
        timerConfig = {
          OnCalendar = schedule.startAt;
          RandomizedDelaySec = schedule.randomizedDelay;
          Persistent = true;
        };
      }
    ) repos;
  };
}
