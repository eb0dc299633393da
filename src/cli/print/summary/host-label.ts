import type { BuildState } from "../../../protocol/build-state.ts";
import { fullName } from "../../../protocol/names.ts";
import type { Style } from "../style.ts";

/** What a host is called: with its repo only where the build is about more than one. */
export type HostLabel = (host: { readonly repo: string; readonly host: string }) => string;

export function hostLabelOf(state: BuildState, style: Style): HostLabel {
  const repos = new Set([...state.sources, ...state.skipped].map(({ repo }) => repo));
  return repos.size > 1 ? (host) => style.clean(fullName(host)) : ({ host }) => style.clean(host);
}

/** More names than this help nobody. */
export const mostListed = 12;

/** `gitea`, `9 hosts: gitea, web01, web02 and 6 more`. */
export function hostList(labels: readonly string[], most = mostListed): string {
  if (labels.length === 1) return labels[0] ?? "";
  return `${labels.length} hosts: ${listed(labels, most)}`;
}

/** `a, b, c and 6 more`. */
export function listed(items: readonly string[], most: number): string {
  const more = items.length - most;
  return more > 0 ? `${items.slice(0, most).join(", ")} and ${more} more` : items.join(", ");
}
