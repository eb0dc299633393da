// What a schema cannot say about the deployer's settings.
import type { GateSettings, RolloutSettings, WaveSettings } from "./deployer-schema.ts";
import { patternProblem } from "./host-filter.ts";
import { formatPath, type Problem } from "./problems.ts";

/** Problems in the rules of one repo. */
export function* rolloutProblems(
  repo: string,
  { waves, gates, windows, reboots }: RolloutSettings,
): Iterable<Problem> {
  const at = (...keys: readonly (string | number)[]): string =>
    formatPath(["deployer", "rollouts", repo, ...keys]);
  for (const [index, wave] of waves.entries()) {
    yield* waveProblems(wave, (...keys) => at("waves", index, ...keys));
  }
  for (const [index, gate] of gates.entries()) {
    yield* gateProblems(gate, (...keys) => at("gates", index, ...keys));
  }
  for (const [list, named] of Object.entries({ waves, gates })) {
    for (const index of repeated(named))
      yield { path: at(list, index, "name"), message: "stands there twice" };
  }
  if (reboots === "in-window" && windows.length === 0) {
    yield { path: at("reboots"), message: "needs windows: without one hosts could reboot at any time" };
  }
}

/** Commits are verified in a copy of the repo. */
export function* signerProblems(
  repo: string,
  { allowedSigners }: RolloutSettings,
  { repos }: { readonly repos: object },
): Iterable<Problem> {
  if (allowedSigners === undefined || Object.hasOwn(repos, repo)) return;
  const path = formatPath(["deployer", "rollouts", repo, "allowedSigners"]);
  yield { path, message: `needs repos.${repo} with its url, because the deployer fetches the commits` };
}

/** It works, but hardly as it was meant. */
export function* rolloutWarnings(repo: string, { waves }: RolloutSettings): Iterable<Problem> {
  const all = waves.findIndex(takesEveryHost);
  for (const index of waves.keys()) {
    if (all === -1 || index <= all) continue;
    const path = formatPath(["deployer", "rollouts", repo, "waves", index]);
    yield { path, message: `never gets a host, because waves[${all}] takes all of them` };
  }
}

const takesEveryHost = ({ wave, tiers, roles, hosts, labels }: WaveSettings): boolean =>
  [wave, tiers, roles, labels].every((each) => each === undefined) && (hosts?.includes("*") ?? true);

type Place = (...keys: readonly (string | number)[]) => string;

function* waveProblems({ tiers, roles, hosts }: WaveSettings, at: Place): Iterable<Problem> {
  for (const [key, names] of Object.entries({ tiers, roles, hosts })) {
    if (names?.length === 0) yield { path: at(key), message: "is empty, so no host matches: leave it out" };
  }
  for (const [index, pattern] of (hosts ?? []).entries()) {
    const message = patternProblem(pattern);
    if (message !== undefined) yield { path: at("hosts", index), message };
  }
}

function* gateProblems({ kind, url, query }: GateSettings, at: Place): Iterable<Problem> {
  if (!URL.canParse(url)) yield { path: at("url"), message: "is not a URL" };
  if (kind === "http") {
    if (query !== undefined) yield { path: at("query"), message: "is only for gates of kind prometheus" };
    return;
  }
  if (query === undefined) yield { path: at("query"), message: "is missing: what is Prometheus asked?" };
  if (/[?#]/.test(url)) {
    yield { path: at("url"), message: "must be the address of the server, without ? and #" };
  }
}

/** Places of names that stand further ahead already. */
const repeated = (named: readonly { readonly name: string }[]): number[] => {
  const names = named.map(({ name }) => name);
  return [...names.keys()].filter((index) => names.indexOf(names[index] ?? "") < index);
};
