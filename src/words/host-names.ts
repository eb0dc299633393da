// How hosts are named and counted in sentences.
import type { BuildState } from "../protocol/build-state.ts";
import { fullName } from "../protocol/names.ts";

/** What a host is called: with its repo only where the build is about more than one. */
export type HostLabel = (host: { readonly repo: string; readonly host: string }) => string;

/** @param clean makes foreign text safe where the label is shown */
export function hostLabelOf(state: BuildState, clean: (foreign: string) => string): HostLabel {
  const repos = new Set([...state.sources, ...state.skipped].map(({ repo }) => repo));
  return repos.size > 1 ? (host) => clean(fullName(host)) : ({ host }) => clean(host);
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

/** `1 host`, `6 hosts`. */
export const hosts = (count: number): string => (count === 1 ? "1 host" : `${count} hosts`);
