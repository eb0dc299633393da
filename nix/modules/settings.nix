# What the modules have in common: settings in the configuration file's own names, secrets as systemd credentials, and
# one file that is checked twice: while the configuration evaluates by the JSON schema, while it builds by the program.
{ lib, pkgs }:
let
  inherit (lib) types mkOption;

  schema = lib.importJSON ./settings-schema.json;
  checkSchema = import ./check-schema.nix schema;

  # The names of settings that are paths of secrets: those that may be a systemd credential.
  secretNamesOf =
    schema:
    lib.concatLists (
      lib.mapAttrsToList (
        name: property:
        if builtins.match ".*CREDENTIALS_DIRECTORY.*" (property.pattern or "") != null then
          [ name ]
        else
          secretNamesOf property
      ) (schema.properties or { })
    )
    ++ lib.optionals (lib.isAttrs (schema.additionalProperties or null)) (secretNamesOf schema.additionalProperties);
  secretNames = lib.unique (secretNamesOf schema);

  format = pkgs.formats.json { };

  isAttrs = value: builtins.isAttrs value && !lib.isDerivation value;
  dotted = lib.concatStringsSep ".";
  isCredential = lib.hasPrefix "$CREDENTIALS_DIRECTORY/";

  # Every secret of the settings: { path = [ "nats" "nkeyFile" ]; value = "/run/secrets/…"; }
  secretsIn =
    path: settings:
    lib.concatLists (
      lib.mapAttrsToList (
        name: value:
        let
          here = path ++ [ name ];
        in
        if isAttrs value then
          secretsIn here value
        else
          lib.optional (lib.elem name secretNames && value != null) {
            path = here;
            inherit value;
          }
      ) settings
    );

  stores = [
    "/nix/store"
    builtins.storeDir
  ];

  # What is wrong with the path of a secret, or null.
  secretProblem =
    value:
    if builtins.isPath value then
      "is a path without quotes, which Nix would copy into its store where everybody can read it: write it in quotes, as \"/run/secrets/…\""
    else if !builtins.isString value then
      "must be the path of a file, as a string"
    else if builtins.hasContext value || lib.any (store: lib.hasPrefix "${store}/" value) stores then
      "is in the Nix store, which everybody can read: name a file outside of it, such as one of sops-nix or agenix"
    else if isCredential value then
      null
    else if builtins.match "/[^%\n]+" value == null then
      "must be an absolute path, without %, of a file that is there when the service starts"
    else
      null;

  isRepoName =
    name: builtins.match "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?" name != null && name != "all" && name != "any";

  # The name of a systemd credential. It is a file, and `:` ends it in LoadCredential=; hosts of inputs can have a port.
  credentialName = path: lib.replaceStrings [ ":" "[" "]" ] [ "_" "_" "_" ] (dotted path);

  # The value of a secret in the file.
  credentialOf =
    path: value: if isCredential value then value else "$CREDENTIALS_DIRECTORY/${credentialName path}";

  withCredentials =
    path: settings:
    lib.mapAttrs (
      name: value:
      let
        here = path ++ [ name ];
      in
      if isAttrs value then
        withCredentials here value
      else if lib.elem name secretNames && value != null then
        # Anything else is refused by an assertion, and must not be copied into the store on the way there.
        if builtins.isString value then credentialOf here value else ""
      else
        value
    ) settings;

  withoutNulls =
    value:
    if isAttrs value then lib.mapAttrs (_: withoutNulls) (lib.filterAttrs (_: each: each != null) value) else value;
in
rec {
  inherit format secretNames;

  secretPath = types.mkOptionType {
    name = "secretPath";
    description = "absolute path outside the Nix store, as a string";
    descriptionClass = "noun";
    check = value: secretProblem value == null;
    merge = types.str.merge;
  };

  settingsOption =
    example:
    mkOption {
      type = types.submodule { freeformType = format.type; };
      default = { };
      inherit example;
      description = ''
        The configuration file, with its own names; docs/reference/configuration.md describes them. The file of a secret
        (`tokenFile`, `sshKeyFile` and similar settings) is loaded as a systemd credential, so only root needs to be able
        to read it.
      '';
    };

  credentialsOption = mkOption {
    type = types.attrsOf secretPath;
    default = { };
    example = {
      "deploy-key" = "/run/secrets/deploy-key";
    };
    description = ''
      More systemd credentials, by name. Settings refer to them as `$CREDENTIALS_DIRECTORY/name`. Secrets whose path is in
      the settings need no entry here.
    '';
  };

  natsOptions = role: inboxPrefix: {
    servers = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "tls://nats.lan:4222" ];
      description = "NATS servers to try.";
    };
    nkeyFile = mkOption {
      type = types.nullOr secretPath;
      default = null;
      example = "/run/secrets/homelab-deploy/nats.nk";
      description = "File with the NKey seed to sign in with, of a user with the role `${role}`.";
    };
    credentialsFile = mkOption {
      type = types.nullOr secretPath;
      default = null;
      description = "File with NATS credentials (a JWT and its seed), instead of `nkeyFile`.";
    };
    inboxPrefix = mkOption {
      type = types.nullOr types.str;
      default = null;
      defaultText = lib.literalExpression (builtins.toJSON inboxPrefix);
      description = "Prefix of reply subjects, as the server's permissions require it.";
    };
    jetstreamDomain = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "JetStream domain of the server with the streams, if `servers` are leaf nodes.";
    };
    tls = {
      caFile = mkOption {
        type = types.nullOr types.str;
        default = null;
        description = "Certificate authority of the servers, PEM (default: the system's).";
      };
      certFile = mkOption {
        type = types.nullOr types.str;
        default = null;
        description = "Client certificate, PEM.";
      };
      keyFile = mkOption {
        type = types.nullOr secretPath;
        default = null;
        description = "File with the key of `certFile`, PEM.";
      };
    };
  };

  # `settings.nats` out of the options of that name.
  natsSettings =
    nats:
    lib.filterAttrs (_: value: value != null && value != [ ] && value != { }) {
      inherit (nats)
        servers
        nkeyFile
        credentialsFile
        inboxPrefix
        jetstreamDomain
        ;
      tls = lib.filterAttrs (_: value: value != null) nats.tls;
    };

  natsAssertions =
    option: nats:
    let
      isLoopback = server: builtins.match "(nats|tls)://(127\\.[0-9.]+|localhost|\\[::1])(:[0-9]+)?" server != null;
      hasNone = nats.nkeyFile == null && nats.credentialsFile == null;
    in
    [
      {
        assertion = nats.servers != [ ];
        message = "${option}.nats.servers is empty: say where NATS is, such as [ \"tls://nats.lan:4222\" ].";
      }
      {
        assertion = hasNone -> lib.all isLoopback nats.servers;
        message = "${option}.nats.nkeyFile is not set, and only a server on the loopback may be without users: make a key with `homelab-deploy nats keygen FILE`, and set this to the path of the seed on the machine.";
      }
      {
        assertion = nats.nkeyFile == null || nats.credentialsFile == null;
        message = "${option}.nats.nkeyFile and ${option}.nats.credentialsFile exclude each other: choose one.";
      }
    ];

  # A service that the daemon trusts is root, and so is whoever gets hold of it. Also by one of its groups, and as text.
  trustAssertion =
    config: user:
    let
      users = config.users.users or { };
      groups = config.users.groups or { };
      own = users.${user} or { };
      groupsOf = [
        (own.group or user)
      ]
      ++ own.extraGroups or [ ]
      ++ lib.filter (group: lib.elem user (groups.${group}.members or [ ])) (lib.attrNames groups);
      names = [
        user
        "*"
      ]
      ++ map (group: "@${group}") groupsOf;
      settings = config.nix.settings or { };
      wordsOf = value: if builtins.isString value then lib.splitString " " value else value;
      settingIn =
        line:
        let
          found = builtins.match "[[:space:]]*((extra-)?trusted-users)[[:space:]]*=(.*)" line;
        in
        lib.optionals (found != null) (lib.splitString " " (lib.elemAt found 2));
      trusted =
        wordsOf (settings.trusted-users or [ ])
        ++ wordsOf (settings.extra-trusted-users or [ ])
        ++ lib.concatMap settingIn (lib.splitString "\n" (config.nix.extraOptions or ""));
      trustedToo = lib.intersectLists names trusted;
    in
    {
      assertion = trustedToo == [ ];
      message = "nix.settings.trusted-users makes ${user} as good as root: take ${lib.concatStringsSep " and " trustedToo} out of it, and out of extra-trusted-users. The service needs allowed-users only.";
    };

  # It evaluates and builds with the daemon of this machine.
  nixAssertion = config: option: {
    assertion = config.nix.enable or true;
    message = "${option} needs Nix and its daemon on this host, and nix.enable is false.";
  };

  # All that can be known before anything is built.
  settingsAssertions =
    option: settings:
    map
      (problem: {
        assertion = false;
        message = "${option}.settings.${problem.path}: ${problem.message}";
      })
      (
        lib.concatMap (
          { path, value }:
          let
            message = secretProblem value;
          in
          lib.optional (message != null) {
            path = dotted path;
            inherit message;
          }
        ) (secretsIn [ ] settings)
        ++ lib.concatMap (
          name:
          lib.optional (!isRepoName (lib.last name)) {
            path = dotted name;
            message = "is not a repo name that can be used: small letters, digits and - (not at an end), at most 63, and not all or any";
          }
        ) (
          map (name: [ "repos" name ]) (lib.attrNames (settings.repos or { }))
          ++ map (name: [ "deployer" "rollouts" name ]) (lib.attrNames (settings.deployer.rollouts or { }))
        )
        # A value that Nix would copy into its store is no longer compared with the schema.
        ++ lib.filter ({ path, ... }: !(lib.elem path (map (secret: dotted secret.path) (secretsIn [ ] settings)))) (
          checkSchema (withoutNulls settings)
        )
      );

  # For LoadCredential=.
  loadCredential =
    settings: more:
    map ({ path, value }: "${credentialName path}:${value}") (
      lib.filter ({ value, ... }: builtins.isString value && !isCredential value) (secretsIn [ ] settings)
    )
    ++ lib.mapAttrsToList (name: path: "${name}:${path}") more;

  settingsFile =
    {
      name,
      role,
      package,
      settings,
    }:
    checkedFile {
      inherit name package;
      check = "config check --for ${role}";
      content = withCredentials [ ] (withoutNulls settings);
    };

  # A file of JSON, checked by the program that reads it while it is built.
  checkedFile =
    {
      name,
      package,
      check,
      content,
    }:
    let
      file = format.generate name content;
    in
    if pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform then
      pkgs.runCommand name { preferLocalBuild = true; } ''
        ${lib.getExe package} ${check} ${file}
        cp ${file} $out
      ''
    else
      file;

  # What a service of ours needs around it, besides its sandbox.
  serviceEnvironment =
    config:
    let
      authorities = config.security.pki.caBundle or "/etc/ssl/certs/ca-certificates.crt";
    in
    config.networking.proxy.envVars or { }
    // {
      NIX_REMOTE = "daemon";
      # Node trusts only what it brings along, git and Nix what they are told: here all of them what the system trusts.
      NODE_EXTRA_CA_CERTS = authorities;
      NIX_SSL_CERT_FILE = authorities;
      SSL_CERT_FILE = authorities;
    };
}
