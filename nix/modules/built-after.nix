# services.homelab-deploy.listener.builtAfter: a time that is in the past for every host that runs this system, from the dates
# of homelab-deploy and nixpkgs.
{ self }:
{
  config,
  lib,
  ...
}:
let
  part = lib.substring;
  # 20261129160320, as flakes have it.
  ofSelf = self.lastModifiedDate or "";
  # .20261101.abcdef0, as nixpkgs from a flake has it.
  ofNixpkgs = builtins.match "[.]([0-9]{8})[.].*" (config.system.nixos.versionSuffix or "");
  isoOf =
    date:
    "${part 0 4 date}-${part 4 2 date}-${part 6 2 date}T${part 8 2 date}:${part 10 2 date}:${part 12 2 date}Z";
  dates = lib.filter (date: builtins.match "[0-9]{14}" date != null) [
    ofSelf
    (if ofNixpkgs == null then "" else "${lib.head ofNixpkgs}000000")
  ];
in
{
  options.services.homelab-deploy.listener.builtAfter = lib.mkOption {
    type = lib.types.nullOr (
      lib.types.strMatching "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
    );
    default = if dates == [ ] then null else isoOf (lib.last (lib.sort lib.lessThan dates));
    defaultText = lib.literalExpression "the later date of nixpkgs and this flake, where they have one";
    description = ''
      A time in the past. A host whose clock is more than 5 minutes behind it obeys no order, because it cannot tell an old
      order from a new one.
    '';
  };
}
