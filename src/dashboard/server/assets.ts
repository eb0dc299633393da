// The files that pages need: read and compressed once, at the start. Their addresses have a hash of their content in them,
// so browsers keep them forever.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { programDirectory } from "../../base/program-directory.ts";
import type { Tone } from "../page/page.ts";

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
  readonly gzipped: Buffer;
}

export interface Assets {
  /** Where pages find a file. */
  readonly address: (name: string) => string;
  readonly find: (path: string) => Asset | undefined;
}

const files: Readonly<Record<string, string>> = {
  "style.css": "text/css; charset=utf-8",
  "theme.js": "text/javascript; charset=utf-8",
  "client.js": "text/javascript; charset=utf-8",
  "times.js": "text/javascript; charset=utf-8",
  "log.js": "text/javascript; charset=utf-8",
};

/** The page's icon follows its state. */
const iconColours: Readonly<Record<Tone, string>> = {
  good: "#2da44e",
  busy: "#218bff",
  warn: "#d4a72c",
  bad: "#e5534b",
  idle: "#8b949e",
};
const iconOf = (colour: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20"><path d="M10 1.2l7.6 4.4v8.8L10 18.8l-7.6-4.4V5.6z" fill="${colour}"/></svg>`;

/** Browsers need neither comments nor indents. Only of whole lines: what is inside a line may be text. */
export const withoutComments = (text: string): string =>
  text
    .replace(/^\s*\/\*[^]*?\*\/\s*$/gm, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("//"))
    .map((line, index, lines) => (continues(line, lines[index + 1] ?? "") ? line : `${line}\n`))
    .join("")
    .trimEnd();

/** The end of the line means nothing. A comment at its end, which may be none, would take in the next line. */
const continues = (line: string, next: string): boolean =>
  !line.includes("//") && (/[{;,}(:=>]$/.test(line) || /^[.?:)]/.test(next));

export async function readAssets(): Promise<Assets> {
  const contents = new Map<string, { readonly type: string; readonly body: Buffer }>();
  for (const [name, type] of Object.entries(files)) {
    const text = await readFile(join(programDirectory, "dashboard/assets", name), "utf8");
    contents.set(name, { type, body: Buffer.from(withoutComments(text)) });
  }
  for (const [tone, colour] of Object.entries(iconColours)) {
    contents.set(`${tone}.svg`, { type: "image/svg+xml", body: Buffer.from(iconOf(colour)) });
  }
  const hash = createHash("sha256");
  for (const { body } of contents.values()) hash.update(body);
  // One for all: scripts name each other without a hash of their own.
  const folder = `/assets/${hash.digest("base64url").slice(0, 12)}`;
  const byPath = new Map(
    [...contents].map(([name, { type, body }]) => [
      `${folder}/${name}`,
      { type, body, gzipped: gzipSync(body, { level: 9 }) },
    ]),
  );
  return { address: (name) => `${folder}/${name}`, find: (path) => byPath.get(path) };
}
