# services.homelab-deploy.cacheHost: the machine that builds also serves what it built.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  inherit (lib) mkIf mkOption types;
  cfg = config.services.homelab-deploy.cacheHost;
  common = import ./settings.nix { inherit lib pkgs; };
  option = "services.homelab-deploy.cacheHost";

  keyDirectory = "/var/lib/homelab-deploy-cache";
  isMadeHere = cfg.signKeyFile == null;
  signKeyFile = if isMadeHere then "${keyDirectory}/signing-key" else cfg.signKeyFile;
  bind = "${cfg.listenAddress}:${toString cfg.port}";
  gibibyte = 1024 * 1024 * 1024;

  # Stronger than the defaults of Harmonia's module, weaker than what an operator writes.
  ours = lib.mkOverride 900;
  harmoniaOptions = options.services.harmonia or { };
  hasHarmonia = harmoniaOptions != { };
  # nixpkgs 26.05 has services.harmonia.cache.*, and the flat names as aliases; before there are only the flat ones,
  # and before 24.11 one key only.
  isNested = harmoniaOptions ? cache;
  names = if isNested then harmoniaOptions.cache else harmoniaOptions;
  harmonia = if isNested then config.services.harmonia.cache else config.services.harmonia;
  harmoniaPath = if isNested then "services.harmonia.cache" else "services.harmonia";
  harmoniaSettings = {
    enable = true;
    settings = {
      bind = ours bind;
      priority = ours cfg.priority;
    };
  }
  // (if names ? signKeyPaths then { signKeyPaths = [ signKeyFile ]; } else { signKeyPath = signKeyFile; });

  # What an operator wrote himself wins over ours, so what would then be half true is refused.
  agree = key: value: what: {
    assertion = harmonia.settings.${key} or value == value;
    message = "${harmoniaPath}.settings.${key} is ${
      toString (harmonia.settings.${key} or value)
    }, but it follows from ${what} here, which makes it ${toString value}: leave it out, and set ${what}.";
  };
in
{
  options.services.homelab-deploy.cacheHost = {
    enable = lib.mkEnableOption "the role of a build host: it serves its store as a signed binary cache, keeps room in it, and can run CI jobs";

    listenAddress = mkOption {
      type = types.str;
      default = "[::]";
      example = "127.0.0.1";
      description = "Address on which Harmonia listens. Use the loopback behind a reverse proxy with TLS.";
    };
    port = mkOption {
      type = types.port;
      default = 5000;
      description = "The port of the cache.";
    };
    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether to open the port in the firewall.";
    };
    priority = mkOption {
      type = types.ints.positive;
      default = 30;
      description = "Priority of the cache. Lower numbers are tried first; cache.nixos.org has 40.";
    };

    signKeyFile = mkOption {
      type = types.nullOr common.secretPath;
      default = null;
      example = "/run/secrets/cache-signing-key";
      description = ''
        File with the secret key that signs what is served. If it is not set, a key is created at the first boot in
        `/var/lib/homelab-deploy-cache`. Back that key up: a reinstalled machine creates another one, which no host trusts.
        In both cases the public key is in the journal of `homelab-deploy-cache-key`, above the login prompt of the console,
        and in `/var/lib/homelab-deploy-cache/public-key`.
      '';
    };
    keyName = mkOption {
      type = types.strMatching "[A-Za-z0-9.-]+-[0-9]+";
      default = "${config.networking.hostName}-1";
      defaultText = lib.literalExpression "\"\${config.networking.hostName}-1\"";
      description = "Name of the key that is created on this host. A new key needs a new name.";
    };

    store = {
      device = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "/dev/disk/by-label/nixstore";
        description = ''
          The volume for `/nix`, preferably a separate disk. If it is not set, nothing is mounted. Move an existing store there
          first, as docs/guides/nixos.md explains.
        '';
      };
      fsType = mkOption {
        type = types.str;
        default = "xfs";
        description = "File system of the volume. XFS does not run out of inodes, and can grow while mounted.";
      };
      minFreeGiB = mkOption {
        type = types.ints.unsigned;
        default = 20;
        description = ''
          If less than this is free, Nix collects garbage during builds, until twice as much is free. 0 turns it off. This is an
          emergency brake: normally the builder's retention of commits keeps the store small.
        '';
      };
    };

    gc = {
      enable = mkOption {
        type = types.bool;
        default = true;
        description = "Whether to collect garbage regularly. GC roots protect what the builder keeps.";
      };
      dates = mkOption {
        type = types.str;
        default = "Sat 04:30";
        description = "Schedule, in the format of systemd.time(7).";
      };
      options = mkOption {
        type = types.str;
        default = "--delete-older-than 30d";
        description = "Options for `nix-collect-garbage`. The default also removes old generations of this host.";
      };
    };

    runner = {
      enable = lib.mkEnableOption "a runner of Gitea Actions, whose jobs run on this host as a user without rights";
      url = mkOption {
        type = types.str;
        example = "https://git.lan";
        description = "URL of Gitea.";
      };
      tokenFile = mkOption {
        type = common.secretPath;
        example = "/run/secrets/gitea-runner-token";
        description = "File with the registration token, as `TOKEN=…`.";
      };
      name = mkOption {
        type = types.str;
        default = config.networking.hostName;
        defaultText = lib.literalExpression "config.networking.hostName";
        description = "Name of the runner in Gitea.";
      };
      labels = mkOption {
        type = types.nonEmptyListOf (types.strMatching "[A-Za-z0-9_.-]+:host");
        default = [ "nix-builder:host" ];
        description = "Labels of the runner. In `runs-on`, workflows use one of them without `:host`.";
      };
    };
  };

  config = mkIf cfg.enable (
    lib.mkMerge [
      {
        assertions = [
          {
            assertion = hasHarmonia;
            message = "${option} needs the NixOS module of Harmonia, services.harmonia, which this nixpkgs does not have: use NixOS 23.11 or newer.";
          }
          {
            assertion = cfg.openFirewall -> !(lib.hasPrefix "127." cfg.listenAddress || lib.hasPrefix "[::1]" cfg.listenAddress);
            message = "${option}.openFirewall is of no use while ${option}.listenAddress is ${cfg.listenAddress}.";
          }
        ]
        ++ lib.optionals hasHarmonia [
          (agree "bind" bind "${option}.listenAddress and .port")
          (agree "priority" cfg.priority "${option}.priority")
        ];

        networking.firewall.allowedTCPPorts = lib.optional cfg.openFirewall cfg.port;

        systemd.services.homelab-deploy-cache-key = {
          description = "Signing key of the binary cache";
          wantedBy = [ "multi-user.target" ];
          requiredBy = [ "harmonia.service" ];
          before = [
            "harmonia.service"
            "systemd-user-sessions.service"
          ];
          path = [ config.nix.package ];
          environment = lib.optionalAttrs isMadeHere { KEY_NAME = cfg.keyName; };
          serviceConfig = import ./cache-key-service.nix {
            execStart = "${pkgs.runtimeShell} ${./cache-key.sh}";
            loadCredential = lib.optional (!isMadeHere) "signing-key:${signKeyFile}";
            stateDirectory = "homelab-deploy-cache";
          };
        };

        nix.gc = mkIf cfg.gc.enable {
          automatic = true;
          dates = lib.mkDefault cfg.gc.dates;
          options = lib.mkDefault cfg.gc.options;
          persistent = lib.mkDefault true;
        };
        nix.optimise.automatic = lib.mkDefault true;
        nix.settings = {
          # While it builds it would slow every build down.
          auto-optimise-store = lib.mkDefault false;
          # Whoever is trusted by the daemon is root: that must not be a job or a service.
          trusted-users = lib.mkDefault [ "root" ];
        }
        // lib.optionalAttrs (cfg.store.minFreeGiB > 0) {
          min-free = lib.mkDefault (cfg.store.minFreeGiB * gibibyte);
          max-free = lib.mkDefault (2 * cfg.store.minFreeGiB * gibibyte);
        };

        homelab.host.role = lib.mkDefault "build-host";
      }

      (mkIf (cfg.store.device != null) {
        fileSystems."/nix" = {
          inherit (cfg.store) device fsType;
          neededForBoot = true;
          options = [ "noatime" ];
        };
      })

      (lib.optionalAttrs hasHarmonia {
        services.harmonia = if isNested then { cache = harmoniaSettings; } else harmoniaSettings;
      })

      (mkIf cfg.runner.enable {
        # The user that its module makes up.
        nix.settings.extra-allowed-users = [ "gitea-runner" ];
        services.gitea-actions-runner.instances.homelab-deploy = {
          enable = true;
          inherit (cfg.runner)
            name
            url
            tokenFile
            labels
            ;
          settings.runner.capacity = lib.mkDefault 1;
          hostPackages = [
            pkgs.bash
            pkgs.coreutils
            pkgs.gitMinimal
            config.nix.package
            config.services.homelab-deploy.package
          ];
        };
      })
    ]
  );
}
