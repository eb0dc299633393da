# The declared options of the modules, as data for the page about them:
#   nix-instantiate --eval --strict --json nix/options.nix
# The declarations are read with a library of our own that only remembers what it is told, so that the page can be made
# and checked without nixpkgs, and does not change with its words.
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    map
    toJSON
    ;

  ofWords = words: { inherit words; };
  # What is in a type that has options of its own, below the path of the option.
  containing = words: prefix: type: {
    inherit words prefix;
    options = type.options or { };
  };

  types = {
    str = ofWords "string";
    bool = ofWords "true or false";
    port = ofWords "port number";
    package = ofWords "package";
    ints.positive = ofWords "whole number above 0";
    ints.unsigned = ofWords "whole number, 0 or more";
    enum = values: ofWords (concatStringsSep " or " (map toJSON values));
    strMatching = pattern: ofWords "string that matches `${pattern}`";
    nullOr = type: containing "null or ${type.words}" (type.prefix or [ ]) type;
    listOf = type: ofWords "list of ${type.words}";
    nonEmptyListOf = type: ofWords "list of ${type.words}, not empty";
    attrsOf = type: containing "attribute set of ${type.words}" [ "<name>" ] type;
    submodule =
      module:
      containing "attribute set" [ ] (if builtins.isFunction module then module { name = "<name>"; } else module);
    mkOptionType = type: ofWords type.description;
  };

  option = declaration: declaration // { isOption = true; };
  lib = {
    inherit types;
    mkOption = option;
    mkEnableOption =
      what:
      option {
        type = types.bool;
        default = false;
        description = "Whether to enable ${what}.";
      };
    literalExpression = expression: { inherit expression; };
  };
  pkgs.formats.json = _: { type = ofWords "JSON"; };

  flatten =
    path: options:
    concatMap (
      name:
      let
        here = path ++ [ name ];
        each = options.${name};
      in
      if !(each.isOption or false) then
        flatten here each
      else if each.internal or false then
        [ ]
      else
        [ (describe here each) ] ++ flatten (here ++ each.type.prefix or [ ]) (each.type.options or { })
    ) (attrNames options);

  describe =
    path: each:
    {
      name = concatStringsSep "." path;
      type = each.type.words;
      inherit (each) description;
    }
    // (
      if each ? defaultText then
        { default = each.defaultText; }
      else if each ? default then
        { default.value = each.default; }
      else
        { }
    )
    // (if each ? example then { inherit (each) example; } else { });

  optionsIn =
    module:
    flatten [ ] (module {
      inherit lib pkgs;
      config = { };
      options = { };
    }).options;
in
concatMap optionsIn [
  (import ./modules/package-option.nix { self = { }; })
  (import ./modules/builder.nix)
  (import ./modules/update.nix)
  (import ./modules/cache-host.nix)
  (import ./modules/listener.nix)
  (import ./modules/built-after.nix { self = { }; })
  (import ./modules/dashboard.nix)
  (import ./modules/deployer.nix)
  (import ./modules/nats-server.nix)
]
