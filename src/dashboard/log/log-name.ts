// Which log is meant: that of a derivation in a build, or what the activation of a deployment printed.
import { HomelabError } from "../../base/errors.ts";
import type { HostAddress } from "../../bus/deploy-bus.ts";
import { isOrderId, type OrderId } from "../../protocol/deploy/order.ts";
import { fullName, parseBuildId, parseHostName, parseRepoName, type BuildId } from "../../protocol/names.ts";

export type LogName =
  | { readonly type: "build"; readonly build: BuildId; readonly log: number }
  | ({ readonly type: "deployment"; readonly order: OrderId } & HostAddress);

export const logKey = (name: LogName): string =>
  name.type === "build" ? `${name.build}.${name.log}` : `${fullName(name)}/${name.order}`;

/** @param names the decoded parts of a path; undefined for the path of something else, or names that cannot be */
export function parseLogName(names: readonly string[]): LogName | undefined {
  try {
    return logNameOf(names);
  } catch (error) {
    if (error instanceof HomelabError) return undefined;
    throw error;
  }
}

function logNameOf(names: readonly string[]): LogName | undefined {
  const [kind, first = "", second = "", third = "", fourth] = names;
  if (kind === "builds" && names.length === 4 && second === "logs" && /^\d{1,9}$/.test(third)) {
    return { type: "build", build: parseBuildId(first), log: Number(third) };
  }
  if (kind === "deployments" && names.length === 5 && fourth === "log" && isOrderId(third)) {
    return { type: "deployment", repo: parseRepoName(first), host: parseHostName(second), order: third };
  }
  return undefined;
}
