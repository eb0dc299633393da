// A directory of OpenTofu files, parsed.
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "@cdktn/hcl2json";
import { keyOf, linesOf, type Path } from "./hcl-lines.ts";

/** What a file says, as hcl2json puts it: blocks are arrays, all that is not literal is a text `${…}`. */
export type Hcl = null | boolean | number | string | readonly Hcl[] | HclObject;
export interface HclObject {
  readonly [name: string]: Hcl;
}

export interface TofuFile {
  /** Below the root: `modules/nixos-vm/main.tf` */
  readonly path: string;
  readonly text: string;
}

export interface Refusal {
  readonly rule: string;
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** A value with where it is. */
export interface Entry {
  readonly path: Path;
  readonly value: Hcl;
  readonly file: string;
  readonly line: number;
}

export interface TofuDocument {
  readonly file: string;
  /** The directory: what its files declare, they declare together. */
  readonly module: string;
  /** Everything in it, blocks and values, outer before inner. */
  readonly entries: readonly Entry[];
  /** Names that are given twice: hcl2json, as OpenTofu, silently keeps the last. */
  readonly duplicates: readonly Entry[];
}

/** All files below a directory that OpenTofu reads, and the example of its variables. */
export function readTofuFiles(root: string): readonly TofuFile[] {
  return globSync(["**/*.tf", "*.tfvars.example", "*.tf.example"], { cwd: root })
    .toSorted()
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

/** A file that cannot be parsed is the refusal. */
export async function parseTofuFile({ path, text }: TofuFile): Promise<TofuDocument | Refusal> {
  let body: Hcl;
  try {
    body = await parse(path, text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // parse config: [vms.tf:4,57-58: Missing attribute value; …]
    const line = Number(/:(?<line>\d+),\d+/.exec(message)?.groups?.["line"] ?? 0);
    return { rule: "syntax", file: path, line, message };
  }
  const lines = linesOf(text);
  const entries = [...entriesOf(body, [], path, (at) => lines.get(keyOf(at))?.at(-1))];
  const duplicates = [...lines].flatMap(([key, found]) => {
    const entry = entries.find((each) => keyOf(each.path) === key);
    return entry === undefined || found.length < 2 ? [] : [entry];
  });
  return { file: path, module: dirname(path), entries, duplicates };
}

/** @throws Error for what has no line: a wrong position would be worse than none. */
function* entriesOf(
  value: Hcl,
  path: Path,
  file: string,
  lineOf: (path: Path) => number | undefined,
): Generator<Entry> {
  const line = lineOf(path);
  if (line !== undefined) yield { path, value, file, line };
  // Labels of blocks (`resource`, its type and name) are no places of their own.
  else if (!Array.isArray(value) && !isObject(value)) throw new Error(`${file}: no line for ${keyOf(path)}`);
  const children = Array.isArray(value) ? [...value.entries()] : isObject(value) ? Object.entries(value) : [];
  for (const [step, child] of children) yield* entriesOf(child, [...path, step], file, lineOf);
}

export const isText = (value: Hcl | undefined): value is string => typeof value === "string";
export const isObject = (value: Hcl | undefined): value is HclObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
/** Whether the text is one, and not an expression. */
export const isLiteral = (value: Hcl | undefined): boolean =>
  !isText(value) || !/(?<!\$)\$\{|(?<!%)%\{/.test(value);
