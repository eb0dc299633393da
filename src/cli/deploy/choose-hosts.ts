// From names and globs of the command line to hosts that are known: those that were built, and those that ever spoke.
import { HomelabError } from "../../base/errors.ts";
import { matchesGlob, parseGlob } from "../../base/glob.ts";
import type { HostAddress } from "../../bus/deploy-bus.ts";
import type { HostState } from "../../protocol/deploy/host-state.ts";
import { didYouMean } from "../../protocol/did-you-mean.ts";
import { isHostSelector } from "../../protocol/host-selectors.ts";
import { fullName, isHostName, parseHostName, parseRepoName } from "../../protocol/names.ts";

/** What hosts must say about themselves to be chosen: all of what is given. */
export interface HostSelection {
  readonly all?: boolean;
  readonly tier?: string;
  readonly role?: string;
  readonly label?: ReadonlyMap<string, string>;
}

type SelectedState = HostAddress & Pick<HostState, "tier" | "role" | "labels">;

/**
 * The named hosts, or those that ever spoke, of which only those that are selected.
 *
 * @throws HomelabError `usage` where there is none, and of names as `chooseAddresses`
 */
export function selectAddresses(
  names: readonly string[],
  { tier, role, label = new Map<string, string>() }: HostSelection,
  repoOption: string | undefined,
  known: readonly HostAddress[],
  states: readonly SelectedState[],
): readonly HostAddress[] {
  const repo = repoOption === undefined ? undefined : parseRepoName(repoOption);
  const base =
    names.length > 0
      ? chooseAddresses(names, repoOption, known)
      : states.filter((state) => repo === undefined || state.repo === repo).toSorted(byName);
  const statesByName = new Map(states.map((state) => [fullName(state), state]));
  const isNarrowed = tier !== undefined || role !== undefined || label.size > 0;
  const chosen = base.filter((address) => {
    const state = statesByName.get(fullName(address));
    if (state === undefined) return !isNarrowed;
    const hasLabels = [...label].every(([key, value]) => state.labels[key] === value);
    return (tier ?? state.tier) === state.tier && (role ?? state.role) === state.role && hasLabels;
  });
  if (chosen.length > 0) return chosen.map(({ repo: of, host }) => ({ repo: of, host }));
  const wanted = [
    ...(tier === undefined ? [] : [`the tier ${tier}`]),
    ...(role === undefined ? [] : [`the role ${role}`]),
    ...[...label].map(([key, value]) => `the label ${key}=${value}`),
  ];
  throw new HomelabError(
    "usage",
    wanted.length === 0 ? "no host has reported yet" : `no host has ${wanted.join(" and ")}`,
    { code: "UNKNOWN_HOST", hint: "list them: homelab-deploy hosts" },
  );
}

const inOrder = new Intl.Collator("en").compare;
const byName = (a: HostAddress, b: HostAddress): number => inOrder(a.repo, b.repo) || inOrder(a.host, b.host);

/**
 * In the order of the names, each host once.
 *
 * @throws HomelabError `usage` for a name that is unknown, or in several repos, or for none at all
 */
export function chooseAddresses(
  names: readonly string[],
  repoOption: string | undefined,
  known: readonly HostAddress[],
): readonly HostAddress[] {
  if (names.length === 0) {
    throw new HomelabError("usage", "no host is named", {
      code: "BAD_ARGUMENTS",
      hint: "name hosts, or a glob such as 'web*'; '*' matches all",
    });
  }
  const chosen = new Map<string, HostAddress>();
  for (const name of names) {
    for (const address of chooseOne(name, repoOption, known)) chosen.set(fullName(address), address);
  }
  return [...chosen.values()];
}

function chooseOne(
  name: string,
  repoOption: string | undefined,
  known: readonly HostAddress[],
): readonly HostAddress[] {
  const slash = name.indexOf("/");
  const repo = slash < 0 ? repoOption : name.slice(0, slash);
  if (repoOption !== undefined && repo !== repoOption) {
    throw new HomelabError("usage", `${name} is not in the repo ${repoOption}`, {
      code: "BAD_ARGUMENTS",
      hint: "leave --repo out",
    });
  }
  const wanted = repo === undefined ? undefined : parseRepoName(repo);
  const host = name.slice(slash + 1);
  const inRepo = known.filter((address) => wanted === undefined || address.repo === wanted);
  const isGlob = !isHostName(host);
  // What is neither a name nor a glob is refused in the words for names.
  if (isGlob && (host.startsWith("!") || !isHostSelector(host))) parseHostName(host);
  const glob = isGlob ? parseGlob(host) : undefined;
  const found = inRepo.filter((address) =>
    glob === undefined ? address.host === host : matchesGlob(glob, address.host),
  );
  if (found.length === 0) {
    const near = didYouMean(host, new Set(inRepo.map((address) => address.host)));
    throw new HomelabError("usage", isGlob ? `${name} matches no host` : `there is no host ${name}`, {
      code: "UNKNOWN_HOST",
      hint: near === undefined ? "list them: homelab-deploy hosts" : `did you mean ${near}?`,
    });
  }
  if (!isGlob && found.length > 1) {
    throw new HomelabError("usage", `there is a host ${host} in several repos`, {
      code: "AMBIGUOUS_HOST",
      hint: `name one of ${found.map(fullName).join(", ")}`,
    });
  }
  return found;
}
