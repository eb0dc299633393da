// A flake with an input of every kind that Nix can lock without a network, and two states of each of them.
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gitEnvironment } from "./git-remote.ts";
import type { ThrowAwayStore } from "./nix-store.ts";

const run = promisify(execFile);

export interface FlakeOfKinds {
  /** The checkout of the flake itself, which is not locked yet. */
  readonly directory: string;
  /** Makes another state of each input that can move. */
  readonly advance: () => Promise<void>;
}

/** @param isRecent whether Nix is 2.26 or newer: 2.8 knows no single files, and no flakes in the flake's own repository */
export async function createFlakeOfKinds(
  store: ThrowAwayStore,
  directory: string,
  { isRecent }: { readonly isRecent: boolean },
): Promise<FlakeOfKinds> {
  const at = (name: string): string => join(directory, name);
  const url = (name: string, query = "ref=main"): string => `git+file://${at(name)}?${query}`;
  let state = 0;

  async function commit(name: string, files: Readonly<Record<string, string>>): Promise<string> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(at(name), path, ".."), { recursive: true });
      await writeFile(join(at(name), path), text);
    }
    await git(at(name), "add", "--all");
    await git(at(name), "commit", "--quiet", "--allow-empty", "--message", `State ${state}`);
    return git(at(name), "rev-parse", "HEAD");
  }
  const flake = (...inputs: readonly string[]): string =>
    `{ inputs = { ${inputs.join(" ")} }; outputs = inputs: { v = "${state}"; }; }\n`;
  const input = (name: string, target = url(name)): string => `${name}.url = "${target}";`;

  /** Those that take in others come after them. */
  async function advance(): Promise<void> {
    state++;
    await commit("plain", { "flake.nix": flake() });
    await commit("deep", { "flake.nix": flake(input("plain")) });
    await commit("floating", { "flake.nix": flake(input("plain"), input("deep")) });
    await commit("locked", { "flake.nix": flake(input("plain"), input("deep")) });
    await git(at("locked"), "rm", "--quiet", "--ignore-unmatch", "--force", "flake.lock");
    await store.run("nix", "flake", "lock", at("locked"));
    await commit("locked", {});
    await commit("selfish", { "flake.nix": flake(input("parent", url("plain")), input("plain")) });
    await commit("directory", { "nix/flake.nix": flake(input("plain")) });
    await commit("source", { README: `${state}` });
    await git(at("branch"), "symbolic-ref", "HEAD", "refs/heads/other");
    await commit("branch", { "flake.nix": flake() });
    await mkdir(at("path"), { recursive: true });
    await writeFile(join(at("path"), "flake.nix"), flake(input("plain")));
    await writeFile(at("hosts.json"), `{"state":${state}}`);
    await mkdir(at("archive"), { recursive: true });
    await writeFile(join(at("archive"), "flake.nix"), flake());
    await run("tar", [
      "--create",
      "--gzip",
      "--file",
      at("archive.tar.gz"),
      "--directory",
      directory,
      "archive",
    ]);
  }

  for (const name of [
    "plain",
    "deep",
    "floating",
    "locked",
    "selfish",
    "directory",
    "source",
    "branch",
    "pinned",
    "fleet",
  ]) {
    await mkdir(at(name), { recursive: true });
    await git(at(name), "init", "--quiet", "--initial-branch=main");
  }
  await advance();
  const pinned = await commit("pinned", { "flake.nix": flake() });
  const registry = [
    { from: { type: "indirect", id: "registered" }, to: { type: "git", url: `file://${at("plain")}` } },
  ];
  await writeFile(at("registry.json"), JSON.stringify({ version: 2, flakes: registry }));
  await store.configure(`flake-registry = ${at("registry.json")}\n`);

  const inner = `{ inputs = { ${input("plain")} ${input("deep")} }; outputs = _: { }; }\n`;
  const files = {
    "flake.nix": `{
  inputs = {
    ${input("plain")}
    ${input("deep")}
    ${input("floating")}
    ${input("locked")}
    locked.inputs.plain.follows = "alias";
    ${input("selfish")}
    selfish.inputs.parent.follows = "";
    selfish.inputs.plain.follows = "locked/plain";
    alias.follows = "plain";
    second-alias.follows = "alias";
    nested.follows = "floating/deep";
    ${input("directory", url("directory", "ref=main&dir=nix"))}
    ${input("branch", url("branch", "ref=other"))}
    ${input("pinned", url("pinned", `rev=${pinned}`))}
    ${input("path", `path:${at("path")}`)}
    ${input("registered", "flake:registered")}
    ${input("archive", `file://${at("archive.tar.gz")}`)}
    source = { url = "${url("source")}"; flake = false; };
    unpacked = { url = "file://${at("archive.tar.gz")}"; flake = false; };
    ${isRecent ? `hosts = { url = "file+file://${at("hosts.json")}"; flake = false; };` : ""}
    ${isRecent ? `${input("part", "path:./part")} part.inputs.plain.follows = "plain";` : ""}
  };
  outputs = inputs: { };
}
`,
    ...(isRecent && { "part/flake.nix": inner }),
  };
  await commit("fleet", files);
  return { directory: at("fleet"), advance };
}

async function git(directory: string, ...args: readonly string[]): Promise<string> {
  return (await run("git", args, { cwd: directory, env: gitEnvironment })).stdout.trim();
}
