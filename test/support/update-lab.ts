// A fleet whose flake has inputs, for updates: three input repos, a remote, and a Nix store, all of it real.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseCommit, type Commit } from "../../src/protocol/names.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "./nix-store.ts";

const run = promisify(execFile);

export const inputNames = ["alpha", "beta", "gamma"] as const;

/** What an input does to the hosts. */
export interface InputState {
  /** Another value is another derivation for every host. */
  readonly value?: string;
  /** Hosts that do not build with it. */
  readonly breaks?: readonly string[];
  /** Hosts that do not evaluate with it. */
  readonly throws?: readonly string[];
  /** Hosts that it takes away. */
  readonly removes?: readonly string[];
  /** Hosts that build only once another input has this value: `{ beta: "2" }` breaks all until beta is at 2. */
  readonly needs?: Readonly<Record<string, string>>;
  /** What hosts print that it breaks, whether they fail to build or to evaluate. */
  readonly prints?: string;
}

/** Which inputs the fleet has. */
export interface LabShape {
  readonly inputs: readonly string[];
  /** An input of an input, which has no lock of its own, by the input that it is below. */
  readonly below: Readonly<Record<string, string>>;
}

export interface UpdateLab extends AsyncDisposable {
  readonly store: ThrowAwayStore;
  readonly directory: string;
  /** Bare; its branch is `master`. */
  readonly remote: string;
  readonly url: string;
  /** @param date of the commit; otherwise now */
  bump(input: string, state: InputState, date?: Date): Promise<Commit>;
  /** A commit of a person on a branch of the remote: a file changed, or what the hosts are. */
  commit(branch: string, files: Readonly<Record<string, string>>): Promise<Commit>;
  /** Where the remote's branches are. */
  branches(): Promise<Readonly<Record<string, Commit>>>;
  show(commit: string, path: string): Promise<string>;
  git(...args: string[]): Promise<string>;
}

/** Breakages of `hosts.json` (see update-world.ts) look at all values; what an input says itself is easier to write. */
const flakeOf = ({ inputs, below }: LabShape, at: (name: string) => string): string => `{
  inputs = {
${inputs.map((name) => `    ${name}.url = "git+file://${at(name)}";`).join("\n")}
  };
  outputs = { self, ${inputs.join(", ")} }:
    let
      inherit (builtins) all any attrNames attrValues concatStringsSep elem filter fromJSON head listToAttrs readFile;
      inputs = {
${inputs.map((name) => `        ${name} = ${name}.state;`).join("\n")}
${Object.entries(below)
  .map(([name, inner]) => `        ${inner} = ${name}.below;`)
  .join("\n")}
      };
      states = attrValues inputs;
      own = fromJSON (readFile ./hosts.json);
      has = key: host: any (state: elem host (state.\${key} or [ ])) states;
      unmet = any (state: any (name: inputs.\${name}.value != state.needs.\${name}) (attrNames (state.needs or { }))) states;
      prints = concatStringsSep "" (map (state: state.prints or "") states);
      isWithin = { input, from, to }: let value = fromJSON inputs.\${input}.value; in value >= from && value <= to;
      breakages = host: filter (each: elem host each.hosts && all isWithin each.when) (own.breakages or [ ]);
      doesThrow = host: has "throws" host || (breakages host != [ ] && (head (breakages host)).verdict == "eval-failed");
      toplevel = host: derivation {
        inherit prints;
        name = "nixos-system-\${host}";
        system = "x86_64-linux";
        builder = "/bin/sh";
        PATH = "/usr/bin:/bin";
        values = map (state: state.value) states;
        motd = own.motd or "";
        args = [ "-c" (
          if has "breaks" host || unmet || elem host (own.broken or [ ]) || breakages host != [ ]
          then "echo building \${host}; printf '%s' \\"$prints\\"; echo; echo 'E: it does not compile' >&2; exit 1"
          else "mkdir -p $out; echo \${host} > $out/name"
        ) ];
      };
    in {
      nixosConfigurations = listToAttrs (map (host: {
        name = host;
        value.config.system.build.toplevel =
          if doesThrow host then throw "the option that \${host} needs is gone: \${prints}" else toplevel host;
      }) (filter (host: !(has "removes" host)) own.hosts));
    };
}
`;

const inputFlake = (name: string, { below }: LabShape, at: (name: string) => string): string => {
  const inner = below[name];
  const state = "builtins.fromJSON (builtins.readFile ./state.json)";
  return inner === undefined
    ? `{ outputs = { self }: { state = ${state}; }; }\n`
    : `{ inputs.${inner}.url = "git+file://${at(inner)}"; outputs = { self, ${inner} }: { state = ${state}; below = ${inner}.state; }; }\n`;
};

/**
 * @param existing a bare repository without a `master`, such as a forge's; a new one without it
 * @param shape the usual three inputs without it
 */
export async function createUpdateLab(
  hosts: readonly string[] = ["host01", "host02", "host03"],
  existing?: string,
  shape: LabShape = { inputs: inputNames, below: {} },
): Promise<UpdateLab> {
  const directory = await mkdtemp(join(tmpdir(), "homelab-update-"));
  const store = await createThrowAwayStore();
  const at = (name: string): string => join(directory, name);
  const git = (...args: string[]): Promise<string> => gitAt(new Date(), ...args);
  const gitAt = async (date: Date, ...args: string[]): Promise<string> => {
    const env = {
      GIT_COMMITTER_DATE: date.toISOString(),
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: "kai",
      GIT_AUTHOR_EMAIL: "kai@homelab.invalid",
      GIT_COMMITTER_NAME: "kai",
      GIT_COMMITTER_EMAIL: "kai@homelab.invalid",
    };
    return (await run("git", args, { env, cwd: directory })).stdout.trim();
  };
  const remote = existing ?? at("fleet.git");
  const work = at("fleet");

  async function commitIn(
    repository: string,
    files: Readonly<Record<string, string>>,
    date = new Date(),
  ): Promise<Commit> {
    for (const [path, text] of Object.entries(files)) await writeFile(join(repository, path), text);
    await git("-C", repository, "add", "--all");
    await gitAt(date, "-C", repository, "commit", "--quiet", "--allow-empty", "--message", "Change");
    return parseCommit(await git("-C", repository, "rev-parse", "HEAD"));
  }
  async function bump(input: string, state: InputState, date?: Date): Promise<Commit> {
    const before = JSON.parse(
      await readFile(join(at(input), "state.json"), "utf8").catch(() => '{"value":"1"}'),
    ) as InputState;
    return commitIn(at(input), { "state.json": JSON.stringify({ value: before.value, ...state }) }, date);
  }

  for (const input of [...shape.inputs, ...Object.values(shape.below)]) {
    await mkdir(at(input));
    await git("-C", at(input), "init", "--quiet", "--initial-branch=main");
    await writeFile(join(at(input), "flake.nix"), inputFlake(input, shape, at));
    await bump(input, { value: "1" });
  }
  if (existing === undefined) await git("init", "--quiet", "--bare", "--initial-branch=master", remote);
  await git("clone", "--quiet", remote, work).catch(() => undefined);
  await git("-C", work, "checkout", "--quiet", "-B", "master");
  await writeFile(join(work, "flake.nix"), flakeOf(shape, at));
  await commitIn(work, { "hosts.json": JSON.stringify({ hosts }) });
  await store.run("nix", "flake", "lock", `git+file://${work}`);
  await commitIn(work, {});
  await git("-C", work, "push", "--quiet", "origin", "master");

  return {
    store,
    directory,
    remote,
    url: `file://${remote}`,
    bump,
    git,
    async commit(branch, files) {
      await git("-C", work, "fetch", "--quiet", "origin");
      await git("-C", work, "checkout", "--quiet", "-B", branch, `origin/${branch}`);
      const commit = await commitIn(work, files);
      await git("-C", work, "push", "--quiet", "origin", branch);
      return commit;
    },
    async branches() {
      const listed = await git(
        "-C",
        remote,
        "for-each-ref",
        "--format=%(refname:lstrip=2) %(objectname)",
        "refs/heads/",
      );
      return Object.fromEntries(
        listed
          .split("\n")
          .filter((line) => line !== "")
          .map((line): [string, Commit] => {
            const [name = "", commit = ""] = line.split(" ");
            return [name, parseCommit(commit)];
          }),
      );
    },
    show: async (commit, path) => git("-C", remote, "show", `${commit}:${path}`),
    async [Symbol.asyncDispose]() {
      await store.remove();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
