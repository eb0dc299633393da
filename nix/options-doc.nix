# docs/module-options.md, as text:
#   nix-instantiate --eval --json nix/options-doc.nix
# It reads the declarations of options with a library of its own, which only remembers what it is told, so that the page
# can be made and checked without nixpkgs.
let
  inherit (builtins)
    attrNames
    attrValues
    concatMap
    concatStringsSep
    elem
    filter
    head
    isAttrs
    isBool
    isList
    isString
    length
    map
    replaceStrings
    split
    tail
    toJSON
    ;

  anyType = words: { inherit words; };
  inner = type: { options = { }; prefix = [ ]; } // type;
  plural = words: if words == "string" then "strings" else words;

  types = {
    str = anyType "string";
    bool = anyType "true or false";
    port = anyType "port, 0 to 65535";
    package = anyType "package";
    ints = {
      positive = anyType "whole number above 0";
      unsigned = anyType "whole number, not below 0";
    };
    anything = anyType "anything";
    enum = values: anyType (concatStringsSep " or " (map toJSON values));
    strMatching = pattern: anyType "string like `${pattern}`";
    nullOr = type: type // { words = "null or ${type.words}"; };
    listOf = type: anyType "list of ${plural type.words}";
    nonEmptyListOf = type: anyType "list of ${type.words}, not empty";
    attrsOf = type: {
      words = if type ? options then "attribute set of these" else "attribute set of ${plural type.words}";
      options = type.options or { };
      prefix = [ "<name>" ];
    };
    submodule = module: {
      words = "attribute set";
      options = module.options or { };
      prefix = [ ];
    };
    mkOptionType = type: anyType type.description;
  };

  literal = text: { inherit text; };
  lib = {
    inherit types;
    mkOption = declaration: declaration // { isOption = true; };
    mkEnableOption = what: {
      isOption = true;
      type = types.bool;
      default = false;
      description = "Whether to enable ${what}.";
    };
    literalExpression = literal;
    importJSON = path: builtins.fromJSON (builtins.readFile path);
    # What settings.nix defines and no declaration needs.
    unique = list: list;
    mapAttrsToList = _: _: [ ];
    concatLists = _: [ ];
    optionals = _: _: [ ];
    isAttrs = _: false;
    hasPrefix = _: _: false;
    concatStringsSep = concatStringsSep;
  };
  pkgs.formats.json = _: { type = anyType "JSON"; };

  config.services.homelab-deploy = throw "an option needs a defaultText";
  optionsOf = file: (import file { inherit lib pkgs; config = { }; options = { }; }).options;

  # { name, option } of every option, in the order of their names.
  flatten =
    path: options:
    concatMap (
      name:
      let
        option = options.${name};
        here = path ++ [ name ];
        type = inner option.type;
      in
      if !(option.isOption or false) then
        flatten here option
      else if option.internal or false then
        [ ]
      else
        [
          {
            name = concatStringsSep "." here;
            inherit option;
          }
        ]
        ++ flatten (here ++ type.prefix) type.options
    ) (attrNames options);

  # A value as one writes it in Nix.
  show =
    value:
    if value == null then
      "null"
    else if isString value then
      toJSON value
    else if isBool value then
      if value then "true" else "false"
    else if isList value then
      if value == [ ] then "[ ]" else "[ ${concatStringsSep " " (map show value)} ]"
    else if isAttrs value then
      if value ? text then value.text else showAttrs value
    else
      toString value;
  showAttrs =
    attrs:
    if attrs == { } then
      "{ }"
    else
      "{ ${concatStringsSep " " (map (name: "${showName name} = ${show attrs.${name}};") (attrNames attrs))} }";
  showName = name: if builtins.match "[A-Za-z_][A-Za-z0-9_-]*" name == null then toJSON name else name;

  # As a block, one setting on a line, for examples that are long.
  showBlock =
    indent: value:
    if isAttrs value && !(value ? text) && value != { } then
      concatStringsSep "\n" (
        [ "{" ]
        ++ map (name: "${indent}  ${showName name} = ${showBlock "${indent}  " value.${name}};") (attrNames value)
        ++ [ "${indent}}" ]
      )
    else
      show value;

  trimmed = text: concatStringsSep "\n" (filter (line: isString line) (split "\n" (stripEnd text)));
  stripEnd = text: replaceStrings [ "\n\n" ] [ "\n" ] (builtins.elemAt (builtins.match "(.*[^\n])\n*" text) 0);

  render =
    { name, option }:
    let
      default =
        if option ? defaultText then
          [ "default: `${if isString option.defaultText then option.defaultText else option.defaultText.text}`" ]
        else if option ? default then
          [ "default: `${show option.default}`" ]
        else
          [ "no default" ];
      example =
        if !(option ? example) then
          [ ]
        else
          [
            ""
            "```nix"
            "${name} = ${showBlock "" option.example};"
            "```"
          ];
    in
    concatStringsSep "\n" (
      [
        "### `${name}`"
        ""
        (trimmed option.description)
        ""
        "${option.type.words}; ${concatStringsSep "; " default}"
      ]
      ++ example
    );

  section =
    {
      title,
      file,
      path,
    }:
    concatStringsSep "\n\n" ([ "## ${title}" ] ++ map render (flatten [ ] (optionsOf file)));
in
concatStringsSep "\n\n" [
  "# Options of the NixOS modules"
  "<!-- Made from nix/modules by `npm run docs`; change them there. -->"
  "How to use them is in [NixOS](nixos.md). What can stand in `settings` is in [configuration](configuration.md)."
]
