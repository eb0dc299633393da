// `nats config`: who may sign in, from public keys on the command line.
import { HomelabError } from "../../base/errors.ts";
import type { NamedRole, NatsUser } from "../../bus/server/permissions.ts";
import {
  parseBuilderName,
  parseHostName,
  parseRepoName,
  type HostName,
  type RepoName,
} from "../../protocol/names.ts";

/** The values of the options that are called like roles. */
export type KeysByRole = { readonly admin?: string } & {
  readonly [Role in NamedRole | "builder" | "listener"]?: readonly string[];
};

/** `KEY`, or `NAME=KEY` where several users have the role. */
export function parseUsers(options: KeysByRole): NatsUser[] {
  const people = (role: "admin" | NamedRole, values: readonly string[] = []): NatsUser[] =>
    values.map((value) => {
      const { name, key } = namedKey(value);
      return { role, publicKey: key, name };
    });
  return [
    ...people("admin", options.admin === undefined ? [] : [options.admin]),
    ...people("operator", options.operator),
    ...people("ci", options.ci),
    ...people("updater", options.updater),
    ...people("dashboard", options.dashboard),
    ...people("deployer", options.deployer),
    ...(options.builder ?? []).map((value): NatsUser => {
      const { name, key } = namedKey(value);
      return { role: "builder", publicKey: key, name: parseBuilderName(requireName(name, value, "builder")) };
    }),
    ...(options.listener ?? []).map((value): NatsUser => {
      const { name, key } = namedKey(value);
      return { role: "listener", publicKey: key, ...hostOf(requireName(name, value, "listener")) };
    }),
  ];
}

/** `REPO/HOST`. A host alone is what earlier releases took; its key may do nothing. */
function hostOf(name: string): { readonly host: HostName; readonly repo?: RepoName } {
  const slash = name.indexOf("/");
  if (slash < 0) return { host: parseHostName(name) };
  return { repo: parseRepoName(name.slice(0, slash)), host: parseHostName(name.slice(slash + 1)) };
}

function namedKey(value: string): { readonly name?: string; readonly key: string } {
  const at = value.indexOf("=");
  return at < 0 ? { key: value } : { name: value.slice(0, at), key: value.slice(at + 1) };
}

function requireName(name: string | undefined, value: string, option: string): string {
  if (name !== undefined) return name;
  throw new HomelabError("usage", `--${option} ${value} has no name`, {
    code: "BAD_ARGUMENTS",
    hint: `write --${option} NAME=KEY`,
  });
}
