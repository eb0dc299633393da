# services.homelab-deploy.listener: this host is deployed to. It writes what the host obeys into the system, and has a
# listener without rights that hears orders, and an activator that root runs for each message of the listener.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkIf mkOption types;
  cfg = config.services.homelab-deploy.listener;
  common = import ./settings.nix { inherit lib pkgs; };
  policy = import ./host-policy.nix { inherit lib pkgs; };
  metrics = import ./metrics.nix {
    inherit lib;
    port = 9481;
  };
  option = "services.homelab-deploy.listener";
  user = "homelab-deploy-listener";

  # Apart from the builder's directory, whose owner could replace what is in it.
  journalDirectory = "/var/lib/homelab-deploy-host";
  socket = "/run/homelab-deploy/activate.sock";
  program = lib.getExe cfg.package;

  configFile = common.settingsFile {
    name = "homelab-deploy-listener.json";
    role = "client";
    inherit (cfg) package;
    settings = settings;
  };
  settings = {
    nats = common.natsSettings cfg.nats;
  }
  // lib.optionalAttrs cfg.metrics.enable { listener.metrics.listen = metrics.listenOf cfg.metrics; };

  # Without Nix some settings have no value at all, and the assertion about Nix must be reached.
  nixSettings = lib.optionalAttrs (config.nix.enable or true) (config.nix.settings or { });
  # A setting of Nix with its `extra-` half, both of which may be lists or text.
  both =
    name:
    lib.filter (word: word != "") (
      lib.concatMap (lib.splitString " ") (
        lib.toList (nixSettings.${name} or [ ]) ++ lib.toList (nixSettings."extra-${name}" or [ ])
      )
    );
  # Checked by the program that reads it: a host that cannot read whom it obeys is deaf.
  policyFile = common.checkedFile {
    name = "homelab-deploy-host.json";
    inherit (cfg) package;
    check = "host check-policy";
    content = policy.policyOf {
      inherit cfg;
      inherit (config) homelab;
      inherit (cfg) trustedCacheKeys witnesses;
    };
  };

  systemd = config.systemd.package or pkgs.systemd;
  path = [
    config.nix.package
    systemd
    pkgs.util-linux # flock
    pkgs.coreutils
  ];
  # Root uses the store itself, so that a host whose daemon is broken can still be repaired by a deploy.
  rootEnvironment = removeAttrs (common.serviceEnvironment config) [ "NIX_REMOTE" ];
  # A switch that removes a unit, or changes the listener's own host, must not end what carries the switch.
  staysOnRemoval.X-StopOnRemoval = false;

  # The listener of the archived tool, which built on the host what a branch said.
  isFormerListener =
    service:
    let
      words = lib.concatStringsSep " " (map toString (lib.toList (service.serviceConfig.ExecStart or ""))) + (service.script or "");
    in
    lib.hasInfix "homelab-deploy" words && lib.hasInfix "--flake-url" words;
  formerListeners = lib.attrNames (lib.filterAttrs (_: isFormerListener) config.systemd.services);
in
{
  imports = [ ./homelab-names.nix ];

  options.services.homelab-deploy.listener = {
    enable = mkOption {
      type = types.bool;
      default = config.homelab.deploy.enable;
      defaultText = lib.literalExpression "config.homelab.deploy.enable";
      description = "Whether this host is deployed to over NATS.";
    };

    package = mkOption {
      type = types.package;
      default = config.services.homelab-deploy.package;
      defaultText = lib.literalExpression "config.services.homelab-deploy.package";
      description = "The package of the listener and the activator.";
    };

    host = mkOption {
      type = types.str;
      default = config.networking.hostName;
      defaultText = lib.literalExpression "config.networking.hostName";
      description = "The name of this host in `nixosConfigurations`.";
    };

    nats = common.natsOptions "listener" "_INBOX_host-<repo>_<host>" // {
      nkeyFile = mkOption {
        type = types.nullOr common.secretPath;
        default = null;
        example = "/run/secrets/homelab-deploy/listener.nk";
        description = ''
          File with the NKey seed to sign in with (`U…`, never a signing key). If it is not set, the host creates a key at its
          first start, keeps it in its state directory, and prints the public half in its log. Add that to the NATS users to admit
          the host.
        '';
      };
    };

    metrics = metrics.options;

    trustedCacheKeys = mkOption {
      type = types.listOf (types.strMatching "[^:[:space:]]+:[A-Za-z0-9+/=]+");
      default = both "trusted-public-keys";
      defaultText = lib.literalExpression "config.nix.settings.trusted-public-keys";
      description = "Public keys of caches, as in nix.conf. Every path of a closure must be signed with one of them.";
    };

    trustLocalBuilds = mkOption {
      type = types.bool;
      default = config.services.homelab-deploy.builder.enable or false;
      defaultText = lib.literalExpression "config.services.homelab-deploy.builder.enable";
      description = "Whether closures that this machine built itself may be activated without a signature. The builder needs this for its own system.";
    };

    witnesses = mkOption {
      type = types.listOf types.str;
      default = lib.filter (lib.hasPrefix "http") (both "substituters");
      defaultText = lib.literalExpression ''lib.filter (lib.hasPrefix "http") config.nix.settings.substituters'';
      example = [
        "http://nix-cache01.lan:5000"
        "192.168.1.1:443"
      ];
      description = ''
        Addresses (`http…` or `host:port`) that answer while this host's network works. If NATS does not answer after a switch,
        they show whether the host has cut itself off, and must roll back, or NATS is down, and the host waits.
      '';
    };
  }
  // policy.options;

  config = mkIf cfg.enable {
    assertions =
      policy.policyAssertions option cfg
      ++ common.settingsAssertions option settings
      ++ metrics.assertionsOf option cfg.metrics
      ++ [
        (common.nixAssertion config option)
        (common.trustAssertion config user)
        {
          assertion = cfg.nats.servers != [ ];
          message = "${option}.nats.servers is empty: say where NATS is, such as [ \"tls://nats.lan:4222\" ].";
        }
        {
          assertion = cfg.nats.nkeyFile == null || cfg.nats.credentialsFile == null;
          message = "${option}.nats.nkeyFile and ${option}.nats.credentialsFile exclude each other: choose one.";
        }
        {
          assertion = cfg.trustedCacheKeys != [ ];
          message = "${option}.trustedCacheKeys is empty, so nothing that a cache serves would be accepted: add the cache's key to nix.settings.trusted-public-keys.";
        }
        {
          assertion = cfg.migration || !(config.system.autoUpgrade.enable or false);
          message = "system.autoUpgrade.enable and ${option}.enable are both set, and would undo each other's work: keep one of them. To move over step by step, set ${option}.migration = true, with which the listener only reports.";
        }
        {
          assertion = cfg.migration || formerListeners == [ ];
          message = "the former listener still runs on this host (${
            lib.concatMapStringsSep ", " (name: "systemd.services.${name}") formerListeners
          }), and would undo what this one activates: remove it. To move over step by step, set ${option}.migration = true, with which this one only reports.";
        }
      ];

    environment.etc."homelab-deploy/host.json".source = policyFile;
    environment.systemPackages = [ cfg.package ];

    users.users.${user} = {
      isSystemUser = true;
      group = user;
      description = "Listener of homelab-deploy";
    };
    users.groups.${user} = { };

    # It asks the daemon what belongs to a closure.
    nix.settings.extra-allowed-users = [ user ];

    networking.firewall.allowedTCPPorts = lib.optional cfg.metrics.openFirewall cfg.metrics.port;

    # The group of the directory is that of every file in it.
    systemd.tmpfiles.rules = [ "d ${journalDirectory} 2750 root ${user} -" ];

    systemd.services.homelab-deploy-listener = {
      description = "Listener of homelab-deploy";
      documentation = [ "man:homelab-deploy(1)" ];
      wantedBy = [ "multi-user.target" ];
      wants = [ "homelab-deploy-activate.socket" ];
      # Not network-online.target: it may fail or take minutes, and the listener waits for the network by itself.
      after = [
        "network.target"
        "nix-daemon.socket"
        "homelab-deploy-activate.socket"
        "homelab-deploy-recover.service"
      ];
      # Restarted in one step: between a stop and a start the host would be deaf.
      stopIfChanged = false;
      inherit path;
      environment = common.serviceEnvironment config // {
        # It is to stay below 90 MiB. Node lets the space of new objects grow to three times 16 MiB, which a process that
        # is idle for minutes keeps, and which one that does so little does not need.
        NODE_OPTIONS = "--max-semi-space-size=1";
      };
      # A deploy and its rollback in quick succession would otherwise be "too many starts", and leave the host deaf.
      unitConfig = staysOnRemoval // {
        StartLimitIntervalSec = 0;
      };
      serviceConfig = import ./listener-service.nix {
        execStart = "${program} --config ${configFile} listener";
        loadCredential = common.loadCredential settings { };
      };
    };

    systemd.sockets.homelab-deploy-activate = {
      description = "Socket of the activator of homelab-deploy";
      wantedBy = [ "sockets.target" ];
      unitConfig = staysOnRemoval;
      socketConfig = {
        ListenStream = socket;
        SocketMode = "0660";
        SocketUser = "root";
        SocketGroup = user;
        Accept = true;
        MaxConnections = 8;
        # systemd would close the socket for good after 200 connections in 2 s, and the host would be deaf.
        TriggerLimitIntervalSec = 0;
      };
    };

    systemd.services."homelab-deploy-activate@" = {
      description = "Activator of homelab-deploy";
      documentation = [ "man:homelab-deploy(1)" ];
      # An instance that is active while its template changes must neither be stopped nor "started again" by the switch: no
      # connection is there any more, and the switch would end with 4.
      restartIfChanged = false;
      inherit path;
      environment = rootEnvironment;
      unitConfig = staysOnRemoval // {
        # One that failed is in the log, and does not stay behind as a failed unit.
        CollectMode = "inactive-or-failed";
      };
      serviceConfig = import ./answer-service.nix {
        execStart = "${program} host answer --peer %i";
        inherit journalDirectory;
      };
    };

    systemd.services.homelab-deploy-recover = {
      description = "Recovery of a deployment that was cut short";
      documentation = [ "man:homelab-deploy(1)" ];
      wantedBy = [ "multi-user.target" ];
      before = [ "homelab-deploy-listener.service" ];
      restartIfChanged = false;
      inherit path;
      environment = rootEnvironment;
      unitConfig = staysOnRemoval // {
        # Until it has succeeded: the listener has nothing to read before.
        StartLimitIntervalSec = 0;
        RequiresMountsFor = journalDirectory;
      };
      serviceConfig = import ./recover-service.nix {
        execStart = "${program} host recover --boot";
        inherit journalDirectory;
      };
    };
  };
}
