// What a binary cache says about one path: the narinfo, a small text.
import { parseSha256, type Sha256 } from "../protocol/store-paths/sha256.ts";
import { isStorePath, type StorePath } from "../protocol/names.ts";

export interface NarInfo {
  readonly storePath: StorePath;
  /** Where the NAR is, relative to the cache. */
  readonly url: string;
  /** `none`, `zstd`, `xz`, `bzip2`, …; what Nix takes a missing one for. */
  readonly compression: string;
  /** Bytes of the NAR as it is served, if it is given. */
  readonly fileSize?: number;
  /** The hash of the NAR's file as it is served, if it is given. Nothing signs it. */
  readonly fileHash?: Sha256;
  readonly narHash: Sha256;
  readonly narSize: number;
  /** Sorted, as they are signed. */
  readonly references: readonly StorePath[];
  /** `name:base64` each. */
  readonly signatures: readonly string[];
}

/** Fields that may occur only once: if there are two, another reader may take the other one. */
const singleFields = new Set([
  "StorePath",
  "URL",
  "Compression",
  "FileHash",
  "FileSize",
  "NarHash",
  "NarSize",
  "References",
]);

/**
 * Reads a narinfo (NarInfo::NarInfo in Nix's nar-info.cc). Stricter than Nix where a reader could be misled: no field
 * twice, no NAR outside the cache. Unknown fields are ignored.
 *
 * @throws SyntaxError saying what is wrong, in words for people
 */
export function parseNarInfo(text: string): NarInfo {
  const { fields, signatures } = readFields(text);
  const storePath = required(fields, "StorePath");
  if (!isStorePath(storePath)) throw new SyntaxError("its StorePath is not a store path");
  const url = required(fields, "URL");
  if (!isInCache(url)) throw new SyntaxError("its URL leads out of the cache");
  const narHash = parseSha256(required(fields, "NarHash"));
  if (narHash === undefined) throw new SyntaxError("its NarHash is not a SHA-256");
  const narSize = parseSize(required(fields, "NarSize"));
  if (narSize === undefined || narSize === 0) throw new SyntaxError("its NarSize is not a size");
  const fileSize = parseSize(fields.get("FileSize") ?? "");
  const fileHash = parseSha256(fields.get("FileHash") ?? "");
  const compression = fields.get("Compression") ?? "";
  return {
    storePath,
    url,
    compression: compression === "" ? "bzip2" : compression,
    fileSize,
    fileHash,
    narHash,
    narSize,
    references: parseReferences(fields.get("References") ?? "", storePath),
    signatures,
  };
}

function readFields(text: string): {
  readonly fields: ReadonlyMap<string, string>;
  readonly signatures: readonly string[];
} {
  const fields = new Map<string, string>();
  const signatures: string[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    // A list without elements may lose the space behind its colon.
    const { name, value } = /^(?<name>[A-Za-z]+):(?: (?<value>.*))?$/.exec(line)?.groups ?? {};
    if (name === undefined) throw new SyntaxError("it is not a narinfo");
    if (name === "Sig") signatures.push(value ?? "");
    else if (!fields.has(name)) fields.set(name, value ?? "");
    else if (singleFields.has(name)) throw new SyntaxError(`it has ${name} twice`);
  }
  return { fields, signatures };
}

function required(fields: ReadonlyMap<string, string>, name: string): string {
  const value = fields.get(name);
  if (value === undefined || value === "") throw new SyntaxError(`it has no ${name}`);
  return value;
}

const isInCache = (url: string): boolean =>
  /^[\u0021-\u007e]+$/.test(url) && !/^(?:\/|[A-Za-z][A-Za-z0-9+.-]*:)|(?:^|\/)\.\.(?:\/|$)|\\/.test(url);

const parseSize = (text: string): number | undefined => (/^\d{1,15}$/.test(text) ? Number(text) : undefined);

function parseReferences(text: string, storePath: StorePath): readonly StorePath[] {
  const directory = storeDirectoryOf(storePath);
  const names = text.split(" ").filter((name) => name !== "");
  const paths = names.map((name) => `${directory}/${name}`);
  const valid = paths.filter(isStorePath);
  if (valid.length < paths.length || names.some((name) => name.includes("/"))) {
    throw new SyntaxError("its References are not names of store paths");
  }
  return [...new Set(valid)].toSorted();
}

const storeDirectoryOf = (path: StorePath): string => path.slice(0, path.lastIndexOf("/"));

/** The 32 characters by which a cache finds a path. */
export const hashPartOf = (path: StorePath): string => {
  const start = path.lastIndexOf("/") + 1;
  return path.slice(start, start + 32);
};

/** What a signature signs (ValidPathInfo::fingerprint in Nix's path-info.cc). */
export const fingerprintOf = ({ storePath, narHash, narSize, references }: NarInfo): string =>
  `1;${storePath};${narHash};${narSize};${references.join(",")}`;
