import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { nodeFlags } from "../support/node-flags.ts";
import { loadDirectory, serveNarCache } from "../support/nar-cache.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "../support/nix-store.ts";
import { atMost, mebibytes, seconds, type BenchContext, type BenchResult } from "./bench.ts";
import { median, readResidentBytes } from "./measure.ts";

const groups = 100;
const paths = groups * groups + groups + 1;
const rounds = 2;
const narInfosOnly = join(import.meta.dirname, "verify-narinfos.ts");

/** Files that name each other, as Nix can make them without building: a top, a hundred groups, and a hundred in each. */
const expression = `
  let
    count = builtins.genList (n: n) ${groups};
    leaf = group: n: builtins.toFile "leaf-\${toString group}-\${toString n}" "\${toString n}";
    group = n: builtins.toFile "group-\${toString n}" (builtins.concatStringsSep "\\n" (map (leaf n) count));
  in builtins.toFile "top" (builtins.concatStringsSep "\\n" (map group count))
`;

interface Run {
  readonly wallSeconds: number;
  readonly mostBytes: number;
}

/** The proof of a closure that nobody asked for before, against Nix's own look at the same narinfos. */
export async function runCacheVerification({
  program,
  directory,
}: BenchContext): Promise<readonly BenchResult[]> {
  await using store = await createThrowAwayStore();
  const top = (await store.run("nix", "eval", "--impure", "--raw", "--expr", expression)).trim();
  const keyFile = join(store.directory, "key");
  await writeFile(keyFile, await store.run("nix", "key", "generate-secret", "--key-name", "bench-1"));
  const publicKey = (await publicKeyOf(keyFile)).trim();
  const copy = join(store.directory, "copy");
  await store.run("nix", "copy", "--to", `file://${copy}?compression=none&secret-key=${keyFile}`, top);
  await using cache = await serveNarCache(await loadDirectory(copy));

  const ours: Run[] = [];
  const narInfos: Run[] = [];
  const nix: Run[] = [];
  for (let round = 0; round < rounds; round++) {
    const state = join(directory, `cache-verify-${round}`);
    await mkdir(state, { recursive: true });
    const flags = ["--cache", cache.url, "--public-key", publicKey, "--json"];
    const args = [...nodeFlags, program, "cache", "verify", top, ...flags];
    ours.push(await run(store, process.execPath, args, { XDG_STATE_HOME: state }));
    const narInfoArgs = [narInfosOnly, top, cache.url, publicKey, join(state, "nix")];
    narInfos.push(await run(store, process.execPath, narInfoArgs));
    nix.push(await run(store, "nix", ["path-info", "--store", cache.url, "--recursive", "--refresh", top]));
  }
  const wall = (runs: readonly Run[]): number => median(runs.map(({ wallSeconds }) => wallSeconds));
  const baseline = `${seconds(wall(nix))} nix path-info --refresh, without signatures`;
  const memory = Math.max(...ours.map(({ mostBytes }) => mostBytes));
  const what = `${paths} paths of a cache`;
  const ratio = wall(narInfos) / wall(nix);
  return [
    {
      what: `${what}: narinfos, compared and signatures verified`,
      ours: seconds(wall(narInfos)),
      baseline,
      ratio,
      goal: { ...atMost(ratio, 1 / 5), text: "≤ 1/5" },
    },
    {
      what: `${what}: cache verify, with the start of every NAR`,
      ours: seconds(wall(ours)),
      baseline,
      ratio: wall(ours) / wall(nix),
      goal: { ...atMost(wall(ours) / wall(nix), 1 / 4), text: "≤ 1/4" },
    },
    {
      what: `${what}: memory of cache verify`,
      ours: mebibytes(memory),
      goal: atMost(memory / 1024 ** 2, 150, " MiB"),
    },
  ];
}

async function publicKeyOf(keyFile: string): Promise<string> {
  // A secret key ends with its public one (libsodium's form).
  const [name = "", base64 = ""] = (await readFile(keyFile, "utf8")).trim().split(":");
  return `${name}:${Buffer.from(base64, "base64").subarray(32).toString("base64")}`;
}

async function run(
  store: ThrowAwayStore,
  file: string,
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const home = { HOME: join(store.directory, "home"), XDG_CACHE_HOME: join(store.directory, "cache") };
  const env = { ...store.environment, ...home, ...more };
  const started = performance.now();
  const child = spawn(file, args, { env, stdio: ["ignore", "ignore", "pipe"] });
  const said: string[] = [];
  child.stderr.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  let mostBytes = 0;
  const looking = setInterval(() => {
    readResidentBytes(child.pid ?? 0).then(
      (bytes) => (mostBytes = Math.max(mostBytes, bytes)),
      () => undefined, // it has ended
    );
  }, 100);
  const [code] = await once(child, "close");
  clearInterval(looking);
  if (code !== 0) throw new Error(`${file} ended with ${String(code)}:\n${said.join("").slice(-2000)}`);
  return { wallSeconds: (performance.now() - started) / 1000, mostBytes };
}
