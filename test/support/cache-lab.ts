// A small closure in a throw-away store, with a key that signs it, and copies of it in binary caches.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { createNix } from "../../src/nix/create-nix.ts";
import type { Store } from "../../src/nix/store.ts";
import type { PathFacts } from "../../src/protocol/store-paths/path-facts.ts";
import { createExec } from "../../src/process/create-exec.ts";
import type { StorePath } from "../../src/protocol/names.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "./nix-store.ts";

export interface CacheLab extends AsyncDisposable {
  readonly store: ThrowAwayStore;
  readonly nix: Store;
  /** Needs `middle` and `leaf`; `middle` needs `leaf`. */
  readonly top: StorePath;
  readonly middle: StorePath;
  readonly leaf: StorePath;
  readonly closure: ReadonlyMap<StorePath, PathFacts>;
  /** `name:base64` of the key that signs the copies. */
  readonly publicKey: string;
  readonly secretKeyFile: string;
  /** One that nobody trusts, under a name of its own. */
  readonly foreignSecretKeyFile: string;
  /** Copies the closure to a `file://` cache, and gives its directory. @param keyFile false for no signature */
  copy(name: string, options?: { compression?: string; keyFile?: string | false }): Promise<string>;
}

/** Each is written by a shell, so that nothing else has to be there. The leaf is too long to come in one piece. */
const expression = `
  let
    make = name: script: derivation {
      inherit name;
      system = builtins.currentSystem;
      builder = "/bin/sh";
      args = [ "-c" script ];
    };
    leaf = make "leaf" "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done > $out";
    middle = make "middle" "echo \${leaf} > $out";
  in make "top" "echo \${leaf} \${middle} $out > $out"
`;

export async function createCacheLab(): Promise<CacheLab> {
  const store = await createThrowAwayStore();
  const signal = AbortSignal.timeout(60_000);
  const nix = await createNix(
    {
      exec: createExec(),
      environment: store.environment,
      stateDirectory: join(store.directory, "ours"),
      clock: systemClock,
      log: silentLog,
    },
    signal,
  );
  const top = (await store.run("nix-build", "--no-out-link", "--expr", expression)).trim() as StorePath;
  const closure = await nix.readClosureFacts([top], signal);
  const named = (name: string): StorePath => {
    const path = [...closure.keys()].find((each) => each.endsWith(`-${name}`));
    if (path === undefined) throw new Error(`there is no ${name} in the closure`);
    return path;
  };
  const key = async (name: string): Promise<string> => {
    const file = join(store.directory, `${name}.secret`);
    await writeFile(file, await store.run("nix", "key", "generate-secret", "--key-name", name), {
      mode: 0o600,
    });
    return file;
  };
  const secretKeyFile = await key("cache-1");
  const foreignSecretKeyFile = await key("stranger-1");
  return {
    store,
    nix,
    top,
    middle: named("middle"),
    leaf: named("leaf"),
    closure,
    publicKey: publicKeyOf(await readFile(secretKeyFile, "utf8")),
    secretKeyFile,
    foreignSecretKeyFile,
    async copy(name, { compression = "none", keyFile = secretKeyFile } = {}) {
      const directory = join(store.directory, name);
      const signing = keyFile === false ? "" : `&secret-key=${keyFile}`;
      await store.run("nix", "copy", "--to", `file://${directory}?compression=${compression}${signing}`, top);
      return directory;
    },
    [Symbol.asyncDispose]: () => store.remove(),
  };
}

/** A secret key ends with its public one (libsodium's form). */
function publicKeyOf(secretKey: string): string {
  const [name = "", base64 = ""] = secretKey.trim().split(":");
  return `${name}:${Buffer.from(base64, "base64").subarray(32).toString("base64")}`;
}
