// What an update may do to a lock: move its inputs forward. Anything else needs a person's eyes.
import { isDeepStrictEqual } from "node:util";
import { type FlakeLock, type FlakeNode, type FlakeReference, nodeAt } from "./flake-lock.ts";
import { isOlder, walkPairs } from "./flake-lock-diff.ts";

export type LockFindingKind =
  /** Not an input any more, or a new one. */
  | "input-added"
  | "input-removed"
  /** What flake.nix says about it is another thing: its `original`, whether it is a flake, what it follows. */
  | "declaration-changed"
  /** What is locked is at another place than before, though it is declared the same. */
  | "source-changed"
  /** What is locked is not at the place that is declared; a dependency's own lock can say so. */
  | "source-differs"
  /** It has no commit or no hash, so it is not one state but any. */
  | "not-pinned"
  /** Older than before. */
  | "downgraded"
  /** Something else in the file changed, such as its version. */
  | "format-changed";

export interface LockFinding {
  readonly kind: LockFindingKind;
  /** Input names from the root; empty for the file. */
  readonly path: readonly string[];
  /** One line. Has text from outside. */
  readonly message: string;
}

/** Which state it is, and of which branch; everything else says where it is. */
const stateFields: ReadonlySet<string> = new Set([
  "rev",
  "ref",
  "narHash",
  "lastModified",
  "lastModifiedDate",
  "revCount",
  "shortRev",
]);
const placeFields = ["type", "host", "owner", "repo", "url", "path", "id", "dir"] as const;
const committedTypes: ReadonlySet<string> = new Set(["git", "github", "gitlab", "sourcehut", "hg"]);
/** Locked archives have a URL for each state. */
const archiveTypes: ReadonlySet<string> = new Set(["tarball", "file"]);

/**
 * Everything in which a lock differs from an earlier one beyond other states of the same inputs; nothing for a
 * plain update. The same `original` may get another `rev`, `ref`, hash and time, and no other field.
 */
export function checkLockChange(before: FlakeLock, after: FlakeLock): readonly LockFinding[] {
  const findings: LockFinding[] = [];
  if (!isDeepStrictEqual({ ...before, nodes: {}, root: "" }, { ...after, nodes: {}, root: "" })) {
    findings.push({ kind: "format-changed", path: [], message: "the format of flake.lock changed" });
  }
  const roots = [nodeAt(before, before.root), nodeAt(after, after.root)].map(declarationOf);
  if (!isDeepStrictEqual(roots[0], roots[1])) {
    findings.push({ kind: "declaration-changed", path: [], message: "other inputs follow each other" });
  }
  for (const { path, ...keys } of walkPairs(before, after)) {
    const old = keys.before === undefined ? undefined : nodeAt(before, keys.before);
    const young = keys.after === undefined ? undefined : nodeAt(after, keys.after);
    for (const [kind, message] of checkInput(old, young)) {
      findings.push({ kind, path, message: `${path.join("/")} ${message}` });
    }
  }
  return findings;
}

type Found = readonly [kind: LockFindingKind, message: string];

function checkInput(before: FlakeNode | undefined, after: FlakeNode | undefined): readonly Found[] {
  if (after === undefined) return [["input-removed", "is not an input any more"]];
  if (
    isDeepStrictEqual(declarationOf(before), declarationOf(after)) &&
    isDeepStrictEqual(before?.locked, after.locked)
  ) {
    return [];
  }
  return [
    ...(before === undefined ? [["input-added", "is a new input"] as const] : compare(before, after)),
    ...differences(after),
  ];
}

function compare(before: FlakeNode, after: FlakeNode): readonly Found[] {
  const [old, young] = [before.locked, after.locked];
  const found: Found[] = [];
  if (!isDeepStrictEqual(declarationOf(before), declarationOf(after))) {
    found.push(["declaration-changed", "is declared otherwise"]);
  } else if (old !== undefined && young !== undefined) {
    const fields = changedPlaces(old, young);
    if (fields.length > 0)
      found.push(["source-changed", `is at another place: ${fields.join(", ")} changed`]);
  }
  if (isOlder(young, old)) {
    found.push(["downgraded", "is older than before"]);
  }
  return found;
}

/** The fields that say where something is, as far as two states of an input differ in them. */
export function changedPlaces(before: FlakeReference, after: FlakeReference): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => {
    if (stateFields.has(name)) return false;
    if (name === "url" && archiveTypes.has(after.type)) return hostOf(before.url) !== hostOf(after.url);
    return !isDeepStrictEqual(before[name], after[name]);
  });
}

/** How the locked place differs from the declared one, where the kind of input lets one tell. */
function differences({ original, locked }: FlakeNode): readonly Found[] {
  if (original === undefined || locked === undefined) return [];
  // It is in the same repository as the flake that names it, so it needs no revision of its own.
  if (original.type === "path" && original.path?.startsWith("/") !== true) return [];
  const found: Found[] = [];
  if (locked.narHash === undefined || (committedTypes.has(locked.type) && locked.rev === undefined)) {
    found.push(["not-pinned", "is locked to no commit or no hash"]);
  }
  // `indirect` stands for whatever the registry says, and archives may be sent elsewhere by their server.
  if (original.type === "indirect" || archiveTypes.has(original.type)) return found;
  const names = new Set([...Object.keys(original), ...placeFields]);
  const fields = [...names].filter((name) => name !== "ref" && !isSameText(original[name], locked[name]));
  if (fields.length > 0) {
    found.push(["source-differs", `is not locked to what is declared: ${fields.join(", ")} differ`]);
  }
  return found;
}

/** Forges do not tell upper from lower case in names. */
const isSameText = (declared: unknown, locked: unknown): boolean =>
  typeof declared === "string" && typeof locked === "string"
    ? declared.toLowerCase() === locked.toLowerCase()
    : isDeepStrictEqual(declared, locked);

const hostOf = (url: string | undefined): string => URL.parse(url ?? "")?.host ?? "";

/** What a flake says about an input, and of what follows what in it, in contrast to what that was locked to. */
function declarationOf(node: FlakeNode | undefined): object {
  const { inputs = {}, ...declaration } = node ?? {};
  const follows = Object.entries(inputs).filter(([, edge]) => typeof edge !== "string");
  return { ...declaration, locked: undefined, follows: Object.fromEntries(follows) };
}
