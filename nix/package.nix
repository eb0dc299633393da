{
  lib,
  stdenv,
  buildNpmPackage,
  installShellFiles,
  makeWrapper,
  # Missing in releases of nixpkgs before 25.05, which must say more than the name of an argument.
  nodejs_24 ? null,
  # Without npm, which only the build needs.
  nodejs-slim_24 ? nodejs_24,
  removeReferencesTo,
  # In nixpkgs since 24.05.
  importNpmLock ? null,
  # Of this source, which has no repository here: 40 digits, with -dirty at the end where something differs.
  commit ? null,
}:
let
  manifest = lib.importJSON ../package.json;
  cpus = {
    x86_64 = "x64";
    aarch64 = "arm64";
  };
  npmPackages = import ./npm-packages.nix {
    package = manifest;
    packageLock = lib.importJSON ../package-lock.json;
    buildTools = [ "rolldown" ];
    os = if stdenv.buildPlatform.isLinux then "linux" else "darwin";
    cpu = cpus.${stdenv.buildPlatform.parsed.cpu.name} or null;
  };
  isNative = stdenv.buildPlatform.canExecute stdenv.hostPlatform;
  neededNode = lib.removePrefix ">=" manifest.engines.node;
in
assert lib.assertMsg (nodejs_24 != null && lib.versionAtLeast nodejs_24.version neededNode)
  "homelab-deploy needs Node ${neededNode}; this nixpkgs has ${
    if nodejs_24 == null then "no nodejs_24" else nodejs_24.version
  }. Take its package from a newer nixpkgs: set services.homelab-deploy.package, or leave out `inputs.nixpkgs.follows`";
buildNpmPackage {
  pname = manifest.name;
  inherit (manifest) version;

  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../LICENSE
      ../README.md
      ../package.json
      ../package-lock.json
      ../rolldown.config.ts
      ../src
    ];
  };

  nodejs = nodejs_24;
  npmDeps = importNpmLock npmPackages;
  inherit (importNpmLock) npmConfigHook;

  env.HOMELAB_DEPLOY_COMMIT = if commit == null then "" else commit;

  nativeBuildInputs = [
    installShellFiles
    makeWrapper
    removeReferencesTo
  ];

  # The libraries are in the program. The wrapper is ours because of what the program's own first line says: half the memory for young objects, and the authorities of the system. What is on the
  # command line wins over NODE_OPTIONS, with which the listener asks for less: so they are what is said where it is set.
  postInstall =
    ''
      modules=$out/lib/node_modules/homelab-deploy
      rm -rf $modules/node_modules

      rm $out/bin/homelab-deploy
      makeWrapper ${lib.getExe nodejs-slim_24} $out/bin/homelab-deploy \
        --add-flags "\''${NODE_OPTIONS---max-semi-space-size=8} --use-system-ca $modules/dist/cli/main.js"
    ''
    # Made by the build, as for every other package.
    + ''
      share=$modules/dist/share
      installShellCompletion --cmd homelab-deploy \
        --bash $share/bash-completion/completions/homelab-deploy \
        --zsh $share/zsh/site-functions/_homelab-deploy \
        --fish $share/fish/vendor_completions.d/homelab-deploy.fish
      installManPage $share/man/man1/homelab-deploy.1 $share/man/man5/homelab-deploy.json.5
    '';

  # The first lines of scripts name the Node that built them, and every host would get it.
  postFixup = lib.optionalString (nodejs-slim_24 != nodejs_24) ''
    find $out -type f -exec remove-references-to -t ${nodejs_24} {} +
  '';

  doInstallCheck = isNative;
  installCheckPhase = ''
    runHook preInstallCheck
    case "$($out/bin/homelab-deploy --version)" in
      ${manifest.version} | "${manifest.version} ("*) ;;
      *) exit 1 ;;
    esac
    $out/bin/homelab-deploy config schema > /dev/null
    runHook postInstallCheck
  '';

  meta = {
    inherit (manifest) description;
    license = lib.licenses.mit;
    mainProgram = "homelab-deploy";
    platforms = lib.platforms.linux;
  };
}
