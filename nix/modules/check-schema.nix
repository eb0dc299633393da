# Compares a value with a JSON schema of the kind that `homelab-deploy config schema` prints, and gives what is wrong as
# { path, message }. It knows types, required and unknown keys, ranges and fixed values; patterns are left to the
# program, because Nix has other regular expressions.
schema:
let
  inherit (builtins)
    attrNames
    concatLists
    concatMap
    concatStringsSep
    elem
    filter
    genList
    isAttrs
    isBool
    isFloat
    isInt
    isList
    isString
    length
    map
    elemAt
    toJSON
    typeOf
    ;

  under = path: name: if path == "" then name else "${path}.${name}";

  isOfType =
    type: value:
    {
      string = isString value || typeOf value == "path";
      boolean = isBool value;
      integer = isInt value;
      number = isInt value || isFloat value;
      array = isList value;
      object = isAttrs value;
    }
    .${type} or true;

  words = {
    set = "an attribute set";
    list = "a list";
    int = "a number";
    float = "a number";
    bool = "true or false";
    string = "a string";
    path = "a path";
  };

  problem = path: message: [ { inherit path message; } ];

  check =
    path: schema: value:
    if schema ? const then
      if value == schema.const then [ ] else problem path "must be ${toJSON schema.const}"
    else if schema ? enum then
      if elem value schema.enum then [ ] else problem path "must be one of ${concatStringsSep ", " (map toJSON schema.enum)}"
    else if schema ? anyOf then
      if filter (each: check path each value == [ ]) schema.anyOf != [ ] then
        [ ]
      else
        problem path "must be ${concatStringsSep " or " (map nameOf schema.anyOf)}"
    else if !isOfType (schema.type or "") value then
      problem path "must be ${nameOf schema}, and is ${words.${typeOf value} or (typeOf value)}"
    else if isAttrs value then
      checkObject path schema value
    else if isList value then
      concatLists (genList (index: check "${path}.${toString index}" (schema.items or { }) (elemAt value index)) (length value))
      ++ (if length value < schema.minItems or 0 then problem path "must not be empty" else [ ])
    else if schema ? minimum && value < schema.minimum then
      problem path "must be at least ${toString schema.minimum}"
    else if schema ? maximum && value > schema.maximum then
      problem path "must be at most ${toString schema.maximum}"
    else
      [ ];

  checkObject =
    path: schema: value:
    let
      properties = schema.properties or { };
      rest = schema.additionalProperties or true;
      checkOne =
        name:
        if properties ? ${name} then
          check (under path name) properties.${name} value.${name}
        else if isAttrs rest then
          check (under path name) rest value.${name}
        else if rest then
          [ ]
        else
          problem (under path name) "is not a setting; there are ${concatStringsSep ", " (attrNames properties)}";
    in
    concatMap checkOne (attrNames value)
    ++ concatMap (name: if value ? ${name} then [ ] else problem (under path name) "is needed") (schema.required or [ ]);

  nameOf =
    schema:
    if schema ? const then
      toJSON schema.const
    else
      {
        string = "a string";
        boolean = "true or false";
        integer = "a whole number";
        number = "a number";
        array = "a list";
        object = "an attribute set";
      }
      .${schema.type or ""} or "something else";
in
value: check "" schema value
