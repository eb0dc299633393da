// What a system's closure says about itself, read from its files in the store.
import { lstat, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { messageOf } from "../base/errors.ts";
import { readBytesBounded } from "../base/files/read-bounded.ts";
import type { RebootPart } from "../protocol/deploy/deploy-events.ts";
import type { StorePath } from "../protocol/names.ts";
import { namesIfThere, orUndefined, readTextIfThere, realPathIfThere } from "./read-if-there.ts";

const maxTextBytes = 64 * 1024;

/**
 * Names of unit files, and of instances that a unit of the system starts: these only stand among the links of that unit,
 * such as `multi-user.target.wants/getty@tty1.service`. What is masked is left out.
 */
export async function unitsOf(path: StorePath): Promise<ReadonlySet<string>> {
  const directory = join(path, "etc/systemd/system");
  const entries = await namesIfThere(directory);
  const files = entries.filter((name) => !/\.(?:d|wants|requires|upholds)$/.test(name));
  const isMasked = await Promise.all(
    files.map(
      async (name) => (await orUndefined(readlink(join(directory, name)).catch(notLink))) === "/dev/null",
    ),
  );
  const masked = new Set(files.filter((_, index) => isMasked[index] === true));
  const starting = entries.filter((name) => /\.(?:wants|requires|upholds)$/.test(name));
  const links = await Promise.all(starting.map(async (name) => namesIfThere(join(directory, name))));
  const instances = links.flat().filter((name) => {
    const template = templateOf(name);
    return template !== undefined && files.includes(template) && !masked.has(template);
  });
  return new Set([...files, ...instances].filter((name) => !masked.has(name)));
}

/** `getty@.service` of `getty@tty1.service`; undefined for what is not an instance. */
const templateOf = (name: string): string | undefined => {
  const { prefix, type } = /^(?<prefix>[^@]+@)[^@].*(?<type>\.[a-z]+)$/.exec(name)?.groups ?? {};
  return prefix === undefined || type === undefined ? undefined : `${prefix}${type}`;
};

/** What `readlink` says about a file that is not a link. */
function notLink(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "EINVAL") return undefined;
  throw error;
}

/** The entry of a toplevel for each part. */
const entries: readonly (readonly [RebootPart, string])[] = [
  ["kernel", "kernel"],
  ["initrd", "initrd"],
  ["modules", "kernel-modules"],
  ["params", "kernel-params"],
  ["systemd", "systemd"],
  ["firmware", "firmware"],
];

export async function rebootPartsOf(booted: StorePath, other: StorePath): Promise<readonly RebootPart[]> {
  const differing: RebootPart[] = [];
  for (const [part, name] of entries) {
    const [one, two] = [await identityOf(join(booted, name)), await identityOf(join(other, name))];
    if (one !== two) differing.push(part);
  }
  return differing;
}

/** Where a link leads; what is in a file of the toplevel itself, such as `kernel-params`. */
async function identityOf(path: string): Promise<string | undefined> {
  const status = await orUndefined(lstat(path));
  if (status === undefined) return undefined;
  if (status.isFile() && status.size <= maxTextBytes) return readFile(path, "utf8");
  return realPathIfThere(path);
}

/** A list would pass as a record, too. */
const Inhibitors = v.pipe(
  v.unknown(),
  v.check((value) => !Array.isArray(value)),
  v.record(v.string(), v.string()),
);

/**
 * `switch-inhibitors` of two systems: a map from names to store paths. What differs must not be switched to while the
 * system runs. A file that cannot be read inhibits: taken as empty, it once let everything through.
 */
export async function whyInhibited(running: StorePath, next: StorePath): Promise<string | undefined> {
  let maps: readonly Readonly<Record<string, string>>[];
  try {
    maps = await Promise.all([running, next].map(readInhibitors));
  } catch (error) {
    return `switch-inhibitors cannot be read: ${messageOf(error)}`;
  }
  const [before = {}, after = {}] = maps;
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
  const differing = names.filter((name) => before[name] !== after[name]);
  if (differing.length === 0) return undefined;
  return `only a reboot can change ${differing.slice(0, 10).join(", ")}`;
}

async function readInhibitors(path: StorePath): Promise<Readonly<Record<string, string>>> {
  const text = await readTextIfThere(join(path, "switch-inhibitors"), maxTextBytes);
  if (text === undefined) return {};
  const result = v.safeParse(Inhibitors, JSON.parse(text));
  if (!result.success) throw new SyntaxError("it is not a map from names to paths");
  return result.output;
}

/** @throws OversizedFileError */
export async function readClosureFile(
  path: StorePath,
  name: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const file = join(path, name);
  if (!file.startsWith(`${path}/`)) throw new RangeError(`${name} leads out of the closure`);
  // Through links: the files of `etc` are elsewhere in the store.
  return (await orUndefined(readBytesBounded(file, maxBytes)))?.bytes;
}
