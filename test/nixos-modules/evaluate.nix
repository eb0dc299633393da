# Evaluates the modules with a configuration, and gives as plain data what NixOS would make of it.
#   nixpkgsLib     the directory `lib` of some nixpkgs
#   configuration  a module, as NixOS configurations are
#   harmonia       see stubs.nix
{
  nixpkgsLib,
  configuration,
  harmonia ? "nested",
  module ? "default",
}:
let
  lib = import nixpkgsLib;
  fake = name: {
    type = "derivation";
    inherit name;
    outPath = "/nix/store/00000000000000000000000000000000-${name}";
    meta.mainProgram = name;
  };
  pkgs = {
    bash = fake "bash";
    coreutils = fake "coreutils";
    git = fake "git";
    gitMinimal = fake "git-minimal";
    nats-server = fake "nats-server" // {
      version = "2.10.27";
    };
    openssh = fake "openssh";
    systemd = fake "systemd";
    util-linux = fake "util-linux";
    runtimeShell = "/bin/sh";
    stdenv = {
      hostPlatform.system = "x86_64-linux";
      buildPlatform.canExecute = _: true;
    };
    formats.json = _: {
      type = import ./tree.nix { inherit lib; };
      # The text itself in the place of the file's path, so that it is seen where it is used.
      generate = _: builtins.toJSON;
    };
    runCommand = _: _: script: "<${script}>";
    writeShellScriptBin = name: text: fake name // { inherit text; };
  };
  self = {
    packages.x86_64-linux.default = fake "homelab-deploy";
    lastModifiedDate = "20261128120000";
  };
  evaluated = lib.evalModules {
    modules = [
      (import ./stubs.nix { inherit harmonia; })
      (import ../../nix/modules { inherit self; }).${module}
      {
        _module.args = { inherit pkgs; };
        networking.hostName = lib.mkDefault "cache01";
        nix.package = fake "nix";
      }
      configuration
    ];
  };
  inherit (evaluated) config;
in
{
  failed = map (each: each.message) (lib.filter (each: !each.assertion) config.assertions);
  inherit (config) warnings fileSystems;
  services = lib.mapAttrs (
    _: service: removeAttrs service [ "restartTriggers" ] // { path = map (each: each.name or each) service.path; }
  ) config.systemd.services;
  inherit (config.systemd) timers sockets;
  tmpfiles = config.systemd.tmpfiles.rules;
  files = lib.mapAttrs (_: file: file.source) config.environment.etc;
  commands = lib.listToAttrs (
    map (each: lib.nameValuePair each.name (each.text or null)) config.environment.systemPackages
  );
  users = lib.attrNames config.users.users;
  ports = config.networking.firewall.allowedTCPPorts;
  nix = removeAttrs config.nix ([ "package" ] ++ lib.optional (!config.nix.enable) "settings");
  harmonia = if harmonia == "nested" then config.services.harmonia.cache else config.services.harmonia or null;
  runner = lib.mapAttrs (
    _: runner: removeAttrs runner [ "hostPackages" ]
  ) config.services.gitea-actions-runner.instances;
  homelab = config.homelab or null;
  optionNames = map (each: each.name) (
    lib.filter (each: each.visible && !each.internal) (
      lib.optionAttrSetToDocList { services.homelab-deploy = evaluated.options.services.homelab-deploy; }
    )
  );
}
