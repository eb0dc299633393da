# The type of pkgs.formats.json and pkgs.formats.toml: anything that such a file can say.
{ lib }:
let
  inherit (lib) types;
  tree =
    types.nullOr (
      types.oneOf [
        types.bool
        types.int
        types.float
        types.str
        types.path
        (types.attrsOf tree)
        (types.listOf tree)
      ]
    )
    // {
      description = "JSON value";
    };
in
tree
