{
  lib,
  stdenv,
  buildNpmPackage,
  installShellFiles,
  makeWrapper,
  # Missing in releases of nixpkgs before 25.05, which must say more than the name of an argument.
  nodejs_24 ? null,
  # In nixpkgs since 24.05.
  importNpmLock ? null,
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
    buildTools = [
      "typescript"
      "@types/node"
    ];
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
      ../src
      ../tsconfig.build.json
      ../tsconfig.json
    ];
  };

  nodejs = nodejs_24;
  npmDeps = importNpmLock npmPackages;
  inherit (importNpmLock) npmConfigHook;

  nativeBuildInputs = [
    installShellFiles
    makeWrapper
  ];

  # npm keeps the compiler, because a library names it as an optional peer. The wrapper is ours because of what the
  # program's own first line says: half the memory for young objects, and the authorities of the system.
  postInstall =
    ''
      modules=$out/lib/node_modules/homelab-deploy
      rm -rf $modules/node_modules/{typescript,@typescript,@types,.bin}

      rm $out/bin/homelab-deploy
      makeWrapper ${lib.getExe nodejs_24} $out/bin/homelab-deploy \
        --add-flags "--max-semi-space-size=8 --heap-growing-percent=50 --use-system-ca $modules/dist/cli/main.js"
    ''
    + lib.optionalString isNative ''
      for shell in bash zsh fish; do
        $out/bin/homelab-deploy completion $shell > homelab-deploy.$shell
      done
      installShellCompletion --cmd homelab-deploy \
        --bash homelab-deploy.bash --zsh homelab-deploy.zsh --fish homelab-deploy.fish

      $out/bin/homelab-deploy manual homelab-deploy.1 > homelab-deploy.1
      $out/bin/homelab-deploy manual homelab-deploy.json.5 > homelab-deploy.json.5
      installManPage homelab-deploy.1 homelab-deploy.json.5
    '';

  doInstallCheck = isNative;
  installCheckPhase = ''
    runHook preInstallCheck
    test "$($out/bin/homelab-deploy --version)" = ${manifest.version}
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
