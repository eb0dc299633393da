// Locks of the shapes that a census of real repositories found, each at two states: before and after an update.
import {
  file,
  follows,
  git,
  github,
  gitlab,
  indirect,
  mercurial,
  path,
  relativePath,
  sourcehut,
  tarball,
  type LockedInput,
  type Tree,
} from "./lock-tree.ts";

export interface LockCase {
  readonly name: string;
  readonly at: (state: number) => Tree;
  /** The inputs of the flake that an update moves; all that are locked without it. */
  readonly moves?: readonly string[];
}

const nixpkgs = (state: number): LockedInput =>
  github("NixOS/nixpkgs", state, { at: { ref: "nixos-unstable" } });
const lib = (state: number): LockedInput => github("nix-community/nixpkgs.lib", state);
const systems = (): LockedInput => github("nix-systems/default", 1);
const utils = (state: number): LockedInput =>
  github("numtide/flake-utils", state, { inputs: { systems: systems() } });
const homeManager = (state: number): LockedInput =>
  github("nix-community/home-manager", state, { inputs: { nixpkgs: follows("nixpkgs") } });

/** Every kind of node, with what real ones have beside it. */
const kinds: Readonly<Record<string, (state: number, inputs?: Tree) => LockedInput>> = {
  github: (state, inputs) => github("owner/repo", state, { inputs }),
  "github at a branch": (state, inputs) =>
    github("owner/repo", state, { at: { ref: "release-24.05" }, inputs }),
  "github in a directory": (state, inputs) =>
    github("owner/repo", state, { at: { dir: "nix/flake" }, inputs }),
  "github at a host": (state, inputs) =>
    github("owner/repo", state, { at: { host: "git.example.com" }, inputs }),
  "gitlab in a group": (state, inputs) => gitlab("group%2Fsub/repo", state, { inputs }),
  sourcehut: (state, inputs) => sourcehut("~owner/repo", state, { at: { host: "git.example.org" }, inputs }),
  git: (state, inputs) => git("https://git.example.com/repo.git", state, { inputs }),
  "git at a branch": (state, inputs) =>
    git("ssh://git@git.example.com/repo.git", state, { at: { ref: "main" }, inputs }),
  "git with submodules": (state, inputs) =>
    git("https://git.example.com/repo", state, { at: { submodules: true }, inputs }),
  "git, shallow and with LFS": (state, inputs) =>
    git("file:///srv/git/repo", state, { at: { shallow: true, lfs: true }, inputs }),
  "git in a directory": (state, inputs) =>
    git("https://git.example.com/repo", state, { at: { dir: "sub/dir" }, inputs }),
  hg: (state, inputs) => mercurial("https://hg.example.com/repo", state, { inputs }),
  "a tarball of a commit": (state, inputs) =>
    tarball("https://flakehub.example.com/f/repo/0.1.tar.gz", state, { also: { revCount: state }, inputs }),
  "a tarball with a time": (state, inputs) =>
    tarball("https://example.com/latest.tar.xz", state, { locks: "time", inputs }),
  "a tarball with nothing but a hash": (state, inputs) =>
    tarball("https://example.com/latest.zip", state, { locks: "content", inputs }),
  "an absolute path": (state, inputs) => path("/srv/flakes/repo", state, { inputs }),
  indirect: (state, inputs) => indirect("nixpkgs", state, { inputs }),
  "indirect at a branch": (state, inputs) =>
    indirect("nixpkgs", state, { at: { ref: "nixos-24.05" }, inputs }),
};

const ofKinds: readonly LockCase[] = Object.entries(kinds).flatMap(([kind, make]) => [
  { name: kind, at: (state) => ({ nixpkgs: nixpkgs(state), repo: make(state) }) },
  {
    name: `${kind}, below another and with some below it`,
    at: (state) => ({
      nixpkgs: nixpkgs(state),
      outer: github("owner/outer", state, {
        inputs: { repo: make(state, { lib: lib(state), nixpkgs: follows("nixpkgs") }) },
      }),
    }),
  },
]);

const notFlakes: readonly LockCase[] = [
  { name: "a file", at: (state) => ({ hosts: file("https://example.com/hosts.json", state) }) },
  {
    name: "sources that are no flakes",
    at: (state) => ({
      dotfiles: github("owner/dotfiles", state, { flake: false }),
      hosts: file("file:///srv/hosts", state),
      theme: tarball("https://example.com/theme.tar.gz", state, { flake: false, locks: "content" }),
      "vim-plugin": git("https://git.example.com/plugin", state, { flake: false }),
    }),
  },
  {
    name: "sources below a flake",
    at: (state) => ({
      haskell: github("owner/haskell.nix", state, {
        inputs: {
          "cabal-3.10": github("haskell/cabal", 1, { at: { ref: "3.10" }, flake: false }),
          hackage: github("owner/hackage.nix", state, { flake: false }),
          hls: github("haskell/hls", state, { flake: false }),
        },
      }),
    }),
  },
];

const relative: readonly LockCase[] = [
  {
    name: "flakes of the same repository",
    at: (state) => ({
      nixpkgs: nixpkgs(state),
      modules: relativePath("./modules", [], { nixpkgs: follows("nixpkgs") }),
      pkgs: relativePath("./pkgs", [], { utils: utils(state) }),
    }),
    moves: ["nixpkgs", "pkgs"],
  },
  {
    name: "a flake of the repository of an input",
    at: (state) => ({
      outer: github("owner/outer", state, {
        inputs: {
          sub: relativePath("./sub", ["outer"], { lib: lib(state) }),
          up: relativePath("..", ["outer", "sub"]),
        },
      }),
    }),
  },
];

const followers: readonly LockCase[] = [
  {
    name: "an input that follows",
    at: (state) => ({ nixpkgs: nixpkgs(state), "home-manager": homeManager(state) }),
  },
  {
    name: "a root input that follows one below another",
    at: (state) => ({
      lanzaboote: github("owner/lanzaboote", state, { inputs: { nixpkgs: nixpkgs(state) } }),
      nixpkgs: follows("lanzaboote", "nixpkgs"),
    }),
    moves: ["lanzaboote"],
  },
  {
    name: "root inputs that follow those that follow",
    at: (state) => ({
      nixpkgs: follows("unstable"),
      pkgs: follows("nixpkgs"),
      unstable: nixpkgs(state),
    }),
    moves: ["unstable"],
  },
  {
    name: "a chain of inputs that follow each other's",
    at: (state) => ({
      a: github("owner/a", state, { inputs: { lib: follows("b", "lib"), nixpkgs: follows("nixpkgs") } }),
      b: github("owner/b", state, { inputs: { lib: follows("c", "lib"), nixpkgs: follows("a", "nixpkgs") } }),
      c: github("owner/c", state, { inputs: { lib: lib(state) } }),
      nixpkgs: nixpkgs(state),
    }),
  },
  {
    name: "inputs that follow the flake itself",
    at: (state) => ({
      dev: github("owner/dev", state, {
        inputs: {
          "flake-compat": follows(),
          "git-hooks": github("owner/git-hooks", state, { inputs: { parent: follows() } }),
        },
      }),
    }),
  },
  {
    name: "what is followed deep down",
    at: (state) => ({
      hydra: github("NixOS/hydra", state, {
        inputs: {
          nix: github("NixOS/nix", state, {
            inputs: {
              libgit2: follows("hydra", "libgit2"),
              "nixpkgs-regression": follows("hydra"),
              nixpkgs: nixpkgs(state),
            },
          }),
          libgit2: github("libgit2/libgit2", 1, { at: { ref: "v1.8.1" }, flake: false }),
          nixpkgs: follows("hydra", "nix", "nixpkgs"),
        },
      }),
    }),
  },
  {
    name: "an input whose own inputs follow others after the update",
    at: (state) => ({
      a: github("owner/a", state, {
        inputs:
          state === 1
            ? { lib: lib(1), nixpkgs: nixpkgs(1) }
            : {
                lib: follows("a", "nixpkgs", "lib"),
                nixpkgs: github("NixOS/nixpkgs", 2, { inputs: { lib: lib(2) } }),
              },
      }),
      nixpkgs: nixpkgs(state),
    }),
  },
];

const moving: readonly LockCase[] = [
  {
    name: "what floats below an input that does not move",
    at: (state) => ({ tool: github("owner/tool", 1, { inputs: { deep: lib(state) } }), nixpkgs: nixpkgs(1) }),
    moves: ["tool"],
  },
  {
    name: "what floats three levels below",
    at: (state) => ({
      a: github("owner/a", 1, {
        inputs: {
          b: github("owner/b", 1, { inputs: { c: github("owner/c", 1, { inputs: { lib: lib(state) } }) } }),
        },
      }),
      nixpkgs: nixpkgs(state),
    }),
  },
  {
    name: "an input that is pinned",
    at: (state) => ({
      nixpkgs: nixpkgs(state),
      pinned: github("owner/pinned", 1, { at: { rev: "0123456789abcdef0123456789abcdef01234567" } }),
    }),
    moves: ["nixpkgs"],
  },
  {
    name: "an input that takes in more after the update",
    at: (state) => ({
      nixpkgs: nixpkgs(state),
      stylix: github("owner/stylix", state, {
        inputs:
          state === 1
            ? { nixpkgs: follows("nixpkgs") }
            : { base16: lib(2), nixpkgs: follows("nixpkgs"), systems: systems(), utils: utils(2) },
      }),
    }),
  },
  {
    name: "an input that takes in nothing after the update",
    at: (state) => ({
      nixpkgs: nixpkgs(state),
      stylix: github("owner/stylix", state, {
        inputs: state === 2 ? undefined : { base16: lib(1), utils: utils(1) },
      }),
    }),
  },
  {
    name: "an input that goes back",
    at: (state) => ({ nixpkgs: nixpkgs(3 - state), utils: utils(1) }),
    moves: ["nixpkgs"],
  },
  { name: "nothing moves", at: () => ({ nixpkgs: nixpkgs(1), utils: utils(1) }), moves: [] },
  { name: "no inputs", at: () => ({}), moves: [] },
];

/** The same object at several places. */
const shared: readonly LockCase[] = [
  {
    name: "a node that two inputs share",
    at: (state) => {
      const one = lib(state);
      return {
        a: github("owner/a", state, { inputs: { lib: one } }),
        b: github("owner/b", state, { inputs: { lib: one } }),
      };
    },
  },
  {
    name: "a node that is shared under two names",
    at: (state) => {
      const one = utils(state);
      return {
        a: github("owner/a", state, { inputs: { "flake-utils": one } }),
        utils: one,
        z: github("owner/z", state, { inputs: { utils: one } }),
      };
    },
  },
  {
    name: "a diamond",
    at: (state) => {
      const bottom = lib(state);
      const left = github("owner/left", state, { inputs: { bottom } });
      const right = github("owner/right", state, { inputs: { bottom, left } });
      return { top: github("owner/top", state, { inputs: { left, right } }) };
    },
  },
];

const names: readonly LockCase[] = [
  {
    name: "more than ten nodes of one name",
    at: (state) => ({
      ...Object.fromEntries(
        Array.from({ length: 12 }, (_, index) => [
          `i${index}`,
          github(`owner/i${index}`, state, { inputs: { nixpkgs: github("NixOS/nixpkgs", state + index) } }),
        ]),
      ),
      nixpkgs: nixpkgs(state),
    }),
  },
  {
    name: "an input that is called as Nix would call the second",
    at: (state) => ({
      a: github("owner/a", state, { inputs: { nixpkgs: nixpkgs(state), nixpkgs_2: lib(state) } }),
      nixpkgs: nixpkgs(state),
      nixpkgs_2: github("owner/two", state),
    }),
  },
  {
    name: "an input that is called root",
    at: (state) => ({ a: github("owner/a", state, { inputs: { root: lib(state) } }), root: nixpkgs(state) }),
  },
  {
    name: "names in the order of their bytes",
    at: (state) =>
      Object.fromEntries(
        ["Zed", "a", "a-b", "a0", "aB", "a_b", "ab", "b1", "b10", "b2"].map((name) => [
          name,
          github(`owner/${name}`, state, { inputs: { ab: lib(state) } }),
        ]),
      ),
  },
  {
    name: "numbers for names, which JavaScript would sort first",
    at: (state) => ({
      a: github("owner/a", state, { inputs: { "10": lib(state), "9": utils(state), b: systems() } }),
    }),
  },
  {
    name: "text that JSON escapes",
    at: (state) => ({
      odd: git(`https://git.example.com/a"b\\c/ü?x=1&y=%20#\u2028`, state),
      path: path("/srv/a b/ö", state),
    }),
  },
];

const large: readonly LockCase[] = [
  {
    name: "500 nodes side by side",
    at: (state) =>
      Object.fromEntries(
        Array.from({ length: 500 }, (_, index) => [`input-${index}`, github(`owner/input-${index}`, state)]),
      ),
  },
  {
    name: "500 nodes below ten inputs",
    at: (state) =>
      Object.fromEntries(
        Array.from({ length: 10 }, (_, outer) => [
          `group-${outer}`,
          github(`owner/group-${outer}`, state, {
            inputs: Object.fromEntries(
              Array.from({ length: 49 }, (_inner, index) => [
                `input-${index}`,
                github(`owner/${outer}-${index}`, state),
              ]),
            ),
          }),
        ]),
      ),
  },
  {
    name: "a hundred inputs below one another",
    at: (state) => ({
      deep: Array.from({ length: 100 }, (_, level) => level).reduce<LockedInput>(
        (inner, level) =>
          github(`owner/level-${level}`, state, { inputs: { inner, nixpkgs: follows("nixpkgs") } }),
        lib(state),
      ),
      nixpkgs: nixpkgs(state),
    }),
  },
];

/** A real fleet has most of it at once. */
const fleet: LockCase = {
  name: "a fleet",
  at: (state) => ({
    nixpkgs: nixpkgs(state),
    "nixpkgs-stable": github("NixOS/nixpkgs", state, { at: { ref: "nixos-24.05" } }),
    "home-manager": homeManager(state),
    agenix: github("ryantm/agenix", state, {
      inputs: {
        darwin: github("lnl7/nix-darwin", 1, { inputs: { nixpkgs: follows("agenix", "nixpkgs") } }),
        "home-manager": follows("home-manager"),
        nixpkgs: follows("nixpkgs"),
        systems: systems(),
      },
    }),
    disko: github("nix-community/disko", state, { inputs: { nixpkgs: follows("nixpkgs-stable") } }),
    secrets: git("ssh://git@git.example.com/secrets.git", state, { at: { shallow: true }, flake: false }),
    site: relativePath("./site", [], { nixpkgs: follows("nixpkgs"), utils: utils(state) }),
    hardware: indirect("nixos-hardware", state),
    weekly: tarball("https://flakehub.example.com/f/weekly/0.1.tar.gz", state),
    blocklist: file("https://example.com/hosts.txt", state),
  }),
};

export const lockCorpus: readonly LockCase[] = [
  ...ofKinds,
  ...notFlakes,
  ...relative,
  ...followers,
  ...moving,
  ...shared,
  ...names,
  ...large,
  fleet,
];
