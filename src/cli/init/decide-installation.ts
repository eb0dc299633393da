// What `init` is going to write, from what was answered: every name and address checked, nothing read or written.
import { posix } from "node:path";
import { HomelabError } from "../../base/errors.ts";
import type { NamedRole } from "../../bus/server/permissions.ts";
import {
  parseBuilderName,
  parseHostName,
  parseRepoName,
  type BuilderName,
  type HostName,
  type RepoName,
} from "../../protocol/names.ts";

/**
 * `systemd`: copied to machines and run as units. `nixos`: modules for their configurations. `in-place`: run by hand from
 * the directory itself, by whoever made it.
 */
export type Form = "systemd" | "nixos" | "in-place";

export interface Answers {
  readonly form: Form;
  /** Where clients reach NATS: `nats://nats.lan:4222`, `tls://nats.lan:4222` */
  readonly nats: string;
  /** Paths on the machine of NATS; needed for `tls://`. */
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  /** Path on the clients' machines, of an authority that their systems do not trust by themselves. */
  readonly tlsCa?: string;
  /** The version of the nats-server that is going to read the configuration. */
  readonly natsVersion: string;
  readonly cacheUrl?: string;
  readonly cacheKeys: readonly string[];
  readonly builders: readonly string[];
  readonly operators: readonly string[];
  readonly ci: readonly string[];
  readonly updaters: readonly string[];
  readonly dashboards: readonly string[];
  /** `REPO/HOST` */
  readonly hosts: readonly string[];
}

export interface PlannedRepo {
  readonly url: string;
  readonly branch: string;
  /** The user name that goes with the token; undefined for a repo that is read without one. */
  readonly tokenUser?: string;
}

export interface PlannedHost {
  readonly repo: RepoName;
  readonly host: HostName;
}

export interface Plan {
  readonly form: Form;
  /** Where it is written. */
  readonly directory: string;
  /** Where the parts are when they are used; the directory itself in place. */
  readonly installed: string;
  /** The program on the machines: an absolute path. */
  readonly program: string;
  /** Before the usual directories in the PATH of units. */
  readonly path: readonly string[];
  readonly repos: Readonly<Record<RepoName, PlannedRepo>>;
  readonly nats: {
    readonly url: string;
    readonly host: string;
    readonly port: number;
    readonly isLoopback: boolean;
    readonly tls?: { readonly certFile: string; readonly keyFile: string };
    readonly caFile?: string;
    readonly version: string;
  };
  readonly cache?: { readonly url: string; readonly publicKeys: readonly string[] };
  readonly builders: readonly BuilderName[];
  /** The other users that sign in, by role. */
  readonly people: Readonly<Record<Exclude<NamedRole, "deployer">, readonly string[]>>;
  readonly hosts: readonly PlannedHost[];
}

/** What does not come from answers. */
export type Circumstances = Pick<Plan, "directory" | "program" | "path" | "repos">;

/** Where the parts of the other forms are on their machines. */
const configurationDirectory = "/etc/homelab-deploy";

/** @throws HomelabError `usage` for what cannot be a name or an address, or does not go together */
export function decideInstallation(answers: Answers, circumstances: Circumstances): Plan {
  const { form, builders, operators, ci, updaters, dashboards } = answers;
  const { directory, program, repos } = circumstances;
  requirePlainPath("the directory", directory);
  if (form !== "nixos") requirePlainPath("--program", program);
  if (Object.keys(repos).length === 0) {
    throw refused(
      "nothing to build was named",
      "name a repo with --repo URL; the path of a checkout works too",
    );
  }
  const hosts = answers.hosts.map((text) => hostOf(text, repos));
  const cache = cacheOf(answers);
  if (hosts.length > 0 && cache === undefined) {
    throw refused(
      "hosts need a binary cache, and none was named",
      "name it with --cache URL and --cache-key KEY, or leave out --host",
    );
  }
  return {
    ...circumstances,
    form,
    installed: form === "in-place" ? directory : configurationDirectory,
    nats: natsOf(answers),
    cache,
    builders: some("builder", distinct("builder", builders)).map((name) => parseBuilderName(name)),
    people: {
      operator: some("operator", distinct("operator", operators)).map(userName),
      ci: distinct("ci", ci).map(userName),
      updater: distinct("updater", updaters).map(userName),
      dashboard: distinct("dashboard", dashboards).map(userName),
    },
    hosts,
  };
}

const refused = (message: string, hint: string): HomelabError =>
  new HomelabError("usage", message, { code: "BAD_ARGUMENTS", hint });

/** It comes into units, scripts and configurations of others, each with its own way of quoting. */
function requirePlainPath(what: string, path: string): void {
  if (/^\/[\w./+@-]+$/.test(path)) return;
  throw refused(
    `${what} ${JSON.stringify(path.slice(0, 200))} cannot be used`,
    "name an absolute path of letters, digits and _ . / + @ - alone",
  );
}

function natsOf({ nats, tlsCert, tlsKey, tlsCa, natsVersion }: Answers): Plan["nats"] {
  const found =
    /^(?<scheme>nats|tls):\/\/(?<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?<port>\d{1,5}))?$/.exec(
      nats,
    )?.groups;
  const port = Number(found?.["port"] ?? 4222);
  if (found === undefined || port < 1 || port > 65_535) {
    throw refused(
      `${JSON.stringify(nats.slice(0, 200))} is not an address of NATS`,
      "write nats://HOST:4222, or tls://HOST:4222 for a server with a certificate",
    );
  }
  const { scheme = "", host = "" } = found;
  if (scheme === "tls" && (tlsCert === undefined || tlsKey === undefined)) {
    throw refused(
      `${nats} needs the certificate of the server`,
      "name it and its key with --nats-tls-cert FILE and --nats-tls-key FILE, as they are on the machine of NATS",
    );
  }
  if (scheme === "nats" && [tlsCert, tlsKey, tlsCa].some((file) => file !== undefined)) {
    throw refused(
      `${nats} is an address without TLS`,
      `write tls://${host}:${port}, or leave out --nats-tls-*`,
    );
  }
  for (const [option, file] of Object.entries({
    "--nats-tls-cert": tlsCert,
    "--nats-tls-key": tlsKey,
    "--nats-tls-ca": tlsCa,
  })) {
    if (file !== undefined && !/^\/[\w./+@-]+$/.test(file)) {
      throw refused(
        `${option} ${JSON.stringify(file)} cannot be used`,
        "write an absolute path without spaces",
      );
    }
  }
  return {
    url: `${scheme}://${host}:${port}`,
    host,
    port,
    isLoopback: /^(?:127(?:\.\d{1,3}){3}|\[::1\]|localhost)$/.test(host),
    ...(tlsCert === undefined || tlsKey === undefined ? {} : { tls: { certFile: tlsCert, keyFile: tlsKey } }),
    ...(tlsCa === undefined ? {} : { caFile: tlsCa }),
    version: natsVersion,
  };
}

function cacheOf({ cacheUrl, cacheKeys }: Answers): Plan["cache"] {
  if (cacheUrl === undefined) {
    if (cacheKeys.length === 0) return undefined;
    throw refused("a key of a cache was named, and no cache", "name the cache with --cache URL");
  }
  if (cacheKeys.length === 0) {
    throw refused(
      `the public key of ${cacheUrl} was not named`,
      "name it with --cache-key, as in trusted-public-keys of nix.conf",
    );
  }
  return { url: cacheUrl, publicKeys: cacheKeys };
}

function hostOf(text: string, repos: Circumstances["repos"]): PlannedHost {
  const slash = text.indexOf("/");
  if (slash < 0) throw refused(`--host ${text} does not name its repo`, "write --host REPO/HOST");
  const repo = parseRepoName(text.slice(0, slash));
  if (!Object.hasOwn(repos, repo)) {
    throw refused(
      `--host ${text} is of a repo that was not named`,
      `the repos are ${Object.keys(repos).join(", ")}; add another one with --repo ${repo}=URL`,
    );
  }
  return { repo, host: parseHostName(text.slice(slash + 1)) };
}

/** Becomes a directory, and a part of a subject. */
function userName(name: string): string {
  if (/^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(name)) return name;
  throw refused(
    `${JSON.stringify(name.slice(0, 80))} cannot be a name`,
    "use letters, digits, _ and -, at most 63",
  );
}

function distinct(role: string, names: readonly string[]): readonly string[] {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return names;
  throw refused(`--${role} ${twice} is there twice`, "each needs its own name");
}

function some(role: string, names: readonly string[]): readonly string[] {
  if (names.length > 0) return names;
  throw refused(`there is no ${role}`, `name one with --${role} NAME`);
}

/** Whether parts that read the repos need the token. */
export const needsToken = ({ repos }: Pick<Plan, "repos">): boolean =>
  Object.values(repos).some(({ tokenUser }) => tokenUser !== undefined);

/** The directory of a part when it is used. The admin's key is used where it was made, and goes nowhere else. */
export const placeOf = ({ installed, directory }: Plan, part: string): string =>
  posix.join(part === adminName ? directory : installed, part);

export const adminName = "admin";
