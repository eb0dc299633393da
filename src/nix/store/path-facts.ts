import { HomelabError } from "../../base/errors.ts";
import { isStorePath, type StorePath } from "../../protocol/names.ts";
import { oneLine } from "../words/error-text.ts";
import type { Store } from "../store.ts";
import type { PathFacts } from "../../protocol/store-paths/path-facts.ts";
import { parseSha256 } from "../../protocol/store-paths/sha256.ts";
import { chunksOfArguments, type StoreOptions } from "./store-queries.ts";

const queryTimeoutMs = 300_000;

/** Reads what the store's database knows about paths, with `nix-store` because its output is the same in every version. */
export function createPathFactsReader({
  exec,
  environment,
}: StoreOptions): Pick<Store, "readClosureFacts" | "readFacts"> {
  async function query(args: readonly string[], signal: AbortSignal): Promise<string> {
    const options = { env: environment, cwd: "/", signal, timeoutMs: queryTimeoutMs };
    const { exitCode, timedOut, stdout, stderrTail } = await exec("nix-store", args, options);
    if (exitCode !== 0 || timedOut) throw unavailable(timedOut ? "it took too long" : stderrTail);
    return stdout;
  }

  async function readFacts(
    paths: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<StorePath, PathFacts>> {
    const facts = new Map<StorePath, PathFacts>();
    for (const some of chunksOfArguments(paths)) {
      for (const each of parseRegistrations(await query(["--dump-db", "--", ...some], signal))) {
        facts.set(each.path, each);
      }
    }
    const missing = paths.find((path) => !facts.has(path as StorePath));
    if (missing !== undefined) throw unavailable(`it left out ${missing}`);
    return facts;
  }

  return {
    readFacts,
    async readClosureFacts(tops, signal) {
      const paths = new Set<string>();
      for (const some of chunksOfArguments(tops)) {
        const lines = (await query(["--query", "--requisites", "--", ...some], signal)).split("\n");
        for (const line of lines) if (line !== "") paths.add(line);
      }
      return readFacts([...new Set([...paths, ...tops])], signal);
    },
  };
}

/**
 * What `nix-store --dump-db` prints: for each path a line each for the path, its hash in base 16, its size, its
 * deriver or nothing, the number of its references, and one for each of these (makeValidityRegistration in Nix's
 * store-api.cc).
 *
 * @throws HomelabError `unavailable` with code `STORE_UNAVAILABLE` for anything else
 */
export function parseRegistrations(text: string): readonly PathFacts[] {
  const lines = text.split("\n");
  const facts: PathFacts[] = [];
  for (let at = 0; at < lines.length && lines[at] !== "";) {
    const [path = "", hash = "", size = "", , count = ""] = lines.slice(at, at + 5);
    const narHash = parseSha256(`sha256:${hash}`);
    const references = lines.slice(at + 5, at + 5 + Number(count));
    const isWhole =
      /^\d{1,6}$/.test(count) && references.length === Number(count) && references.every(isStorePath);
    if (!isStorePath(path) || narHash === undefined || !/^\d{1,15}$/.test(size) || !isWhole) {
      throw unavailable(`it says ${JSON.stringify(path.slice(0, 200))} of a path`);
    }
    facts.push({
      path,
      narHash,
      narSize: Number(size),
      references: references.filter(isStorePath).toSorted(),
    });
    at += 5 + references.length;
  }
  return facts;
}

const unavailable = (reason: string): HomelabError =>
  new HomelabError("unavailable", `the Nix store does not list what belongs to a path: ${oneLine(reason)}`, {
    code: "STORE_UNAVAILABLE",
    hint: "see whether the path was garbage-collected, and whether the Nix daemon runs",
  });
