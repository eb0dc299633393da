# The parts of NixOS that the modules set, declared with the types that NixOS gives them, so that the modules can be
# evaluated with nixpkgs.lib alone. `harmonia` says whose names of Harmonia's options: "nested" (since 26.05), "flat",
# "single-key" (before 24.11) or "none".
{ harmonia }:
{
  config,
  lib,
  ...
}:
let
  inherit (lib) mkOption types;
  # As utils.systemdUtils.unitOptions.unitOption: one value, or a list of them.
  unitOption =
    let
      one = types.oneOf [
        types.bool
        types.int
        types.str
        types.path
      ];
    in
    types.attrsOf (types.either one (types.listOf one));
  list = mkOption {
    type = types.listOf types.str;
    default = [ ];
  };
  text = mkOption {
    type = types.str;
    default = "";
  };
  flag =
    default:
    mkOption {
      type = types.bool;
      inherit default;
    };
  section = mkOption {
    type = unitOption;
    default = { };
  };
  unit = {
    description = text;
    documentation = list;
    wantedBy = list;
    requiredBy = list;
    requires = list;
    wants = list;
    after = list;
    before = list;
    unitConfig = section;
  };
  attrsOfOptions =
    options:
    mkOption {
      type = types.attrsOf (types.submodule { inherit options; });
      default = { };
    };

  tree = import ./tree.nix { inherit lib; };

  key = {
    signKeyPath = mkOption {
      type = types.nullOr types.path;
      default = null;
    };
  };
  keys = {
    signKeyPaths = mkOption {
      type = types.listOf types.path;
      default = [ ];
    };
  };
  cache = {
    enable = flag false;
    settings = mkOption {
      type = tree;
      default = { };
    };
  };
  renamed = name: lib.mkRenamedOptionModule [ "services" "harmonia" name ] [ "services" "harmonia" "cache" name ];
  # What Harmonia's own modules set.
  defaults = lib.mapAttrs (_: lib.mkDefault) {
    bind = "[::]:5000";
    workers = 4;
    max_connection_rate = 256;
    priority = 50;
  };
  versions = {
    nested = {
      imports = map renamed [
        "enable"
        "settings"
        "signKeyPath"
        "signKeyPaths"
      ];
      options.services.harmonia.cache = cache // key // keys;
      config = lib.mkIf config.services.harmonia.cache.enable { services.harmonia.cache.settings = defaults; };
    };
    flat = {
      options.services.harmonia = cache // key // keys;
      config = lib.mkIf config.services.harmonia.enable { services.harmonia.settings = defaults; };
    };
    single-key.options.services.harmonia = cache // key;
    none = { };
  };
in
{
  imports = [ versions.${harmonia} ];

  options = {
    assertions = mkOption {
      type = types.listOf types.unspecified;
      default = [ ];
    };
    warnings = list;
    # The text stands in the place of the file: see pkgs.formats.json in evaluate.nix.
    environment.etc = attrsOfOptions { source = text; };
    system.autoUpgrade.enable = flag false;
    system.nixos.versionSuffix = text;
    environment.systemPackages = mkOption {
      type = types.listOf types.package;
      default = [ ];
    };
    systemd.services = attrsOfOptions (
      unit
      // {
        restartIfChanged = flag true;
        restartTriggers = mkOption {
          type = types.listOf types.unspecified;
          default = [ ];
        };
        path = mkOption {
          type = types.listOf (types.either types.package types.str);
          default = [ ];
        };
        environment = mkOption {
          type = types.attrsOf (
            types.nullOr (
              types.oneOf [
                types.str
                types.path
                types.package
              ]
            )
          );
          default = { };
        };
        stopIfChanged = flag true;
        script = text;
        serviceConfig = section;
      }
    );
    systemd.sockets = attrsOfOptions (unit // { socketConfig = section; });
    systemd.tmpfiles.rules = list;
    systemd.watchdog.runtimeTime = text;
    systemd.timers = attrsOfOptions (unit // { timerConfig = section; });
    users.users = attrsOfOptions {
      extraGroups = list;
      isSystemUser = flag false;
      group = text;
      description = text;
    };
    users.groups = attrsOfOptions { members = list; };
    networking = {
      hostName = text;
      firewall.allowedTCPPorts = mkOption {
        type = types.listOf types.port;
        default = [ ];
      };
      proxy.envVars = mkOption {
        type = types.attrs;
        default = { };
      };
    };
    nix = {
      enable = flag true;
      extraOptions = mkOption {
        type = types.lines;
        default = "";
      };
      package = mkOption { type = types.package; };
      settings = mkOption {
        type = types.submodule {
          freeformType = types.attrsOf tree;
          options.trusted-users = list;
          # Defined by NixOS only where Nix is enabled.
          options.trusted-public-keys = mkOption { type = types.listOf types.str; };
          options.substituters = mkOption { type = types.listOf types.str; };
        };
        default = { };
      };
      gc = {
        automatic = flag false;
        persistent = flag true;
        dates = mkOption {
          type = types.either types.str (types.listOf types.str);
          default = "03:15";
        };
        options = text;
      };
      optimise.automatic = flag false;
    };
    fileSystems = attrsOfOptions {
      device = mkOption {
        type = types.nullOr types.str;
        default = null;
      };
      fsType = text;
      neededForBoot = flag false;
      options = list;
    };
    services.nginx.enable = flag false;
    services.nats = {
      enable = flag false;
      jetstream = flag false;
    };
    services.gitea-actions-runner.instances = attrsOfOptions {
      enable = flag false;
      name = mkOption { type = types.str; };
      url = mkOption { type = types.str; };
      tokenFile = mkOption {
        type = types.nullOr (types.either types.str types.path);
        default = null;
      };
      labels = mkOption { type = types.listOf types.str; };
      settings = mkOption {
        type = types.submodule { freeformType = tree; };
        default = { };
      };
      hostPackages = mkOption {
        type = types.listOf types.package;
        default = [ ];
      };
    };
  };
  config.nix.settings = lib.mkIf config.nix.enable {
    trusted-public-keys = [ "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=" ];
    substituters = lib.mkAfter [ "https://cache.nixos.org/" ];
  };
}
