// The addresses of the pages, made from validated names only.
import type { OrderId } from "../../protocol/deploy/order.ts";
import type { BuildId } from "../../protocol/names.ts";
import type { RolloutId } from "../../protocol/rollout/rollout-events.ts";

export const buildPath = (build: BuildId): string => `/builds/${build}`;
export const hostPath = ({ repo, host }: { readonly repo: string; readonly host: string }): string =>
  `/hosts/${repo}/${encodeURIComponent(host)}`;
export const rolloutPath = (rollout: RolloutId): string => `/rollouts/${rollout}`;
export const logPath = (build: BuildId, log: number): string => `/builds/${build}/logs/${log}`;
/** What the activation of a deployment printed. */
export const outputPath = (
  { repo, host }: { readonly repo: string; readonly host: string },
  order: OrderId,
): string => `/deployments/${repo}/${encodeURIComponent(host)}/${order}/log`;

/** The same page with other parameters; empty ones are left out. */
export function withParameters(
  { pathname, searchParams }: Pick<URL, "pathname" | "searchParams">,
  changes: Readonly<Record<string, string>>,
): string {
  const parameters = new URLSearchParams(searchParams);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "") parameters.delete(name);
    else parameters.set(name, value);
  }
  const query = parameters.toString();
  return query === "" ? pathname : `${pathname}?${query}`;
}
