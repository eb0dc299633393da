# What a host obeys: the options of its policy, the policy itself as /etc/homelab-deploy/host.json has it
# (src/protocol/deploy/host-policy.ts), and what is refused before anything is built.
{ lib, pkgs }:
let
  inherit (lib) mkOption types;

  may = [
    "deploy"
    "rollback"
    "reboot"
    "downgrade"
    "drift"
    "remove-listener"
  ];
  # What a key that no person holds must not be able to do: all of it makes a host worse than it is.
  notAutomatic = [
    "downgrade"
    "drift"
    "remove-listener"
  ];

  signingKey =
    whose:
    mkOption {
      type = types.str;
      example = "ADO7LPRKHNBGTPG4ZWI3LXIGHZPDIJSDBHB3OXKJ4QUHVJKJ4VQ3QEZM";
      description = "The public half of ${whose}: `A` and 55 more characters, as `homelab-deploy keys create` prints it.";
    };
  seconds =
    default: what:
    mkOption {
      type = types.ints.unsigned;
      inherit default;
      description = "${what}, in seconds.";
    };
  optional =
    type: description:
    mkOption {
      type = types.nullOr type;
      default = null;
      inherit description;
    };

  signer = types.submodule (
    { name, ... }:
    {
      options = {
        key = signingKey "a key that orders are signed with";
        may = mkOption {
          type = types.listOf (types.enum may);
          default = [
            "deploy"
            "rollback"
            "reboot"
          ];
          description = "What the key may order. `drift` is needed to overwrite what was switched by hand.";
        };
        tiers = optional (types.listOf types.str) "Only hosts of these tiers obey the key; null for all.";
        notAfter = optional (types.strMatching "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z") "Until when the key is obeyed, such as `2027-01-31T00:00:00Z`.";
        automatic = mkOption {
          type = types.bool;
          default = builtins.match "(automatic|deployer)([-_.].*)?" name != null;
          defaultText = lib.literalExpression ''builtins.match "(automatic|deployer)([-_.].*)?" name != null'';
          description = "A program signs with this key, not a person. Such a key is refused `downgrade`, `drift` and `remove-listener`.";
        };
      };
    }
  );

  healthCheck = types.submodule {
    options = {
      unit = optional types.str "A unit that must be active.";
      http = optional types.str "An address that must answer with a status below 400.";
      tcp = optional types.str "`host:port` that must accept a connection.";
      exec = optional (types.listOf types.str) "A program with its arguments that must exit with 0; its path is absolute.";
      timeout = seconds 60 "In what time the check must have passed three times in a row";
      every = seconds 2 "Time between two tries";
      critical = mkOption {
        type = types.bool;
        default = true;
        description = "Whether the host rolls back when the check fails; otherwise the failure is only reported.";
      };
    };
  };

  withoutNulls = lib.filterAttrs (_: value: value != null);
  named = lib.mapAttrsToList (name: value: withoutNulls value // { inherit name; });

  isHostName = name: builtins.match "[A-Za-z0-9_]([A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?" name != null;
  isRepoName = name: builtins.match "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?" name != null;
  isReserved = name: name == "all" || name == "any";

  # What is wrong with a signing key, or null.
  keyProblem =
    key:
    if builtins.match "A[A-Z2-7]{55}" key != null then
      null
    else if builtins.match "S[A-Z2-7]{57}" key != null then
      "is the secret half of a key. Everybody can read it now in the Nix store: make a new one with `homelab-deploy keys create FILE`, and set this to the public half that it prints"
    else if builtins.match "U[A-Z2-7]{55}" key != null then
      "is a key for signing in to NATS. Signing keys begin with A, so that no server can have an order signed by a sign-in: make one with `homelab-deploy keys create FILE`"
    else
      "is not a signing key, which is A and 55 more characters: `homelab-deploy keys show FILE` prints it";

  # Names that stand for the same key.
  namesByKey = keys: lib.groupBy (name: keys.${name}.key) (lib.attrNames keys);
in
{
  options = {
    repo = optional types.str "The repo that this host is built from, in the name that it has in the builder's `settings.repos`.";

    trustedKeys = mkOption {
      type = types.attrsOf signer;
      default = { };
      example = {
        kai = {
          key = "ADO7LPRKHNBGTPG4ZWI3LXIGHZPDIJSDBHB3OXKJ4QUHVJKJ4VQ3QEZM";
          may = may;
        };
      };
      description = "Keys whose orders this host obeys, by name.";
    };

    trustedBuilders = mkOption {
      type = types.attrsOf (types.submodule { options.key = signingKey "the builder's `statementKeyFile`"; });
      default = { };
      description = ''
        Builders whose signed statements about this host's systems are trusted. Add a second key from the first day, and keep it
        with the cache's signing key, so that you can lose the builder without losing the fleet.
      '';
    };

    allowedBranches = mkOption {
      type = types.listOf types.str;
      default = [ "master" ];
      description = "Branches whose builds may be activated. A system must have been built at the tip of one of them.";
    };

    wave = optional types.ints.unsigned "In which wave of a rollout this host is; wave 0 comes first.";

    serves = mkOption {
      type = types.listOf (
        types.enum [
          "nats"
          "cache"
          "git"
          "dns"
          "builder"
          "deployer"
        ]
      );
      default = [ ];
      description = "Services of this host that the deployment of other hosts depends on. Hosts that serve something are deployed last, one by one.";
    };

    keepGenerations = mkOption {
      type = types.ints.positive;
      default = 10;
      description = "Number of generations of the system profile to keep, at least 2.";
    };

    keepDays = mkOption {
      type = types.ints.unsigned;
      default = 14;
      description = "Days for which the closure of an order is protected from the garbage collector after the order has ended.";
    };

    minFreeBytes = mkOption {
      type = types.ints.unsigned;
      default = 1024 * 1024 * 1024;
      description = "Disk space of the store to keep free. A closure that would not leave it free is refused before anything is fetched.";
    };

    ignoreFailedUnits = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "fwupd-refresh.service" ];
      description = "Units that may fail in a deployment without a rollback.";
    };

    healthChecks = mkOption {
      type = types.attrsOf healthCheck;
      default = { };
      example = {
        nginx.unit = "nginx.service";
        page.http = "http://127.0.0.1/";
      };
      description = ''
        Checks that must pass before a new system becomes permanent. They are part of the system, so a deployment is judged by
        the checks of the new system. Each is one of `unit`, `http`, `tcp` and `exec`.
      '';
    };

    timeouts = {
      fetch = seconds 14400 "How long fetching a closure may take";
      activate = seconds 600 "How long the switch itself may take";
      settle = seconds 15 "How long the new system is left alone before it is checked";
      confirm = seconds 120 "In what time the new system must have reached NATS over a fresh connection, at least 30";
      hold = seconds 1800 "How long a new system may wait when NATS itself is down, before the host goes back";
    };

    hold = optional types.str "\"Do not deploy here\", and why: every order is refused with this reason.";

    migration = mkOption {
      type = types.bool;
      default = false;
      description = "Set this while another tool still switches this host. The listener then reports what runs, and refuses every order.";
    };
  };

  # For host.json.
  policyOf =
    {
      cfg,
      homelab,
      trustedCacheKeys,
      witnesses,
    }:
    withoutNulls {
      repo = if cfg.repo == null then "" else cfg.repo;
      inherit (cfg)
        host
        wave
        serves
        allowedBranches
        trustLocalBuilds
        keepGenerations
        keepDays
        minFreeBytes
        ignoreFailedUnits
        timeouts
        hold
        migration
        builtAfter
        ;
      inherit (pkgs.stdenv.hostPlatform) system;
      inherit (homelab.host) tier role labels;
      trustedKeys = map (signer: removeAttrs signer [ "automatic" ]) (named cfg.trustedKeys);
      trustedBuilders = named cfg.trustedBuilders;
      healthChecks = named cfg.healthChecks;
      inherit trustedCacheKeys witnesses;
      natsServers = cfg.nats.servers;
    };

  # All that can be known before anything is built.
  policyAssertions =
    option: cfg:
    let
      keyAssertions =
        path: keys:
        lib.mapAttrsToList (
          name: each:
          let
            problem = keyProblem each.key;
          in
          {
            assertion = problem == null;
            message = "${option}.${path}.${name}.key ${toString problem}.";
          }
        ) keys;
      twice = lib.filterAttrs (_: names: lib.length names > 1) (namesByKey cfg.trustedKeys);
      both = lib.intersectLists (lib.attrNames (namesByKey cfg.trustedKeys)) (
        lib.attrNames (namesByKey cfg.trustedBuilders)
      );
    in
    keyAssertions "trustedKeys" cfg.trustedKeys
    ++ keyAssertions "trustedBuilders" cfg.trustedBuilders
    ++ lib.mapAttrsToList (
      name: signer:
      let
        excess = lib.intersectLists notAutomatic signer.may;
      in
      {
        assertion = signer.automatic -> excess == [ ];
        message = "${option}.trustedKeys.${name} is a key that a program signs with, and may ${lib.concatStringsSep " and " excess}: take that out of its `may`, and let a person's key order it. If a person does hold this key, set ${option}.trustedKeys.${name}.automatic = false.";
      }
    ) cfg.trustedKeys
    ++ lib.mapAttrsToList (
      name:
      {
        unit,
        http,
        tcp,
        exec,
        ...
      }:
      {
        assertion = lib.count (each: each != null) [ unit http tcp exec ] == 1 && exec != [ ];
        message = "${option}.healthChecks.${name} must be exactly one of unit, http, tcp and exec.";
      }
    ) cfg.healthChecks
    ++ [
      {
        assertion = cfg.trustedKeys != { };
        message = "${option}.trustedKeys is empty, so this host would obey nobody: make a key with `homelab-deploy keys create FILE` and set trustedKeys.<your name>.key to the public half that it prints, or turn the listener off with ${option}.enable = false.";
      }
      {
        assertion = cfg.trustedBuilders != { };
        message = "${option}.trustedBuilders is empty, so this host would believe no builder and could activate nothing: set trustedBuilders.<builder>.key to the public half of the builder's settings.builder.statementKeyFile.";
      }
      {
        assertion = twice == { };
        message = "${option}.trustedKeys has one key under several names (${
          lib.concatMapStringsSep "; " (lib.concatStringsSep ", ") (lib.attrValues twice)
        }), and only the first would count: give each person a key.";
      }
      {
        assertion = both == [ ];
        message = "${option}: ${lib.concatStringsSep ", " both} is in trustedKeys and in trustedBuilders. Whoever takes over the builder could then order what it built: make a key for each.";
      }
      {
        assertion = cfg.repo != null && isRepoName cfg.repo && !isReserved cfg.repo;
        message = "${option}.repo is ${
          if cfg.repo == null then "not set" else "\"${cfg.repo}\", which is not a repo name"
        }: set it to the name that this host's repo has in the builder's settings.repos.";
      }
      {
        assertion = isHostName cfg.host && !isReserved cfg.host;
        message = "${option}.host is \"${cfg.host}\": set it to the name that this host has in nixosConfigurations.";
      }
      {
        assertion = cfg.allowedBranches != [ ];
        message = "${option}.allowedBranches is empty: name the branch that hosts are built from.";
      }
      {
        assertion = cfg.keepGenerations >= 2;
        message = "${option}.keepGenerations must be at least 2: the system that runs, and the one to go back to.";
      }
      {
        assertion = cfg.timeouts.confirm >= 30;
        message = "${option}.timeouts.confirm is ${toString cfg.timeouts.confirm} s: a listener that restarts and signs in again takes longer at times, and good systems would be undone. Set it to 30 or more.";
      }
      {
        assertion = lib.all (limit: limit <= 86400) (lib.attrValues cfg.timeouts);
        message = "${option}.timeouts must be at most 86400 s, a day.";
      }
    ];
}
