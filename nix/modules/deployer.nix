# services.homelab-deploy.deployer: the daemon that rolls builds out to the fleet.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkIf mkOption types;
  cfg = config.services.homelab-deploy.deployer;
  common = import ./settings.nix { inherit lib pkgs; };
  metrics = import ./metrics.nix {
    inherit lib;
    port = 9483;
  };
  option = "services.homelab-deploy.deployer";

  settings = lib.recursiveUpdate { nats.inboxPrefix = "_INBOX_deployer"; } cfg.settings;
  configFile = common.settingsFile {
    name = "homelab-deploy-deployer.json";
    role = "deployer";
    inherit (cfg) package;
    inherit settings;
  };

  # Only signed commits of some repo are rolled out: they are fetched and verified with git.
  verifiesCommits = lib.any (rollout: rollout.allowedSigners or null != null) (
    lib.attrValues (settings.deployer.rollouts or { })
  );

  # Only people may order these: whoever gets hold of the deployer's machine has its key.
  forPeople = [
    "downgrade"
    "drift"
    "remove-listener"
  ];
  # Under whatever name this host trusts it.
  trusted = lib.filterAttrs (_: { key, ... }: key == cfg.publicKey) (
    config.services.homelab-deploy.listener.trustedKeys or { }
  );
  trustAssertions = lib.mapAttrsToList (
    name:
    { may, ... }:
    let
      wrong = lib.intersectLists may forPeople;
    in
    {
      assertion = wrong == [ ];
      message = "services.homelab-deploy.listener.trustedKeys.${name} is the key of ${option}, and may ${lib.concatStringsSep " and " wrong}: take that out. Those are for keys of people.";
    }
  ) trusted;
in
{
  options.services.homelab-deploy.deployer = {
    enable = lib.mkEnableOption "the deployer of homelab-deploy, which rolls builds out to the fleet, wave by wave";

    package = mkOption {
      type = types.package;
      default = config.services.homelab-deploy.package;
      defaultText = lib.literalExpression "config.services.homelab-deploy.package";
      description = "The package of the deployer.";
    };

    nats = common.natsOptions "deployer" "_INBOX_deployer";

    keyFile = mkOption {
      type = types.nullOr common.secretPath;
      default = null;
      example = "/run/secrets/homelab-deploy/deployer.key";
      description = ''
        File with the key that signs orders, created by `homelab-deploy keys create FILE`. Add its public half to
        `services.homelab-deploy.listener.trustedKeys.deployer` of every host.
      '';
    };

    publicKey = mkOption {
      type = types.nullOr (types.strMatching "A[A-Z2-7]{55}");
      default = null;
      example = "ADO7LPRKHNBGTPG4ZWI3LXIGHZPDIJSDBHB3OXKJ4QUHVJKJ4VQ3QEZM";
      description = ''
        The public half of `keyFile`, as `homelab-deploy keys show FILE` prints it. If it is set, the configuration is refused
        when this host trusts that key, under any name, with what only people may order.
      '';
    };

    rollouts = mkOption {
      type = types.attrsOf (types.submodule { freeformType = common.format.type; });
      default = { };
      example = {
        nixos-servers = {
          automatic = true;
          soakSeconds = 600;
        };
      };
      description = ''
        The repos to roll out, by name, with their rules: `deployer.rollouts.<name>` of
        [the configuration](configuration.md#deployerrolloutsname). Errors are reported when the configuration is evaluated.
        With `allowedSigners` in one of them, `settings.repos` must have the URL of that repo.
      '';
    };

    metrics = metrics.options;

    settings = common.settingsOption { deployer.notify.ntfyFile = "/run/secrets/ntfy-topic"; };

    credentials = common.credentialsOption;
  };

  config = mkIf cfg.enable {
    assertions =
      common.natsAssertions option cfg.nats
      ++ common.settingsAssertions option settings
      ++ metrics.assertionsOf option cfg.metrics
      ++ trustAssertions
      ++ [
        {
          assertion = settings.deployer.keyFile or null != null;
          message = "${option}.keyFile is not set, and every order is signed with it: make a key with `homelab-deploy keys create FILE`, and set this to its path on the machine.";
        }
        {
          assertion = settings.deployer.rollouts or { } != { };
          message = "${option}.rollouts is empty: name a repo, such as ${option}.rollouts.nixos-servers = { }.";
        }
      ];

    services.homelab-deploy.deployer.settings = {
      nats = common.natsSettings cfg.nats;
      deployer =
        lib.optionalAttrs (cfg.keyFile != null) { inherit (cfg) keyFile; }
        // lib.optionalAttrs (cfg.rollouts != { }) { inherit (cfg) rollouts; }
        // lib.optionalAttrs cfg.metrics.enable { metrics.listen = metrics.listenOf cfg.metrics; };
    };

    networking.firewall.allowedTCPPorts = lib.optional cfg.metrics.openFirewall cfg.metrics.port;

    systemd.services.homelab-deploy-deployer = {
      description = "Deployer of homelab-deploy";
      documentation = [ "man:homelab-deploy(1)" ];
      wantedBy = [ "multi-user.target" ];
      # It waits for the network and for NATS by itself.
      after = [ "network.target" ];
      path = [
        # systemd-notify
        (config.systemd.package or pkgs.systemd)
      ]
      ++ lib.optionals verifiesCommits [
        pkgs.git
        pkgs.openssh # ssh-keygen looks at signatures
        pkgs.util-linux # flock, prlimit
      ];
      environment = removeAttrs (common.serviceEnvironment config) [ "NIX_REMOTE" ];
      unitConfig.StartLimitIntervalSec = 0;
      serviceConfig = import ./deployer-service.nix {
        execStart = "${lib.getExe cfg.package} --config ${configFile} deployer";
        loadCredential = common.loadCredential settings cfg.credentials;
      };
    };
  };
}
