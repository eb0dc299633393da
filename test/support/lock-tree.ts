// Locks as trees of inputs, and printed as Nix prints them (`LockFile::toJSON`): a second opinion on what ours must be.
import { commitOf } from "./flake-locks.ts";

/** An input, with those below it, or the path of the one that it follows. */
export type TreeInput = LockedInput | readonly string[];
export type Tree = Readonly<Record<string, TreeInput>>;
type Attributes = Readonly<Record<string, string | number | boolean>>;

/** The same object at several places is one node. */
export interface LockedInput {
  readonly original: Attributes;
  readonly locked: Attributes;
  readonly flake?: false;
  /** Of a relative path, from Nix 2.26 on: the input that it is relative to. */
  readonly parent?: readonly string[];
  readonly inputs?: Tree;
}

export const follows = (...path: readonly string[]): readonly string[] => path;

const newYear2024 = 1_704_067_200;
const hashOf = (text: string): string =>
  `sha256-${Buffer.from(commitOf(text)).toString("base64").slice(0, 43)}=`;

/** What Nix knows of a commit. */
export const stateOf = (name: string, state: number): Attributes => ({
  lastModified: newYear2024 + state,
  narHash: hashOf(`${name} ${state}`),
  rev: commitOf(`${name} ${state}`),
});
const contentOf = (name: string, state: number): Attributes => ({ narHash: hashOf(`${name} ${state}`) });

interface More {
  /** Of where it is: `ref`, `dir`, `host`. */
  readonly at?: Attributes;
  /** Only of what is locked, such as `revCount`. */
  readonly also?: Attributes;
  readonly inputs?: Tree;
  readonly flake?: false;
}

const input = (place: Attributes, state: Attributes, { at = {}, also = {}, ...more }: More): LockedInput => {
  const { ref: _ref, ...stays } = at;
  return { original: { ...place, ...at }, locked: { ...place, ...stays, ...state, ...also }, ...more };
};

/** From a forge: `owner/repo`. The branch is not locked, only its commit. */
function atForge(type: string) {
  return (name: string, state: number, more: More = {}): LockedInput => {
    const [owner = "", repo = ""] = name.split("/");
    return input({ owner, repo, type }, stateOf(name, state), more);
  };
}
export const github = atForge("github");
export const gitlab = atForge("gitlab");
export const sourcehut = atForge("sourcehut");

/** A repository by its URL, whose branch is locked too. */
export const git = (url: string, state: number, { at = {}, also = {}, ...more }: More = {}): LockedInput => ({
  original: { type: "git", url, ...at },
  locked: {
    type: "git",
    url,
    ref: "refs/heads/main",
    revCount: state,
    ...stateOf(url, state),
    ...at,
    ...also,
  },
  ...more,
});

export const mercurial = (url: string, state: number, more: More = {}): LockedInput =>
  input({ type: "hg", url }, { ...stateOf(url, state), revCount: state }, more);

/** An archive, which may say which commit it is of, and is locked at another URL. */
export const tarball = (
  url: string,
  state: number,
  { locks = "commit", ...more }: More & { readonly locks?: "commit" | "time" | "content" } = {},
): LockedInput => {
  const whole = stateOf(url, state);
  const { lastModified = 0 } = whole;
  const known = {
    commit: whole,
    time: { ...contentOf(url, state), lastModified },
    content: contentOf(url, state),
  };
  const at = locks === "commit" ? `${url}?rev=${whole["rev"]}` : url;
  const { original, ...rest } = input({ type: "tarball", url }, { ...known[locks], url: at }, more);
  return { original, ...rest };
};

export const file = (url: string, state: number): LockedInput =>
  input({ type: "file", url }, contentOf(url, state), { flake: false });

/** By an absolute path: a copy of what was there. */
export const path = (place: string, state: number, more: More = {}): LockedInput =>
  input(
    { path: place, type: "path" },
    { ...contentOf(place, state), lastModified: newYear2024 + state },
    more,
  );

/** Of the same repository as the flake that names it. */
export const relativePath = (place: string, parent: readonly string[], inputs?: Tree): LockedInput => ({
  original: { path: place, type: "path" },
  locked: { path: place, type: "path" },
  parent,
  inputs,
});

/** Whatever the registry says. */
export const indirect = (id: string, state: number, more: More = {}): LockedInput => ({
  ...github(`NixOS/${id}`, state, more),
  original: { id, type: "indirect", ...more.at },
});

type Json = string | number | boolean | readonly string[] | ReadonlyMap<string, Json>;

/** Nodes are named after the input by which they are reached first, depth first and by name. */
export function printTree(inputs: Tree): string {
  const nodes = new Map<string, Json>();
  const keys = new Map<LockedInput, string>();

  function print(name: string, node: LockedInput | undefined, below: Tree): string {
    let key = name;
    for (let number = 2; nodes.has(key); number++) key = `${name}_${number}`;
    if (node !== undefined) keys.set(node, key);
    nodes.set(key, "in work");
    const edges = Object.entries(below)
      .toSorted(byName)
      .map(([inner, target]) => [inner, isFollows(target) ? target : reach(inner, target)] as const);
    const printed = new Map<string, Json>();
    if (node?.flake === false) printed.set("flake", false);
    if (edges.length > 0) printed.set("inputs", new Map(edges));
    if (node !== undefined) {
      printed.set("locked", new Map(Object.entries(node.locked)));
      printed.set("original", new Map(Object.entries(node.original)));
    }
    if (node?.parent !== undefined) printed.set("parent", node.parent);
    nodes.set(key, printed);
    return key;
  }
  const reach = (name: string, node: LockedInput): string =>
    keys.get(node) ?? print(name, node, node.inputs ?? {});

  const root = print("root", undefined, inputs);
  return `${printJson(
    new Map<string, Json>([
      ["nodes", nodes],
      ["root", root],
      ["version", 7],
    ]),
    "",
  )}\n`;
}

/** With keys in the order of their bytes; objects of JavaScript have numbers first. */
function printJson(value: Json, margin: string): string {
  const inner = `${margin}  `;
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<string, Json>)].toSorted(byName);
    if (entries.length === 0) return "{}";
    const lines = entries.map(([key, each]) => `${inner}${JSON.stringify(key)}: ${printJson(each, inner)}`);
    return `{\n${lines.join(",\n")}\n${margin}}`;
  }
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    return `[\n${value.map((each) => `${inner}${JSON.stringify(each)}`).join(",\n")}\n${margin}]`;
  }
  return JSON.stringify(value);
}

export const isFollows = (target: TreeInput): target is readonly string[] => Array.isArray(target);

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  Buffer.compare(Buffer.from(a), Buffer.from(b));
