// What an update changes in the systems: from closures, as far as they are in this machine's store.
import type { Log } from "../base/log.ts";
import { diffClosures, type ClosureDiff } from "../nix/store/closure-diff.ts";
import type { Store } from "../nix/store.ts";
import type { BuildState, HostState } from "../protocol/build-state.ts";
import { isSuccess } from "../protocol/verdicts.ts";
import type { StorePath } from "../protocol/names.ts";

/** Reading a closure takes a second or so; the first hosts say most. */
const mostHosts = 50;

export async function compareClosures(
  nix: Store,
  before: BuildState,
  after: BuildState,
  log: Log,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ClosureDiff>> {
  const diffs = new Map<string, ClosureDiff>();
  const pairs: { readonly host: string; readonly old: StorePath; readonly young: StorePath }[] = [];
  for (const state of after.hosts.values()) {
    const [old, young] = [builtPath(before.hosts.get(`${state.repo}/${state.host}`)), builtPath(state)];
    if (old !== undefined && young !== undefined && old !== young)
      pairs.push({ host: state.host, old, young });
  }
  try {
    const valid = await nix.validPaths([...new Set(pairs.flatMap(({ old, young }) => [old, young]))], signal);
    for (const { host, old, young } of pairs.slice(0, mostHosts)) {
      if (!valid.has(old) || !valid.has(young)) continue;
      diffs.set(host, diffClosures(await nix.readClosure(old, signal), await nix.readClosure(young, signal)));
    }
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ err: error }, "what the update changes in the systems could not be read from this store");
  }
  return diffs;
}

const builtPath = (state: HostState | undefined): StorePath | undefined =>
  state?.finished !== undefined && isSuccess(state.finished.verdict) ? state.evaluated?.outPath : undefined;
