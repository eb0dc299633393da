# package.json and package-lock.json for nixpkgs' importNpmLock: with the address of every package, which our lock
# leaves out because it follows from name and version, and without what only developers and tests need. Each
# package is then fetched by the hash in the lock, so there is no hash of all of them to keep up to date.
{
  package,
  packageLock,
  # Of devDependencies, those that `npm run build` needs.
  buildTools,
  # Of the platform that builds, in npm's words, such as "linux" and "x64"; compilers for others are left out then.
  os ? null,
  cpu ? null,
  registry ? "https://registry.npmjs.org",
}:
let
  inherit (builtins)
    attrNames
    concatMap
    elem
    elemAt
    filter
    genericClosure
    intersectAttrs
    isString
    listToAttrs
    map
    split
    ;

  pick = names: attrs: intersectAttrs (listToAttrs (map (name: { inherit name; value = null; }) names)) attrs;
  last = list: elemAt list (builtins.length list - 1);

  # "node_modules/a/node_modules/@scope/b" -> "@scope/b"
  nameOf = path: last (filter isString (split "node_modules/" path));

  # "@scope/b" -> "b"
  baseOf = name: last (filter isString (split "/" name));

  # Also of packages inside others': their names are looked up at the top, which at most keeps one too many.
  neededBy =
    path:
    let
      entry = packageLock.packages.${path};
      isOptionalPeer = name: (entry.peerDependenciesMeta or { }).${name}.optional or false;
    in
    attrNames (entry.dependencies or { } // entry.optionalDependencies or { })
    ++ filter (name: !isOptionalPeer name) (attrNames (entry.peerDependencies or { }));

  pathsOf = name: filter (path: path != "" && nameOf path == name) (attrNames packageLock.packages);

  kept = map (item: item.key) (genericClosure {
    startSet = map (name: { key = name; }) (attrNames package.dependencies ++ buildTools);
    operator = { key }: map (name: { key = name; }) (concatMap neededBy (pathsOf key));
  });

  isFor =
    entry: (os == null || elem os (entry.os or [ os ])) && (cpu == null || elem cpu (entry.cpu or [ cpu ]));

  isKept = path: path == "" || (elem (nameOf path) kept && isFor packageLock.packages.${path});

  withAddress =
    path: entry:
    if path == "" then
      entry // { devDependencies = pick buildTools entry.devDependencies; }
    else
      let
        name = entry.name or (nameOf path);
      in
      entry // { resolved = "${registry}/${name}/-/${baseOf name}-${entry.version}.tgz"; };
in
{
  package = package // {
    devDependencies = pick buildTools package.devDependencies;
  };
  packageLock = packageLock // {
    packages = builtins.mapAttrs withAddress (
      pick (filter isKept (attrNames packageLock.packages)) packageLock.packages
    );
  };
}
