// Other revisions of a flake input than the one that is locked: where git finds them, and how one is named for Nix.
import { HomelabError } from "../../base/errors.ts";
import { placeOf, revPattern } from "./compare-url.ts";
import { changedPlaces } from "./flake-lock-check.ts";
import { type FlakeLock, type FlakeNode, type FlakeReference, nodeAt, rootInputs } from "./flake-lock.ts";

export interface InputHistory {
  /** For git: `https://…`, `ssh://…` or `file:///…`, without a password. */
  readonly gitUrl: string;
  /** The flake reference of one of its revisions. Ends up as an argument of Nix. */
  readonly at: (rev: string) => string;
}

/** Attributes of a locked git repository, beside its place and state, that its reference has to have as well. */
const gitFlags = ["submodules", "shallow", "lfs", "allRefs", "exportIgnore"] as const;

/** Undefined for an input that is in no git repository, or whose parts are not what they should be. */
export function historyOf(locked: FlakeReference): InputHistory | undefined {
  if (!revPattern.test(locked.rev ?? "")) return undefined;
  switch (locked.type) {
    case "github":
    case "gitlab":
    case "sourcehut":
      return historyAtForge(locked.type, locked);
    case "git":
      return historyOfRepository(locked);
    case "tarball":
      return historyOfArchive(locked);
    default:
      return undefined;
  }
}

function historyAtForge(
  type: "github" | "gitlab" | "sourcehut",
  locked: FlakeReference,
): InputHistory | undefined {
  const place = placeOf(locked);
  if (place === undefined) return undefined;
  const path = place.path.join("/");
  // Nix takes what stands between the owner and the repository for the revision: groups are one name.
  const owner = place.path.slice(0, -1).join("%2F");
  const repository = place.path.at(-1) ?? "";
  const query = queryOf({ host: locked.host, dir: locked.dir });
  return {
    gitUrl: `https://${place.host}/${path}${type === "sourcehut" ? "" : ".git"}`,
    at: (rev) => `${type}:${owner}/${repository}/${rev}${query}`,
  };
}

function historyOfRepository(locked: FlakeReference): InputHistory | undefined {
  const url = URL.parse(locked.url ?? "");
  if (url === null || !["https:", "ssh:", "file:"].includes(url.protocol) || hasSecret(url)) return undefined;
  if (url.search !== "" || url.hash !== "") return undefined;
  const flags = Object.fromEntries(
    gitFlags.map((name) => [name, locked[name] === true ? "1" : undefined] as const),
  );
  return {
    gitUrl: url.href,
    at: (rev) => `git+${url.href}${queryOf({ ref: locked.ref, rev, dir: locked.dir, ...flags })}`,
  };
}

/** Gitea, Forgejo and GitHub have `<repository>/archive/<revision>.tar.gz`. */
function historyOfArchive({ url: text = "", rev = "" }: FlakeReference): InputHistory | undefined {
  const url = URL.parse(text);
  if (url === null || url.protocol !== "https:" || hasSecret(url)) return undefined;
  const match =
    /^(?<repository>\/[A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+)\/archive\/(?<rev>[0-9a-f]+)\.tar\.gz$/.exec(
      url.pathname,
    );
  const { repository = "" } = match?.groups ?? {};
  if (match?.groups?.["rev"] !== rev) return undefined;
  return {
    gitUrl: `${url.origin}${repository}.git`,
    at: (other) => `${url.origin}${repository}/archive/${other}.tar.gz`,
  };
}

const hasSecret = (url: URL): boolean =>
  url.password !== "" || (url.protocol === "https:" && url.username !== "");

function queryOf(values: Readonly<Record<string, string | undefined>>): string {
  const set = Object.entries(values).flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return set.length === 0 ? "" : `?${set.join("&")}`;
}

/**
 * The lock as it would be if the input had been updated to the revision.
 *
 * @param lock of the flake, with the input at any revision
 * @param made where Nix locked the revision: the flake's own lock with the input overridden, or, if the
 *   input is not a flake and has no inputs itself, that of a flake whose only input it is
 * @throws HomelabError `failed` `FLAKE_LOCK_UNFIT` when Nix locked something else.
 */
export function lockWithRevision(lock: FlakeLock, made: FlakeLock, input: string, rev: string): FlakeLock {
  const before = inputNode(lock, input);
  const after = inputNode(made, input);
  const fields = changedPlaces(before.node.locked ?? { type: "" }, after.node.locked ?? { type: "" });
  if (after.node.locked?.rev !== rev || fields.length > 0) {
    throw new HomelabError("failed", `Nix locked another state of the input ${input} than ${rev}`, {
      code: "FLAKE_LOCK_UNFIT",
    });
  }
  // What the flake declares stays: the revision is only how we asked for it.
  const declared = { original: before.node.original };
  if (before.node.flake === false)
    return withNode(lock, before.key, { ...before.node, locked: after.node.locked });
  return withNode(made, after.key, { ...after.node, ...declared });
}

function inputNode(lock: FlakeLock, input: string): { readonly key: string; readonly node: FlakeNode } {
  const key = rootInputs(lock)[input];
  if (typeof key === "string") return { key, node: nodeAt(lock, key) };
  throw new HomelabError("usage", `the flake has no input ${JSON.stringify(input)} of its own`, {
    code: "UNKNOWN_FLAKE_INPUT",
  });
}

const withNode = (lock: FlakeLock, key: string, node: FlakeNode): FlakeLock => ({
  ...lock,
  nodes: { ...lock.nodes, [key]: node },
});
